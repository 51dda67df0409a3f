"""Nothing is done by hand without its audit row."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.store import audit, suppressions
from airflow_outreach_provider.store.deliveries.endpoints import Release
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox.lists import EventFilter
from airflow_outreach_provider.store.ledger.lists import LeadFilter
from airflow_outreach_provider.store.ledger.tables import leads

JANE, MAIL = "+14165550101", "jane.doe@example.com"


@pytest.fixture
def store(sqlite_url: str, migrated_sqlite: Path, clock: Any) -> Iterator[Store]:
    shutil.copy(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
    store = Store(sqlite_url, clock=clock)
    consumers.read_new(store, "crm")
    with store.write() as connection:
        connection.execute(
            leads.insert().values(
                campaign="spring", phone=JANE, state="held", created_at=clock.time, updated_at=clock.time, sent_at=clock.time
            )
        )  # fmt: skip
    yield store
    store.close()


AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
EVENT = ContactEvent(
    "evt_1", "varda", "varda", "call.ended", EventKind.CALL_ENDED, AT, AT, Contact(phone=JANE)
)


@asynccontextmanager
async def nobody() -> Any:
    yield None


CASES: dict[str, Callable[[Store], object]] = {
    "cancel_resend": lambda store: actions.cancel_resend(store, 1, actor="eve"),
    "disable_endpoint": lambda store: actions.disable_endpoint(store, "crm", reason="", actor="eve"),
    "disable_source": lambda store: actions.disable_source(store, "varda", reason="", actor="eve"),
    "enable_endpoint": lambda store: actions.enable_endpoint(store, "crm", Release.ALL, actor="eve"),
    "enable_source": lambda store: actions.enable_source(store, "varda", actor="eve"),
    "forget": lambda store: actions.forget(store, phone=JANE, email=MAIL, actor="eve"),
    "note": lambda store: actions.note(store, "reveal lead", "lead 1", actor="eve"),
    "note_export": lambda store: actions.note_export(store, "export", "all", actor="eve")(3),
    "purge": lambda store: actions.purge(store, store.now() + timedelta(days=1), actor="eve"),
    "reconcile": lambda store: actions.reconcile(
        store, nobody(), conn_id="other", delay=timedelta(), actor="eve"
    ),
    "redeliver": lambda store: actions.redeliver(store, DeliveryFilter(route="crm"), actor="eve", expected=0),
    "remove_consumer": lambda store: actions.remove_consumer(
        store, actions.consumer(store, "crm"), actor="eve"
    ),
    "reparse": lambda store: actions.reparse(store, lambda name: None, actor="eve"),
    "replay": lambda store: actions.replay(
        store, "crm", EventFilter(source="varda"), actor="eve", expected=0
    ),
    "resolve": lambda store: actions.resolve(store, LeadFilter(), LeadState.ACCEPTED, actor="eve"),
    "send_to_route": lambda store: actions.send_to_route(store, EVENT, "r", actor="eve"),
    "start_trial": lambda store: actions.start_trial(store, "dag", 5, lambda: "a run", actor="eve"),
    "suppress": lambda store: actions.suppress(store, [JANE], actor="eve"),
    "unsuppress": lambda store: actions.unsuppress(store, [JANE], actor="eve"),
}


def test_every_action_is_tried_here() -> None:
    """Whatever says who did it is an action."""
    found = inspect.getmembers(actions, inspect.isfunction)
    acting = {
        name
        for name, function in found
        if function.__module__ == actions.__name__
        and not name.startswith("_")
        and "actor" in inspect.signature(function).parameters
    }
    assert acting == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_an_action_leaves_one_audit_row(store: Store, name: str) -> None:
    """One row, that says who did what, and whole numbers and addresses nowhere."""
    CASES[name](store)
    (row,) = audit.entries(store).rows
    assert row.actor == "eve"
    assert row.action.split()[0] == {"note": "reveal", "note_export": "export", "start_trial": "try"}.get(
        name, name.split("_")[0]
    )
    assert JANE not in f"{row.subject} {row.note}"
    assert MAIL not in f"{row.subject} {row.note}"
    assert row.note != "begun"


def test_what_was_forgotten_is_counted_by_where(store: Store) -> None:
    """The row of a person who was forgotten says how much was removed, not who it was."""
    done = actions.forget(store, phone=JANE, actor="eve")
    (row,) = audit.entries(store).rows
    assert (row.count, row.note) == (1, "1 do-not-contact, 1 leads, 0 deliveries, 0 events")
    assert done == {"do-not-contact": 1, "leads": 1, "deliveries": 0, "events": 0}
    assert [entry.source for entry in suppressions.entries(store).rows] == ["eve"]


def test_a_purge_is_counted_by_where(store: Store, clock: Any) -> None:
    """Its row says what was removed from where, and outlasts the purge itself; the audit has an age of its own."""
    clock.advance(days=-800)  # the database knows what time it is
    actions.suppress(store, [JANE], actor="bob")
    clock.advance(days=audit.KEPT.days - 1)
    assert actions.purge(store, clock.time, actor="ann")["audit removed"] == 0
    clock.advance(days=2)
    done = actions.purge(store, clock.time + timedelta(days=1), actor="eve")
    rows = audit.entries(store).rows
    assert [row.actor for row in rows] == ["eve", "ann"]
    row = rows[0]
    assert done["audit removed"] == row.count == 1
    assert (row.action, row.actor) == ("purge", "eve")
    assert "0 leads removed, " in row.note
    assert "1 audit removed" in row.note


def test_an_action_that_fails_says_so(store: Store) -> None:
    """What was begun and failed is written down as failed, and nothing counted."""

    def broken(name: str) -> None:
        raise RuntimeError(name)

    from airflow_outreach_provider.store.inbox import housekeeping

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(housekeeping, "reparse", lambda store, read_again: broken("reparse"))
        with pytest.raises(RuntimeError):
            actions.reparse(store, lambda name: None, actor="eve")
    (row,) = audit.entries(store).rows
    assert (row.count, row.note) == (0, "failed: RuntimeError")
