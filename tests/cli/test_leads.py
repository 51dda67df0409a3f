"""``airflow outreach leads``, ``suppressions``, ``db`` and ``purge``: count first, then go."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import audit, suppressions, suppressions_write
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.lists import LeadFilter, list_leads
from airflow_outreach_provider.store.ledger.tables import leads
from airflow_outreach_provider.web.export import suppressions_csv


@pytest.fixture
def store(tasks_store: Store) -> Store:
    old = datetime.now(UTC) - timedelta(days=90)
    common = {
        "campaign": "spring",
        "reason": "server_error",
        "detail": "",
        "payload": "{}",
        "created_at": old,
        "updated_at": old,
    }
    with tasks_store.write() as connection:
        connection.execute(
            leads.insert(),
            [
                {"phone": f"+1416555{n:04d}", "state": "held" if n < 103 else "rejected", **common}
                for n in range(100, 105)
            ],
        )
    return tasks_store


def test_list_masks_and_filters(store: Store, run: Callable[..., str]) -> None:
    """The list shows what was asked for, numbers masked; -o json is JSON."""
    rows = json.loads(run("leads", "list", "--state", "held", "-o", "json"))
    assert len(rows) == 3
    assert all("•••" in row["phone"] for row in rows)
    assert "4165550100" not in json.dumps(rows)
    assert len(json.loads(run("leads", "list", "--phone", "+14165550104", "-o", "json"))) == 1


def test_resolve_counts_first_then_goes(store: Store, run: Callable[..., str]) -> None:
    """Without --yes nothing changes; with it held leads are settled and an audit row says by whom."""
    assert "3 held leads would become accepted" in run("leads", "resolve", "--as", "accepted")
    assert len(list_leads(store, LeadFilter(state=None)).rows) == 5
    assert json.loads(run("leads", "list", "--state", "held", "-o", "json"))
    first = json.loads(run("leads", "list", "--state", "held", "-o", "json"))[0]["id"]
    assert "1 leads are planned" in run("leads", "resolve", "--as", "planned", "--id", str(first), "--yes")
    assert "2 leads are accepted" in run(
        "leads", "resolve", "--as", "accepted", "--campaign", "spring", "--yes"
    )
    assert audit.entries(store).rows[0].actor.startswith("cli:")


@pytest.mark.parametrize("also", [("--campaign", "other"), ("--phone", "+14165550199"), ("--reason", "x")])
def test_resolve_takes_ids_or_a_filter(store: Store, run: Callable[..., str], also: tuple[str, str]) -> None:
    """Both at once is told: neither of them is passed over."""
    first = str(list_leads(store, LeadFilter(state=LeadState.HELD)).rows[0].id)
    with pytest.raises(SystemExit, match=rf"--id names the leads, and so does {also[0]}"):
        run("leads", "resolve", "--as", "planned", "--id", first, *also, "--yes")
    assert len(list_leads(store, LeadFilter(state=LeadState.HELD)).rows) == 3


def test_what_is_no_address_is_not_listed(store: Store, run: Callable[..., str]) -> None:
    """Whoever pasted half an address must not believe that its person is on the list; none stands in the message."""
    for half in ("jane.doe@", "@example.org"):
        with pytest.raises(SystemExit, match="that is no e-mail address — write it whole") as ended:
            run("suppressions", "add", half, "+14165550123", "--yes")
        assert half not in str(ended.value)
    assert suppressions.entries(store).rows == []
    assert "1 entries would be put" in run("suppressions", "add", "Jane <jane@example.com>")


def test_who_is_named_twice_is_added_once(store: Store, run: Callable[..., str]) -> None:
    """The count is of entries of the list, however often they are written."""
    twice = ("suppressions", "add", "+14165550123", "+1 416 555 0123", "a@example.com", "A@example.com")
    assert run(*twice).startswith("2 entries would be put")
    assert run(*twice, "--yes").startswith("2 entries added, 0 were")


def test_the_do_not_contact_list_is_imported_added_and_removed(
    store: Store, run: Callable[..., str], tmp_path: Path
) -> None:
    """A file's numbers go on the list, bad rows are named; single numbers are added and removed."""
    path = tmp_path / "stop.csv"
    path.write_text("Telefon\n(416) 555-0190\n+1 416 555 0191\nnobody\n")
    imported = (
        "suppressions",
        "import",
        str(path),
        "--region",
        "CA",
        "--column",
        "Telefon",
        "--reason",
        "asked",
    )
    with pytest.raises(SystemExit):
        run(*imported)
    assert suppressions.entries(store).rows == []
    with pytest.raises(SystemExit):
        run(*imported, "--yes")
    assert {row.phone for row in suppressions.entries(store).rows} == {"+14165550190", "+14165550191"}
    added = ("suppressions", "add", "+14165550192", "--campaign", "spring")
    assert "1 entries would be put on the list of campaign spring; add --yes" in run(*added)
    assert len(suppressions.entries(store).rows) == 2
    assert "1 entries added" in run(*added, "--yes")
    listed = json.loads(run("suppressions", "list", "-o", "json"))
    assert {row["campaign"] for row in listed} == {"all", "spring"}
    removed = ("suppressions", "remove", "+14165550190", "+14165550199")
    assert "1 entries would be taken off the list of all campaigns; add --yes" in run(*removed)
    assert len(suppressions.entries(store).rows) == 3
    assert "1 entries removed" in run(*removed, "--yes")
    assert len(suppressions.entries(store).rows) == 2


