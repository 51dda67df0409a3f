"""Deliveries written down and settled, many in one statement, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import opened

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries import attempts, endpoints, rests
from airflow_outreach_provider.store.deliveries.attempts import Attempt, NewDelivery
from airflow_outreach_provider.store.deliveries.claims import claim
from airflow_outreach_provider.store.deliveries.plans import untried_wait
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store

LEASE, OWNER, ROUTE = timedelta(minutes=5), Owner("dag", "task"), "crm"
LYING = timedelta(minutes=14)
AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
# What PostgreSQL can keep in a text.
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
NEW = st.builds(NewDelivery, TEXT, st.just(ROUTE), TEXT, TEXT, TEXT, TEXT, st.none() | TEXT)


def record(store: Store, *rows: NewDelivery) -> None:
    with store.write() as connection:
        attempts.record(connection, rows, AT)


def new(number: int, lane: str, route: str = ROUTE) -> NewDelivery:
    return NewDelivery(f"evt_{number}", route, lane, "varda", "replied", "replied")


def settle(store: Store, state: DeliveryState, *ids: int, at: datetime = AT) -> None:
    verdict = DeliveryVerdict.DELIVERED if state is DeliveryState.DELIVERED else DeliveryVerdict.RETRY
    attempts.settle(store, [Attempt(each, state, at, verdict) for each in ids], OWNER)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NEW, max_size=8, unique_by=lambda each: each.event_id))
def test_deliveries_are_kept_as_they_were_given_and_in_that_order(
    store: Store, rows: list[NewDelivery]
) -> None:
    """Whatever is in the texts: what was written down first has the smaller id, and stays as it was."""
    with store.write() as connection:
        connection.execute(sa.delete(deliveries))
    record(store, *rows)
    record(store, *(NewDelivery(each.event_id, each.route, "other", "", "", "") for each in rows))
    with store.read() as connection:
        columns = [deliveries.c[name] for name in NewDelivery.__slots__]
        found = connection.execute(sa.select(*columns, deliveries.c.state).order_by(deliveries.c.id)).all()
    assert [NewDelivery(*row[:-1]) for row in found] == rows
    assert {row.state for row in found} <= {DeliveryState.PENDING}


def test_what_is_done_is_in_nobodys_hands(store: Store) -> None:
    """An attempt that leaves nothing to do ends the claim; what is to be tried again stays with its task."""
    states = [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.HELD, DeliveryState.FAILED]
    record(store, *(new(number, f"lane{number}") for number, _ in enumerate(states)))
    ids = [f"evt_{number}" for number, _ in enumerate(states)]
    mine = claim(
        store, route=ROUTE, event_ids=ids, owner=OWNER, plan=None, endpoint="crm", lease=LEASE, revive=False
    ).mine  # fmt: skip
    for each, state in zip(mine, states, strict=True):
        settle(store, state, each.id)
    with store.read() as connection:
        c = deliveries.c
        found = connection.execute(sa.select(c.state, c.claim, c.claim_until).order_by(c.id)).all()
    for row in found:
        assert (row.claim is not None) == (row.claim_until is not None) == (row.state in OPEN_STATES), row


def failing(store: Store, conn_id: str, since: datetime) -> None:
    endpoints.note(
        store, conn_id, at=since, status=500, error="500", failed_in_a_row=3, failing_from=since, succeeded=False
    )  # fmt: skip


def test_an_outage_is_seen_behind_other_endpoints_failures(store: Store) -> None:
    """Contacts are counted by their own endpoint's failures, however many others failed since; and each once."""
    for number in range(40):
        record(store, new(number, f"lane{number // 2}", "crm" if number < 8 else "shop"))
    with store.write() as connection:
        by_route = sa.case((deliveries.c.route == "crm", "crm"), else_="shop")
        connection.execute(deliveries.update().values(endpoint=by_route))
    failing(store, "crm", AT)
    failing(store, "shop", AT)
    settle(store, DeliveryState.FAILED, *range(1, 41))
    assert [rests.failing_contacts(store, "crm", most) for most in (1, 2, 3, 9)] == [1, 2, 3, 4]
    assert rests.failing_contacts(store, "shop", 99) == 16
    assert rests.failing_contacts(store, "unknown", 3) == 0


def test_who_failed_before_the_last_success_is_no_outage(store: Store) -> None:
    """A contact that is refused again and again is not counted; one that begins to fail now is."""
    record(store, new(1, "always"), new(2, "now"))
    with store.write() as connection:
        connection.execute(deliveries.update().values(endpoint="crm"))
    settle(store, DeliveryState.FAILED, 1, at=AT - timedelta(hours=1))
    failing(store, "crm", AT)
    settle(store, DeliveryState.FAILED, 1, 2)
    assert rests.failing_contacts(store, "crm", 9) == 1
    assert rests.own_faults(store, "crm", [1, 2]) == {1}


def test_who_waits_for_an_endpoint_waits_on_its_routes(store: Store) -> None:
    """What never failed and lies behind nothing that did; not what waits for another endpoint."""
    rests.lead_to(store, "crm", "crm")
    rests.lead_to(store, "shop", "shop")
    record(store, new(1, "a"), new(2, "a"), new(3, "b", "shop"))
    assert untried_wait(store, "crm", LYING)
    settle(store, DeliveryState.FAILED, 1)
    assert not untried_wait(store, "crm", LYING)
    assert untried_wait(store, "shop", LYING)
    settle(store, DeliveryState.DELIVERED, 1)
    assert untried_wait(store, "crm", LYING)


@pytest.mark.slow
@pytest.mark.postgres
def test_an_attempt_that_is_written_twice_is_one(postgres_url: str) -> None:
    """A commit that was not acknowledged is repeated: it uses up no second try; a later attempt is one of its own."""
    with opened(postgres_url) as store:
        record(store, new(1, "a"), new(2, "b"))
        for at in (AT, AT + timedelta(seconds=9)):
            for _ in range(2):
                settle(store, DeliveryState.FAILED, 1, at=at)
        for _ in range(2):
            settle(store, DeliveryState.DELIVERED, 2)
        with store.read() as connection:
            tries = connection.execute(sa.select(deliveries.c.tries).order_by(deliveries.c.id)).scalars()
            assert list(tries) == [2, 1]
            kept = connection.execute(sa.text("SELECT delivery_id FROM delivery_attempts ORDER BY id"))
            assert list(kept.scalars()) == [1, 1, 2]
