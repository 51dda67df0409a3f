"""``airflow outreach person``: shown masked, exported whole to its owner alone, forgotten after a question."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.store import audit, suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import leads

JANE, MAIL = "+14165550123", "jane.doe@example.com"


@pytest.fixture
def store(tasks_store: Store) -> Store:
    now = tasks_store.now()
    common = {"campaign": "spring", "state": "accepted", "created_at": now, "updated_at": now}
    with tasks_store.write() as connection:
        connection.execute(leads.insert().values(phone=JANE, email_hash=hash_email(MAIL), **common))
        connection.execute(leads.insert().values(phone="+14165550199", email_hash=None, **common))
    return tasks_store


@pytest.mark.parametrize(
    "who",
    [(JANE,), ("(416) 555-0123", "--region", "CA"), ("--phone", "001 416 555 0123"), ("Jane.Doe@EXAMPLE.com",),
     ("--email", f" {MAIL} "), (JANE, MAIL)],
)  # fmt: skip
def test_a_person_is_named_by_number_or_address_in_any_writing(
    store: Store, run: Callable[..., str], who: tuple[str, ...]
) -> None:
    """As a word or as an option; what is shown is masked, and nothing is written down."""
    rows = {row["what"]: row for row in json.loads(run("person", "show", *who, "-o", "json"))}
    assert int(rows["leads"]["count"]) == 1
    assert rows["leads"]["of which"] == "1 accepted"
    assert "4165550123" not in json.dumps(rows)
    assert "jane" not in json.dumps(rows)
    assert audit.entries(store).rows == []


def test_an_export_is_json_for_its_owner_alone(store: Store, run: Callable[..., str], tmp_path: Path) -> None:
    """Printed, or written to a new file that nobody else may read; never over one that is there."""
    assert json.loads(run("person", "export", JANE))["leads"][0]["phone"] == JANE
    path = tmp_path / "jane.json"
    said = run("person", "export", MAIL, "--file", str(path))
    assert JANE not in said
    assert json.loads(path.read_text("utf-8"))["person"]["numbers"] == [JANE]
    assert S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SystemExit, match="is there already"):
        run("person", "export", JANE, "--file", str(path))
    with pytest.raises(SystemExit, match="cannot be made"):
        run("person", "export", JANE, "--file", str(tmp_path / "none" / "jane.json"))
    assert [row.action for row in audit.entries(store).rows] == ["export person"] * 2


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "left"), [("yes\n", 0), ("no\n", 1), ("\n", 1)])
def test_forgetting_asks_first(
    store: Store, run: Callable[..., str], monkeypatch: Any, answer: str, left: int
) -> None:
    """At a terminal it asks, and anything but yes removes nothing; counts are shown before."""
    monkeypatch.setattr("sys.stdin", _Terminal(answer))
    said = run("person", "forget", JANE)
    assert "1 leads: 1 accepted" in said
    assert ("nothing was removed" in said) == bool(left)
    assert len(json.loads(run("leads", "list", "--phone", JANE, "-o", "json"))) == left


def test_forgetting_without_a_terminal_needs_yes(store: Store, run: Callable[..., str]) -> None:
    """A script that forgot --yes removes nothing; with it what went and what stays is said."""
    assert "add --yes" in run("person", "forget", JANE)
    assert audit.entries(store).rows == []
    said = run("person", "forget", JANE, "--yes")
    assert "1 leads" in said
    assert "1 entries of the do-not-contact list stay" in said
    assert "backups" in said
    assert JANE not in said
    assert [row.phone for row in suppressions.entries(store).rows] == [JANE]


def test_contact_may_be_allowed_again_but_no_stays_no(store: Store, run: Callable[..., str]) -> None:
    """``--allow-contact-again`` adds nothing to the list, and says so where the person is on it anyway."""
    said = run("person", "forget", JANE, "--yes", "--allow-contact-again")
    assert "stay" not in said
    assert suppressions.entries(store).rows == []
    suppressions.add(store, [JANE], actor="eve")
    assert "lifts nobody's no" in run("person", "forget", JANE, "--yes", "--allow-contact-again")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show",), "nobody is named"),
        (("export",), "nobody is named"),
        (("forget", "--yes"), "nobody is named"),
        (("show", "12"), "no phone number"),
        (("show", "(416) 555-0123"), "no phone number"),
        (("show", "--email", "jane"), "no e-mail address"),
    ],
)
def test_mistakes_about_whom_end_with_advice(
    store: Store, run: Callable[..., str], words: tuple[str, ...], says: str
) -> None:
    """Nobody, or nobody who can be read, is a mistake with a remedy, and no traceback."""
    with pytest.raises(SystemExit, match=says):
        run("person", *words)
