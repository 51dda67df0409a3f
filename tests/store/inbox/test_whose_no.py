"""Whose no it is: what an id tells before and after, and which line's START takes back which STOP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.store import suppressions, suppressions_write
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import append

T0 = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
N, OTHER, THIRD = "+14165550123", "+14165550199", "+14165550177"
MAIL = "fam@example.com"
HASH = suppressions.EMAIL + hash_email(MAIL)
MINUTES = count(1)
"""No two events of a test are said at the same time."""


def event(kind: str, *, source: str = "src", id: str | None = None, **who: Any) -> Incoming:
    """STOP, START, hello, unsubscribe or open, as Varda or SuperSend would say it; a time later than any before."""
    at = T0 + timedelta(minutes=next(MINUTES))
    contact = {"id": id, **who} if id else who
    if kind in {"STOP", "START", "hello"}:
        data = {"direction": "inbound", "content": kind, "contact": contact}
        body: dict[str, Any] = {"event": "message.created", "timestamp": at.isoformat(), "data": data}
        settings = SourceSettings(source, "varda")
    else:
        body = {"event": kind, "timestamp": at.isoformat(), "details": {"contact": contact}}
        settings = SourceSettings(source, "supersend")
    return read_event(settings, json.dumps(body).encode(), {}, received_at=at)


def listed(store: Store) -> set[str]:
    return {row.phone for row in suppressions.every_entry(store)}


def said(store: Store, *events: Incoming) -> set[str]:
    """One after another; who is listed then."""
    for each in events:
        append(store, [each])
    return listed(store)


@pytest.mark.parametrize(
    "who",
    [{"id": "7"}, {"id": "7", "email": MAIL}, {"id": "7", "email": "else@example.com"}, {"id": "7", "phone": "call me"},
     {"id": "7", "phone": "12", "email": MAIL}, {"id": "7", "phone": OTHER}],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["unsubscribe", "STOP"])
def test_an_id_tells_the_number_whatever_else_is_said(store: Store, kind: str, who: dict[str, str]) -> None:
    """Alone, beside an address, beside a number that nobody can read, or beside another one of theirs."""
    assert N in said(store, event("open", id="7", phone=N), event(kind, **who))


@pytest.mark.parametrize("kind", ["unsubscribe", "STOP"])
@pytest.mark.parametrize(
    "between", [[], [("open", {"id": "7", "email": MAIL})], [("hello", {"id": "8", "phone": OTHER})]]
)
def test_a_no_by_id_holds_for_the_number_that_is_told_later(
    store: Store, kind: str, between: list[tuple[str, dict[str, str]]]
) -> None:
    """By any event of the source about that id, with an address before it or not; and for no other id."""
    said(store, event(kind, id="7"), *[event(name, **who) for name, who in between])
    assert said(store, event("open", id="7", phone=N)) == {N} | (
        {HASH} if between and between[0][0] == "open" else set()
    )
    assert said(store, event("open", id="7", phone=OTHER)) >= {N, OTHER}
    assert THIRD not in said(
        store, event("open", id="9", phone=THIRD), event("open", source="b", id="7", phone=THIRD)
    )


def test_what_is_not_known_yet_is_no_entry_that_people_see(store: Store) -> None:
    """Neither the id that waits for a number, nor the id beside it."""
    assert said(store, event("unsubscribe", id="7")) == set()
    said(store, event("open", id="7", phone=N))
    assert [row.phone for row in suppressions.entries(store, phone=N).rows] == [N]
    assert suppressions.remove(store, [N], actor="me") == 1


@pytest.mark.parametrize("told", [{"phone": N}, {"email": MAIL}, {"phone": N, "email": MAIL}])
def test_what_a_person_took_off_is_not_put_back_by_what_is_told_again(
    store: Store, told: dict[str, str]
) -> None:
    """Events about the id go on coming; a no that is said anew counts again."""
    said(store, event("unsubscribe", id="7"), event("open", id="7", **told))
    suppressions.remove(store, sorted(listed(store)), actor="me")
    assert said(store, event("click", id="7", **told), event("hello", id="7", **told)) == set()
    assert said(store, event("unsubscribe", id="7")) != set()


@pytest.mark.parametrize("start", [{"id": "7"}, {"id": "7", "phone": N}, {"id": "7", "email": MAIL}])
@pytest.mark.parametrize("known", [[], [("open", {"id": "7", "phone": N})]])
def test_a_stop_by_id_that_start_took_back_does_not_come_back(
    store: Store, known: list[tuple[str, dict[str, str]]], start: dict[str, str]
) -> None:
    """Before a number was known, and after; a platform's unsubscribe, which START does not lift, does."""
    said(store, event("STOP", id="7"), *[event(name, **who) for name, who in known])
    assert said(store, event("START", **start), event("open", id="7", phone=N)) == set()
    said(store, event("unsubscribe", id="8"), event("START", id="8"))
    assert said(store, event("open", id="8", phone=OTHER)) == {OTHER}


