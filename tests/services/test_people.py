"""One person: found through their own leads and events, shown, exported, and forgotten to the last byte."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.services import actions, people
from airflow_outreach_provider.store import audit, engine, suppressions
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.deliveries import saved as deliveries_saved
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger.tables import attempts, leads
from airflow_outreach_provider.store.tables import metadata

JANE, JOHN = "+14165550123", "+14165550199"
MAIL = "Jane.Doe@Example.com"
NEEDLES = (
    "4165550123",
    "416-555-0123",
    "(416) 555-0123",
    "416 555 0123",
    "1416555\\u0030123",
    "jane.doe",
    "j•••@",
)
SOURCES = {
    name: SourceSettings(name, name, ("x" * 16,), default_region=None)
    for name in ("supersend", "tether", "varda", "autoreach")
}


@pytest.fixture
def store(still_store: Store) -> Store:
    return still_store


def lead(store: Store, phone: str | None, **more: Any) -> int:
    now = store.now()
    values = {
        "campaign": "spring", "phone": phone, "row_hash": hash_email(f"{phone}{more}"), "state": "accepted", "detail": "", "created_at": now,
        "updated_at": now, **more,
    }  # fmt: skip
    with store.write() as connection:
        number = int(connection.execute(leads.insert().returning(leads.c.id), values).scalar_one())
        connection.execute(
            attempts.insert().values(lead_id=number, at=now, outcome=values["state"], detail="said something")
        )
    return number


def event(store: Store, source: str, body: str | dict[str, Any]) -> str:
    """An event as it comes in, delivered to a CRM that quotes it."""
    raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    incoming: Incoming = read_event(SOURCES[source], raw, {}, received_at=store.now())
    inbox_append.append(store, [incoming])
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    with store.write() as connection:
        for number in connection.execute(
            sa.select(deliveries.c.id).where(deliveries.c.event_id == incoming.event.id)
        ).scalars():
            connection.execute(
                delivery_attempts.insert().values(
                    delivery_id=number, at=store.now(), verdict="refused", answer=raw.decode()[:4096]
                )
            )
    return incoming.event.id


def made(store: Store, contact: dict[str, str], data: Any) -> None:
    """A delivery of an event that a DAG made."""
    body = {
        "id": "evt_made", "source": "dag", "platform": "airflow", "type": "won", "kind": "other", "contact": contact,
        "occurred_at": "2026-03-25T18:30:00.000Z", "received_at": "2026-03-25T18:30:00.000Z", "data": data,
    }  # fmt: skip
    now = store.now()
    values = {
        "event_id": "evt_made",
        "route": "crm",
        "lane": "x",
        "state": "pending",
        "payload": json.dumps(body),
    }
    with store.write() as connection:
        connection.execute(deliveries.insert().values(**values, created_at=now, updated_at=now))


def fill(store: Store) -> None:
    """Jane everywhere, in whatever writing; John beside her."""
    lead(store, JANE, email_hash=hash_email(MAIL), contact_id="64f0c0ffee")
    lead(
        store,
        JANE,
        campaign="autumn",
        state="planned",
        payload=json.dumps({"phoneNumber": JANE, "email": MAIL}),
    )
    lead(
        store,
        JOHN,
        state="planned",
        payload=json.dumps({"phoneNumber": JOHN, "referredBy": "jane.doe@example.com"}),
    )
    event(
        store,
        "varda",
        {
            "event": "call.ended",
            "timestamp": "2026-03-25T18:30:00Z",
            "data": {"contact": {"id": "v1", "phone": JANE, "name": "Jane Doe"}},
        },
    )
    event(
        store,
        "varda",
        {
            "event": "message.created",
            "timestamp": "2026-03-25T18:31:00Z",
            "data": {"contact": {"id": "v1"}, "content": "by id alone"},
        },
    )
    event(
        store,
        "supersend",
        {"type": "open", "CampaignId": "c", "contact": {"email": MAIL.upper(), "id": "s9"}},
    )
    event(
        store,
        "supersend",
        {
            "type": "reply",
            "contact": {"id": "s10", "phone": "(416) 555-0123"},
            "message": "no region, no number",
        },
    )
    event(store, "supersend", {"type": "click", "contact": {"id": "s9"}})
    event(
        store,
        "tether",
        {
            "event": "message.received",
            "contact": {"_id": "64f0c0ffee"},
            "message": "by the lead's contact id",
        },
    )
    event(
        store,
        "autoreach",
        '{"event":"Lead Created","timestamp":"2026-03-25T18:32:00Z","data":{"name":"Jane","note":"\\u002b1416555\\u0030123"}}',
    )
    event(store, "supersend", '["not an event", "416-555-0123"]')
    event(
        store,
        "varda",
        {
            "event": "message.created",
            "timestamp": "2026-03-25T18:33:00Z",
            "data": {
                "contact": {"id": "v2", "phone": JOHN, "name": "John Roe"},
                "content": "Ask Jane Doe, 416 555 0123 or jane.doe@example.com",
            },
        },
    )
    made(store, {"email": MAIL}, {})
    deliveries_saved.keep(store, "crm", "x", {"crm_id": f"contact of {MAIL}"})
    actions.suppress(store, [JANE], actor="eve", reason="called, (416) 555-0123")  # fmt: skip


def everything(store: Store, *, but: tuple[str, ...] = ()) -> str:
    """All rows of all tables."""
    with store.read() as connection:
        rows = [
            [bytes(value) if isinstance(value, memoryview) else value for value in row]
            for table in metadata.sorted_tables
            if table.name not in but
            for row in connection.execute(sa.select(table))
        ]
    return str(rows)


def left(text: str) -> list[str]:
    return [needle for needle in NEEDLES if needle.lower() in text.lower()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "who", [{"phone": JANE}, {"email": " jane.DOE@example.com"}], ids=["number", "e-mail"]
)
def test_nothing_of_a_forgotten_person_is_left_in_any_table(store: Store, who: dict[str, str]) -> None:
    """By number or by address: leads, events, bodies, deliveries and their answers, audit; John's stay, without her."""
    fill(store)
    done = actions.forget(store, actor="me", **who)  # type: ignore[arg-type]
    assert (done["leads"], done["events"], done["deliveries"]) == (2, 8, 8)
    assert left(everything(store, but=("suppressions",))) == []
    with store.read() as connection:
        entries = connection.execute(sa.select(suppressions.suppressions_write.suppressions)).mappings().all()
        (theirs,) = connection.execute(sa.select(inbox_events.c.body)).scalars()
        (his,) = connection.execute(sa.select(leads.c.payload)).scalars()
        answers = list(connection.execute(sa.select(delivery_attempts.c.answer)).scalars())
    assert [left(f"{row['reason']} {row['source']}") for row in entries] == [[] for _ in entries]
    assert {row["phone"] for row in entries} == {JANE} | (
        {"email:" + hash_email(MAIL)} if "email" in who else set()
    )
    assert json.loads(theirs)["data"] == {
        "contact": {"id": "v2", "phone": JOHN, "name": "John Roe"}, "content": "Ask •••, ••• or •••"
    }  # fmt: skip
    assert json.loads(his) == {"phoneNumber": JOHN, "referredBy": "•••"}
    assert [json.loads(answer)["data"]["contact"]["name"] for answer in answers] == ["John Roe"]
    again = actions.forget(store, actor="me", **who)  # type: ignore[arg-type]
    assert set(again.values()) == {0}, "the second time there is nothing to do"