def test_addresses_are_listed_by_hand_too(store: Store, run: Callable[..., str]) -> None:
    """In any writing, kept as a hash; the address itself is nowhere."""
    assert "1 entries added, 0 were" in run("suppressions", "add", "Jane@Example.com", "--yes")
    assert "0 entries added, 1 were" in run("suppressions", "add", " jane@example.COM ", "--yes")
    [row] = suppressions.entries(store).rows
    assert row.phone.startswith("email:")
    assert "jane" not in f"{row} {audit.entries(store).rows}".lower()
    assert "1 entries removed" in run("suppressions", "remove", "<JANE@example.com>", "--yes")
    assert suppressions.entries(store).rows == []


def test_forget_and_purge_ask_first(store: Store, run: Callable[..., str]) -> None:
    """Forgetting and purging say what they would do, and do it with --yes."""
    assert "add --yes" in run("leads", "forget", "--phone", "+14165550100")
    assert "add --yes" in run("purge", "--older-than", "30")
    assert len(list_leads(store, LeadFilter()).rows) == 5
    assert "1 leads" in run("leads", "forget", "--phone", "+14165550100", "--yes")
    assert "2 leads removed" in run("purge", "--older-than", "30", "--yes")
    assert len(list_leads(store, LeadFilter()).rows) == 2
    with pytest.raises(SystemExit, match="retention_days"):
        run("purge", "--yes")


def test_db_commands(store: Store, run: Callable[..., str]) -> None:
    """``db upgrade`` and ``db check`` name the revision."""
    assert "already at revision" in run("db", "upgrade")
    assert "at revision" in run("db", "check")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("leads", "forget", "--yes"), "nobody is named"),
        (("suppressions", "add", "12"), "no phone number"),
        (("leads", "import-suppressions", "/nowhere.csv"), "not a file"),
    ],
)
def test_mistakes_end_with_advice(
    store: Store, run: Callable[..., str], words: tuple[str, ...], says: str
) -> None:
    """A mistake ends the command with what to do, not with a traceback."""
    with pytest.raises(SystemExit, match=says):
        run(*words)


def test_the_list_is_imported_generously_and_by_address(
    store: Store, run: Callable[..., str], tmp_path: Path
) -> None:
    """A number with a note beside it is listed, several in a cell all are, and an address alone is, by its hash."""
    path = tmp_path / "stop.csv"
    path.write_text(
        "phone,e-mail\n0171 1234567 neu,\n0171 1234568 / 0172 7654321,\n+5215512345678,\n,Jane@Example.com\n",
        "utf-8",
    )
    said = run("leads", "import-suppressions", str(path), "--region", "DE", "--yes")
    assert "4 numbers and 1 e-mail addresses read, 5 added, 0 rows" in said
    listed = run("suppressions", "list", "-o", "json")
    assert "hashed" in listed
    assert "jane" not in listed.lower()
    assert "1 entries removed" in run("suppressions", "remove", "+525512345678", "--yes")