def of_before(store: Store, id: str) -> None:
    """An opt-out by an id, as versions wrote it that kept an address as it is."""
    with store.write() as connection:
        values = {"phone": f"contact:src:{id}", "reason": "unsubscribed", "added_at": T0, "spread": True}
        made = (
            suppressions_write.suppressions.insert()
            .values(values)
            .returning(suppressions_write.suppressions.c.id)
        )
        row = connection.execute(made).scalar_one()
        connection.execute(sa.text("UPDATE suppressions SET row_of = id WHERE id = :id"), {"id": row})


def kept(store: Store) -> str:
    with store.read() as connection:
        return str(connection.execute(sa.text("SELECT phone FROM suppressions")).scalars().all()).lower()


@pytest.mark.parametrize("id", [MAIL, "Fam@Example.com", "fam%40example.com", "user:fam@example.com"])
def test_an_id_that_is_an_address_is_remembered_by_its_hash(store: Store, id: str) -> None:
    """As every address is; what is told for it later counts, whether it was written so or by a version before."""
    said(store, event("unsubscribe", id=id))
    assert "fam" not in kept(store)
    assert N in said(store, event("open", id=id, phone=N))
    suppressions.remove(store, sorted(listed(store)), actor="me")
    of_before(store, id)
    assert said(store, event("open", id=id, phone=OTHER)) >= {OTHER}


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_forgetting_leaves_no_address_as_an_id(store: Store, before: bool) -> None:
    """The no under it holds all the same, once a number is told for it."""
    said(store, event("STOP", id=MAIL))
    if before:
        of_before(store, MAIL)
    of_before(store, "fam2@example.com")
    actions.forget(store, email=MAIL, actor="me")
    assert "fam@" not in kept(store)
    assert "fam2@" in kept(store), "somebody else's"
    assert said(store, event("open", id=MAIL, phone=N)) == {N, HASH}


@given(order=st.permutations(range(4)), cuts=st.sets(st.integers(1, 3)))
@settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_in_whatever_order_and_groups_they_come(
    sqlite_store: Store, order: Sequence[int], cuts: set[int]
) -> None:
    """An opt-out by id, and what tells a number, an address and another number for the id: all of them are listed."""
    number = next(MINUTES)
    first, second, mail = f"+1416555{number:04}", f"+1647555{number:04}", f"{number}@example.com"
    told = {"phone": first}, {"email": mail}, {"phone": second}
    events = [
        event("unsubscribe", id=f"c{number}"),
        *(event("open", id=f"c{number}", **each) for each in told),
    ]
    sorted_ = [events[place] for place in order]
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 4], strict=True):
        append(sqlite_store, sorted_[start:end])
    assert {first, second, suppressions.EMAIL + hash_email(mail)} <= listed(sqlite_store)


FAMILY = [
    ("another line with the same address", [{"phone": N, "email": MAIL}], {"phone": OTHER, "email": MAIL}, {N, HASH}),
    ("the same line with it", [{"phone": N, "email": MAIL}], {"phone": N, "email": MAIL}, set()),
    ("the same line without it", [{"phone": N, "email": MAIL}], {"phone": N}, set()),
    ("the address alone", [{"phone": N, "email": MAIL}], {"email": MAIL}, {N}),
    ("an address that no line had set", [{"email": MAIL}], {"phone": N, "email": MAIL}, set()),
    ("the address set again from another line", [{"phone": N, "email": MAIL}, {"phone": OTHER, "email": MAIL}],
     {"phone": N, "email": MAIL}, {OTHER, HASH}),
    ("each line its own", [{"phone": N}, {"phone": OTHER}], {"phone": OTHER}, {N}),
    ("one contact's other number", [{"id": "7", "phone": N}], {"id": "7", "phone": OTHER}, {N}),
    ("said again without the address", [{"phone": N, "email": MAIL}, {"phone": N}], {"phone": N}, set()),
    ("the id alone, of a known number", [{"id": "7", "phone": N}], {"id": "7"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stops", "start", "stays"), [each[1:] for each in FAMILY], ids=[each[0] for each in FAMILY]
)
def test_start_takes_back_the_stops_of_its_own_line(
    store: Store, stops: list[dict[str, str]], start: dict[str, str], stays: set[str]
) -> None:
    """Whoever shares an address with somebody who said STOP speaks for themselves."""
    assert said(store, *[event("STOP", **each) for each in stops], event("START", **start)) == stays


def test_an_id_of_many_numbers_is_no_persons(store: Store) -> None:
    """A STOP with a number under an id that a platform gives everybody stops that number alone."""
    said(store, *[event("open", id="all", phone=f"+141655502{place:02}") for place in range(11)])
    assert said(store, event("STOP", id="all", phone=N)) == {N}
    assert said(store, event("open", id="all", phone=OTHER)) == {N}
