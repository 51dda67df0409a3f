"""Every command that changes something, or gives out whole numbers, leaves its audit row; the others leave none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store import audit, suppressions
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.ledger.tables import leads

JANE, JOHN = "+14165550101", "+14165550102"
# Each command as it is typed, and what the audit says then; None where it only looks, or acts outside of the store.
COMMANDS: dict[str, tuple[str, str | None]] = {
    "leads list": ("", None),
    "leads resolve": ("--as accepted --yes", "resolve as accepted"),
    "leads reconcile": ("--conn-id outreach_default", "reconcile"),
    "leads import-suppressions": ("FILE --yes", "suppress"),
    "leads forget": (f"{JANE} --yes", "forget"),
    "person show": (JANE, None),
    "person export": (JANE, "export person"),
    "person forget": (f"{JANE} --yes", "forget"),
    "suppressions list": ("", None),
    "suppressions add": (f"{JANE} --yes", "suppress"),
    "suppressions remove": (f"{JOHN} --yes", "unsuppress"),
    "suppressions import": ("FILE --yes", "suppress"),
    "events list": ("", None),
    "events replay": ("crm --source varda --yes", "replay"),
    "events consumers": ("", None),
    "events remove-consumer": ("crm --yes", "remove consumer"),
    "events reparse": ("", "reparse"),
    "events send-test": ("varda --kind replied", "test source"),
    "deliveries list": ("", None),
    "deliveries attempts": ("1", None),
    "deliveries redeliver": ("--route crm --yes", "redeliver"),
    "deliveries endpoints": ("", None),
    "deliveries enable": ("crm --release all", "enable endpoint"),
    "deliveries disable": ("crm", "disable endpoint"),
    "deliveries test": ("crm", "test endpoint"),
    "sources": ("", None),
    "sources --off": ("--off varda", "disable source"),
    "sources --on": ("--on varda", "enable source"),
    "db upgrade": ("", None),
    "db check": ("", None),
    "purge": ("--older-than 30 --yes", "purge"),
}
# Nothing of the store: files, and servers that run until they are stopped.
OUTSIDE = {
    "init",
    "new lead-sync",
    "new event-route",
    "lint",
    "schema",
    "plan",
    "explain",
    "receive",
    "simulate",
    "doctor",
}


@pytest.fixture
def store(tasks_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    with tasks_store.write() as connection:
        for phone in (JANE, JOHN):
            row = {"campaign": "spring", "phone": phone, "state": "held", "payload": "{}"}
            connection.execute(leads.insert().values(**row, created_at=at, updated_at=at, sent_at=at))
    made = ContactEvent(
        "evt_1", "varda", "varda", "call.ended", EventKind.CALL_ENDED, at, at, Contact(phone=JANE)
    )
    inbox_append.append(tasks_store, [Incoming(made, made.to_json(), "[]")])
    deliveries_fan_out.fan_out(tasks_store, "crm", consumers.read_new(tasks_store, "crm"), ["crm"])
    suppressions.suppress(tasks_store, [JOHN], reason="unsubscribed", source="event")
    page = json.dumps({"data": [], "contacts": [], "pagination": {"hasMore": False}}).encode()
    with scripted(lambda _method, _path, _headers, _body: (200, page, {})) as url:
        local = {"signature": "github", "allow_networks": ["127.0.0.0/8"]}
        for name, kind, extra in (
            ("crm", "outreach_endpoint", local), ("varda", "outreach_source", {"platform": "varda"}),
            ("outreach_default", "outreach", {"contacts_email": "us@example.com", "contacts_password": "x" * 12, "allow_http": True}),
        ):  # fmt: skip
            connection = {"conn_type": kind, "host": url, "password": "a-secret-of-length", "extra": extra}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        yield tasks_store


def test_every_command_is_tried_here() -> None:
    """Every command there is."""
    from airflow_outreach_provider.cli import get_commands

    def names(commands: Any, before: str = "") -> Iterator[str]:
        for each in commands:
            name = f"{before}{each.name}"
            yield from names(each.subcommands, f"{name} ") if hasattr(each, "subcommands") else [name]

    known = set(names(get_commands()[0].subcommands))
    assert known == {each for each in COMMANDS if "--" not in each} | OUTSIDE


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_its_row(
    store: Store, airflow_db: None, run: Callable[..., str], tmp_path: Path, command: str
) -> None:
    """One row that names whoever typed it, and has ended; what only looks leaves none."""
    file = tmp_path / "stop.csv"
    file.write_text(f"phone\n{JANE}\n")
    words, action = COMMANDS[command]
    name = [word for word in command.split() if not word.startswith("-")]
    run(*name, *words.replace("FILE", str(file)).split())
    rows = audit.entries(store).rows
    assert [row.action for row in rows] == ([action] if action else [])
    assert all(row.actor.startswith("cli:") and row.note != "begun" for row in rows)