def test_a_column_of_the_list_that_is_not_there_is_named(
    store: Store, run: Callable[..., str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A misspelt column is no list of rows without a number."""
    (tmp_path / "stop.csv").write_text("phone,name\n+14165550123,Ann\n")
    with pytest.raises(SystemExit):
        run("suppressions", "import", str(tmp_path / "stop.csv"), "--column", "phon")
    assert "line 2: there is no column 'phon': did you mean 'phone'?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [("a.csv", "Mobile Phone,Home Phone\n+14165550123,+16475550199\n,+16475550198\n", "3 numbers read"),
     ("b.csv", "name,phone,mobile\nx,,0171 1234567/8\n", "1 numbers read"),
     ("c.csv", "phone,mobile\nn/a,0171 1234567\n", "1 numbers read"),
     ("d.csv", "email\njane@example.com\n", "0 numbers and 1 e-mail addresses read"),
     ("e.csv", "email\n\"jane@example.com; john@example.com\"\n", "0 numbers and 2 e-mail addresses read"),
     ("f.csv", "phone,mobile,Email,Work Email\n,,n/a,jane@example.com\n", "0 numbers and 1 e-mail addresses read"),
     ("g.csv", "who\njohn01711234567@example.com\n", "0 numbers and 1 e-mail addresses read"),
     ("h.csv", "phone\n491711234567@c.us\n", "1 numbers read"),
     ("i.csv", "phone\n0171 1234567 jane@example.com\n", "1 numbers and 1 e-mail addresses read"),
     ("j.jsonl", '{"phone": ["+14165550123", "+16475550199"], "email": ["a@example.com", "b@example.com"]}\n', "2 numbers and 2 e-mail addresses read")],
)  # fmt: skip
def test_everybody_a_row_names_is_listed(
    store: Store, run: Callable[..., str], tmp_path: Path, name: str, rows: str, said: str
) -> None:
    """By every number and every address of all its columns; a row that names somebody is no bad row."""
    path = tmp_path / name
    path.write_text(rows, "utf-8")
    output = run("leads", "import-suppressions", str(path), "--region", "DE", "--yes")
    assert output.startswith(said)
    assert ", 0 rows that hold no number" in output


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", ""), ("b.csv", "phone,name\n"), ("c.csv", "\ufeff"), ("d.csv", "\n\n"), ("e.jsonl", ""), ("f.jsonl", "\n \n")],
)  # fmt: skip
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_a_list_of_nobody_is_a_mistake(
    store: Store, run: Callable[..., str], tmp_path: Path, name: str, text: str, yes: tuple[str, ...]
) -> None:
    """Whoever imports a file that holds no row has taken the wrong one, and would believe that people are listed."""
    path = tmp_path / name
    path.write_text(text, "utf-8")
    with pytest.raises(SystemExit, match=f"there is nothing in {path}"):
        run("suppressions", "import", str(path), *yes)
    assert audit.entries(store).rows == []


def test_a_number_that_is_lost_is_told_though_another_was_read(
    store: Store, run: Callable[..., str], tmp_path: Path
) -> None:
    """What may have been meant as a number and is none is somebody's to look at; the rest is listed."""
    path = tmp_path / "stop.csv"
    path.write_text("phone,mobile\n0171 1234567,0171 12345678901234567\n,\nnobody,\n", "utf-8")
    with pytest.raises(SystemExit):
        run("leads", "import-suppressions", str(path), "--region", "DE", "--yes")
    assert [row.phone for row in suppressions.entries(store).rows] == ["+491711234567"]


@pytest.mark.parametrize("reveal", [True, False])
def test_the_exported_list_is_the_list_again(
    store: Store, run: Callable[..., str], tmp_path: Path, reveal: bool
) -> None:
    """Every entry of its own campaign, addresses by their hash; a masked export lists nobody, and says so."""
    for number, campaign in enumerate(("", "spring, “new” 50 %/a", "-5 %", "=cmd")):
        suppressions.suppress(
            store, [f"+4369912345{number:02}", f"+1416555010{number}"], reason="asked", source="s", campaign=campaign,
            email_hashes=[hash_email(f"jane{number}@example.com")],
        )  # fmt: skip
    before = on_the_list(store)
    path = tmp_path / "exported.csv"
    path.write_bytes(b"".join(suppressions_csv(store, phone=None, campaign=None, reveal=reveal)))
    with store.write() as connection:
        connection.execute(suppressions_write.suppressions.delete())
    if not reveal:
        with pytest.raises(SystemExit):
            run("suppressions", "import", str(path), "--yes")
        assert on_the_list(store) == set()
        return
    assert "the list of campaign =cmd and the list of campaign -5 %" in run(
        "suppressions", "import", str(path)
    )
    assert "8 numbers and 4 e-mail addresses read, 12 added, 0 rows" in run(
        "suppressions", "import", str(path), "--yes"
    )
    assert on_the_list(store) == before


def on_the_list(store: Store) -> set[tuple[str, str]]:
    return {(row.phone, row.campaign) for row in suppressions.every_entry(store)}


def test_a_campaign_of_any_other_file_narrows_nobodys_no(
    store: Store, run: Callable[..., str], tmp_path: Path
) -> None:
    """Where somebody was met, or said no, is not where alone they meant it."""
    (tmp_path / "stop.csv").write_text("campaign,phone\nspring,+14165550123\n")
    run("suppressions", "import", str(tmp_path / "stop.csv"), "--yes")
    assert on_the_list(store) == {("+14165550123", "")}
