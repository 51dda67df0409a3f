"""Audit rows are added and never changed, on both databases, by whatever statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store

JANE = "+14165550101"
CHANGES = {
    "actor": "UPDATE audit SET actor = 'somebody else'",
    "action": "UPDATE audit SET action = 'look'",
    "time": "UPDATE audit SET at = at - 1",
    "count": "UPDATE audit SET count = 0",
    "id": "UPDATE audit SET id = id + 1000",
    "what came of it": "UPDATE audit SET settles = NULL WHERE settles IS NOT NULL",
    "subject": "UPDATE audit SET subject = ''",
    "note": "UPDATE audit SET note = ''",
    "upsert": "INSERT INTO audit (id, at, actor, action) SELECT id, at, 'x', 'x' FROM audit WHERE true "
    "ON CONFLICT (id) DO UPDATE SET actor = 'somebody else'",
    "removal": "DELETE FROM audit",
    "removal of one": "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
}
OF_ONE = {
    "sqlite": ("INSERT OR REPLACE INTO audit (id, at, actor, action) SELECT id, at, 'x', 'x' FROM audit",
               "REPLACE INTO audit (at, actor, action, settles) SELECT at, 'x', 'x', settles FROM audit WHERE settles IS NOT NULL"),
    "postgresql": ("TRUNCATE audit", "DELETE FROM ONLY audit"),
}  # fmt: skip


def change(store: Store, statement: str) -> None:
    with store.write() as connection:
        connection.execute(sa.text(statement))


def rows(store: Store) -> list[tuple[object, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(audit.audit).order_by(audit.audit.c.id))]


@pytest.fixture
def written(store: Store) -> Store:
    """A store in which two people did something."""
    actions.suppress(store, [JANE], actor="ann")
    actions.disable_endpoint(store, "crm", reason="", actor="eve")
    return store


@pytest.mark.parametrize("what", CHANGES)
def test_no_row_is_changed_or_removed(written: Store, what: str) -> None:
    """Whatever of a row is to be changed, and however it is to be removed: the database refuses it."""
    before = rows(written)
    assert len(before) == 3, "what came of an action is a row of its own"
    with pytest.raises(StoreError, match="audit rows are only added"):
        change(written, CHANGES[what])
    assert rows(written) == before


def test_no_row_is_replaced_or_emptied(written: Store) -> None:
    """The ways that only one of the databases has."""
    before = rows(written)
    for statement in OF_ONE[written.dialect]:
        with pytest.raises(StoreError, match="audit rows are only added"):
            change(written, statement)
    assert rows(written) == before


def test_what_came_of_an_action_is_said_once(written: Store) -> None:
    """A second end of the same action is refused: the first one stays."""
    (first,) = (row.id for row in audit.entries(written).rows if row.action == "disable endpoint")
    with pytest.raises(StoreError):
        audit.settle(written, first, count=0, note="nothing")
    assert audit.entries(written).rows[0].note == "done"


def test_an_action_is_one_row_of_a_list(written: Store) -> None:
    """With what came of it in the place of what was expected; page by page too."""
    assert [(row.action, row.count, row.note) for row in audit.entries(written).rows] == [
        ("disable endpoint", 1, "done"),
        ("suppress", 1, "manual"),
    ]
    first = audit.entries(written, limit=1)
    assert [row.actor for row in first.rows] == ["eve"]
    assert [row.actor for row in audit.entries(written, cursor=first.next).rows] == ["ann"]


def test_only_what_is_old_is_purged(written: Store) -> None:
    """However young the age a purge asks for; a day more than the audit's own age, and a row goes with its end."""
    now = written.now()
    for days in (audit.KEPT.days - 1, audit.KEPT.days + 1):
        with written.write() as connection:
            at = now - timedelta(days=days)
            begun = audit.record_with(connection, at, "bob", "replay", note="begun")
            connection.execute(
                audit.audit.insert().values(at=at, actor="bob", action="replay", settles=begun)
            )
    assert actions.purge(written, now, actor="eve")["audit removed"] == 1
    assert [row.action for row in audit.entries(written).rows] == [
        "purge",
        "replay",
        "disable endpoint",
        "suppress",
    ]
    assert len(rows(written)) == 3 + 2 + 2


@pytest.mark.parametrize("of_whom", ["actor", "action", "at", "count"])
def test_forgetting_somebody_opens_their_words_alone(written: Store, of_whom: str) -> None:
    """While a person is forgotten they can be taken out of the words of a row, and nobody's doings are changed."""
    begun = audit.record(written, "eve", "forget", count=0, note="begun")
    change(written, "UPDATE audit SET subject = '•••' WHERE action = 'suppress'")
    with pytest.raises(StoreError, match="audit rows are only added"):
        change(written, f"UPDATE audit SET {of_whom} = {'0' if of_whom in ('at', 'count') else chr(39) * 2}")
    audit.settle(written, begun, count=1, note="done")
    with pytest.raises(StoreError, match="audit rows are only added"):
        change(written, "UPDATE audit SET subject = ''")


@pytest.mark.slow
def test_a_person_is_forgotten_in_the_audit(written: Store) -> None:
    """Forgetting takes the masked number out of what was done by hand; who did it stays."""
    actions.forget(written, phone=JANE, actor="eve")
    (row,) = (row for row in audit.entries(written).rows if row.action == "suppress")
    assert "0101" not in row.subject
    assert row.actor == "ann"