@pytest.mark.slow
def test_no_byte_of_a_forgotten_person_is_left_in_the_files(sqlite_store: Store) -> None:
    """Not in the database, its log or its index of the log, nor in pages that were free before."""
    fill(sqlite_store)
    suppressions.remove(sqlite_store, [JANE], actor="eve")
    for number in range(40):  # a page that gets free, and is not used again
        lead(sqlite_store, f"+1416555{2000 + number}", state="rejected", detail=f"{MAIL} {JANE} " * 40)
    actions.purge(sqlite_store, sqlite_store.now() + timedelta(days=1), actor="eve")
    with sqlite_store.write() as connection:
        connection.execute(leads.delete().where(leads.c.state == "rejected"))
    actions.forget(sqlite_store, phone=JANE, actor="me", suppress=False)
    path = Path(str(sqlite_store.url.database))
    files = [path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))]
    for each in files:
        assert not each.exists() or left(each.read_bytes().decode("latin-1")) == []


@pytest.mark.slow
def test_files_that_cannot_be_cleaned_now_are_said_and_cleaned_the_next_time(
    sqlite_url: str, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads the log for ever: what was removed is removed, and the command may be run again."""
    fill(sqlite_store)
    monkeypatch.setattr(engine, "_BUSY_TIMEOUT_MS", 20)
    impatient = Store(sqlite_url)
    with sqlite_store.read() as reader:
        reader.execute(sa.select(leads.c.id)).first()
        with pytest.raises(StoreError, match=r"everything was removed, but .* run the command again"):
            actions.forget(impatient, phone=JANE, actor="me")
    assert left(everything(sqlite_store, but=("suppressions",))) == []
    assert audit.entries(sqlite_store).rows[0].note.startswith("0 do-not-contact, 2 leads")
    actions.forget(impatient, phone=JANE, actor="me")
    impatient.close()
    path = Path(str(sqlite_store.url.database))
    assert "jane.doe" not in path.read_bytes().decode("latin-1").lower()


@pytest.mark.slow
def test_the_row_of_the_audit_names_nobody(store: Store) -> None:
    """Who forgot, when, how much and where; not even a masked number."""
    lead(store, JANE)
    actions.forget(store, phone=JANE, actor="eve")
    (row,) = audit.entries(store).rows
    assert (row.actor, row.action, row.subject) == ("eve", "forget", "a person, by number")


@pytest.mark.slow
def test_an_opt_out_outlives_forgetting(store: Store) -> None:
    """``allow again`` puts nobody on the list, and takes nobody off it: they had said no."""
    actions.suppress(store, [JANE], actor="eve", reason="unsubscribed")
    lead(store, JANE)
    actions.forget(store, phone=JANE, actor="me", suppress=False)
    assert [(row.phone, row.reason) for row in suppressions.entries(store).rows] == [(JANE, "unsubscribed")]


@pytest.mark.slow
def test_an_opt_out_by_address_alone_outlives_forgetting_by_number(store: Store) -> None:
    """The number that came with the address stays stopped, though nothing says any more that they belong together."""
    lead(store, JANE, email_hash=hash_email(MAIL))
    event(store, "supersend", {"type": "unsubscribe", "contact": {"email": MAIL}})
    actions.forget(store, phone=JANE, actor="me", suppress=False)
    listed = {row.phone: row.reason for row in suppressions.entries(store).rows}
    assert listed == {JANE: "unsubscribed", "email:" + hash_email(MAIL): "unsubscribed"}


@pytest.mark.slow
def test_a_person_without_a_number_stays_on_the_list_by_the_hash_of_their_address(store: Store) -> None:
    """Or the next list that holds the address would have them texted."""
    event(store, "supersend", {"type": "open", "contact": {"email": MAIL}})
    assert actions.forget(store, email=MAIL, actor="me")["do-not-contact"] == 1
    assert [row.phone for row in suppressions.entries(store).rows] == ["email:" + hash_email(MAIL)]


@pytest.mark.slow
@pytest.mark.parametrize("address", ["info@acme.example", "front@acme.example"])
def test_what_several_people_share_leads_to_none_of_them(store: Store, address: str) -> None:
    """An office's address, or one of more than three lines, is said and not followed, unless it is asked for."""
    phones = [JANE, *(f"+1416555020{n}" for n in range(5))]
    for number, phone in enumerate(phones):
        event(
            store,
            "supersend",
            {"type": "open", "contact": {"id": str(number), "phone": phone, "email": address}},
        )
    found = people.find(store, [JANE], [])
    assert (len(found.events), found.person.shared, found.person.numbers) == (1, {address}, {JANE})
    assert any(row["count"] == 1 and "not followed" in row["what"] for row in people.summary(found))
    assert actions.forget(store, phone=JANE, actor="me")["events"] == 1
    assert len(people.find(store, [], [address]).events) == 5


@pytest.mark.slow
def test_a_person_is_shown_in_counts_and_masked(store: Store) -> None:
    """What there is, by kind; no whole number, address or word of theirs."""
    fill(store)
    found = people.find(store, [JANE], [])
    rows = {row["what"]: row for row in people.summary(found)}
    counts = {name: row["count"] for name, row in rows.items() if row["count"]}
    assert counts == {
        "numbers and addresses": 2, "ids at platforms": 4, "leads": 2, "attempts": 2, "events, with their bodies": 8,
        "deliveries": 8, "attempts of deliveries": 7, "saved of endpoints' answers": 1, "entries of the do-not-contact list": 1, "audit rows": 1,
        "texts of others that name them": 4,
    }  # fmt: skip
    assert rows["numbers and addresses"]["of which"] == "+1416•••0123, j•••@example.com"
    assert [each for each in left(str(rows)) if each != "j•••@"] == []


@pytest.mark.slow
def test_an_export_is_whole_json_and_audited(store: Store) -> None:
    """Leads with attempts, events with bodies, deliveries with answers, the list, the audit; of others a few words."""
    fill(store)
    found = people.find(store, [], [MAIL])
    document = json.loads(json.dumps(people.export(store, found, actor="eve")))
    assert document["person"]["numbers"] == [JANE]
    assert document["person"]["emails"] == [MAIL.lower()]
    assert [len(each["attempts"]) for each in document["leads"]] == [1, 1]
    assert document["leads"][1]["payload"] == {"phoneNumber": JANE, "email": MAIL}
    assert "no region, no number" in [
        each["body"].get("message") for each in document["events"] if isinstance(each["body"], dict)
    ]
    assert [len(each["attempts"]) for each in document["deliveries"]] == [1] * 7 + [0]
    assert [each["value"] for each in document["saved_answers"]] == [f"contact of {MAIL}"]
    assert document["do_not_contact"][0]["phone"] == JANE
    assert document["audit"][0]["action"] == "suppress"
    assert {each["table"] for each in document["named_in"]} == {
        "leads",
        "inbox_events",
        "delivery_attempts",
        "suppressions",
    }
    assert JOHN not in json.dumps(document)
    row = audit.entries(store).rows[0]
    assert (row.actor, row.action, row.note) == ("eve", "export person", "done")
    assert row.count == 2 + 8 + 8 + 1 + 1 + 1 + 4
    assert JANE not in row.subject


@pytest.mark.slow
def test_an_event_made_by_a_dag_that_names_others_too_stays_without_the_person(store: Store) -> None:
    """A list in one body is everybody's."""
    listed = [{"name": "Jane Doe", "phone": "(416) 555-0123"}, {"name": "John", "phone": JOHN}]
    made(store, {}, listed)
    assert actions.forget(store, phone=JANE, actor="me") == {
        "do-not-contact": 1, "leads": 0, "deliveries": 0, "events": 0, "texts of others, blanked": 1
    }  # fmt: skip
    with store.read() as connection:
        (payload,) = connection.execute(sa.select(deliveries.c.payload)).scalars()
    assert json.loads(payload)["data"] == [{"name": "•••", "phone": "•••"}, {"name": "John", "phone": JOHN}]


ABOUT_BOB = {"event": "contact.updated", "data": {"id": "7", "email": "bob@example.com", "note": f"call Ann, {JANE} \N{GRINNING FACE}"}}  # fmt: skip
HALF = json.dumps(ABOUT_BOB).replace("\\ude00", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [HALF, "\n" + json.dumps(ABOUT_BOB), "\ufeff" + json.dumps(ABOUT_BOB), json.dumps({**ABOUT_BOB, "raw": HALF})],
    ids=["half an emoji", "a line break", "a mark", "within a text"],
)  # fmt: skip
def test_an_event_about_another_stays_json_however_it_is_written(store: Store, body: str) -> None:
    """It is exported and forgotten like any: Bob's event stays, without her, and can be read and stored."""
    source = SOURCES["varda"]
    inbox_append.append(store, [read_event(source, body.encode(), {}, received_at=store.now())])
    document = people.export(store, people.find(store, [JANE], []), actor="eve")
    assert json.dumps(document, ensure_ascii=False).encode()
    assert actions.forget(store, phone=JANE, actor="me") == {
        "do-not-contact": 1, "leads": 0, "deliveries": 0, "events": 0, "texts of others, blanked": 1, "audit rows, blanked": 1,
    }  # fmt: skip
    with store.read() as connection:
        (kept,) = connection.execute(sa.select(inbox_events.c.body)).scalars()
    assert json.loads(bytes(kept))["data"]["email"] == "bob@example.com"
    assert b"4165550123" not in bytes(kept)


def test_a_persons_own_event_with_half_an_emoji_is_exported(store: Store) -> None:
    """Everything of theirs, as what can be written."""
    body = json.dumps({"event": "contact.updated", "data": {"phone": JANE, "note": "hi \N{GRINNING FACE}"}})
    body = body.replace("\\ude00", "")
    inbox_append.append(store, [read_event(SOURCES["varda"], body.encode(), {}, received_at=store.now())])
    document = people.export(store, people.find(store, [JANE], []), actor="eve")
    (event,) = document["events"]
    assert json.dumps(event, ensure_ascii=False).encode().decode().count("hi \ufffd") == 1
