"""What may be sent now: the same by indexes as by its definition, and one route's backlog is no other's."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.deliveries import attempts, plans, serving, waiting
from airflow_outreach_provider.store.deliveries.attempts import NewDelivery
from airflow_outreach_provider.store.deliveries.tables import deliveries, served_routes
from airflow_outreach_provider.store.engine import Store

LEASE = timedelta(minutes=5)
MOMENTS = st.sampled_from([None, -1, 0, 1])


@dataclass(frozen=True)
class Row:
    """An delivery; its times are seconds from now."""

    route: str
    lane: str
    state: str
    tries: int
    plan: int | None
    claim: int | None
    due: int | None

    @property
    def is_open(self) -> bool:
        return self.state in {"pending", "failed"}

    def is_taken(self, planned_too: bool = False) -> bool:
        """Whether what is behind it waits for it."""
        held = (self.plan is not None and self.plan >= 0 and not planned_too) or (
            self.claim is not None and self.claim >= 0
        )
        return held or (self.due is not None and self.due > 0)


ROWS = st.lists(
    st.builds(
        Row, st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from(["pending", "failed", "delivered"]),
        st.sampled_from([0, 0, 1]), MOMENTS, MOMENTS, MOMENTS,
    ),
    max_size=14,
)  # fmt: skip


def free_by_definition(rows: list[Row], route: str, *, untried: bool, planned_too: bool = False) -> list[int]:
    """Positions of what is open, in nobody's hands and due, behind nothing that is not, and behind nothing that failed."""
    found = []
    for place, row in enumerate(rows):
        before = [
            each for each in rows[:place] if (each.route, each.lane) == (route, row.lane) and each.is_open
        ]
        ok = row.route == route and row.is_open and not row.is_taken(planned_too)
        ok = ok and not any(each.is_taken(planned_too) for each in before)
        if ok and not (untried and (row.tries or any(each.tries for each in before))):
            found.append(place)
    return found


def handed_out_again(rows: list[Row], route: str) -> list[int]:
    """Positions of what failed, is planned for not much longer, is due, and is its contact's first."""
    return [
        place
        for place, row in enumerate(rows)
        if row.route == route and row.is_open and row.tries and row.plan == 0 and row.due is not None
        and not row.is_taken(planned_too=True)
        and not any((each.route, each.lane) == (route, row.lane) and each.is_open for each in rows[:place])
    ]  # fmt: skip


def fill(store: Store, rows: list[Row]) -> None:
    now = store.now()

    def at(seconds: int | None) -> object:
        return None if seconds is None else now + timedelta(seconds=seconds)

    with store.write() as connection:
        connection.execute(sa.delete(deliveries))
        connection.execute(sa.delete(served_routes))
        for place, row in enumerate(rows):
            connection.execute(
                deliveries.insert().values(
                    id=place + 1, event_id=f"e{place}", route=row.route, lane=row.lane, state=row.state,
                    tries=row.tries, plan_until=at(row.plan), claim_until=at(row.claim), due_at=at(row.due),
                    created_at=now, updated_at=now,
                )
            )  # fmt: skip


@pytest.mark.slow
@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_what_is_found_by_indexes_is_what_the_definition_says(still_store: Store, rows: list[Row]) -> None:
    """Whatever is planned, claimed, late, failed or done: every way of looking finds what is free, oldest first, on both databases."""
    fill(still_store, rows)
    ident = deliveries.c.id
    with still_store.read() as connection:
        seen = waiting.look(still_store, connection)

        def places(query: sa.Select[tuple[int]]) -> list[int]:
            return [each - 1 for each in connection.execute(query).scalars()]

        for route in "ab":
            free = free_by_definition(rows, route, untried=False)
            untried = free_by_definition(rows, route, untried=True)
            assert places(waiting.free(seen, route, ident, limit=99)) == free
            assert places(waiting.free(seen, route, ident, limit=1)) == free[:1]
            assert places(waiting.free_in_lanes(seen, route, "xy", limit=99)) == free
            assert places(waiting.free_and_untried(seen, route, ident, limit=99)) == untried
            untouched = free_by_definition(rows, route, untried=True, planned_too=True)
            again = handed_out_again(rows, route)
            lying = timedelta(seconds=1)
            query = waiting.free_and_untried(seen, route, ident, limit=99, lying=lying)
            assert places(query) == sorted([*untouched, *again])
            late = any(rows[place].plan == 0 for place in [*untouched, *again])
            assert waiting.is_overdue(seen, connection, route, lying) is late
        ready = {route for route in "ab" if free_by_definition(rows, route, untried=False)}
        assert waiting.routes_with_free(seen, connection) == ready
    serving.serve(still_store, "a", Owner("d", "t"), LEASE)
    with still_store.read() as connection:
        seen = waiting.look(still_store, connection)
        left = sorted(
            set(free_by_definition(rows, "a", untried=False))
            - set(free_by_definition(rows, "a", untried=True))
        )
        assert places(waiting.free_for_runs(seen, "a", ident, limit=99)) == left
        assert ("a" in waiting.routes_with_free(seen, connection)) is bool(left)


def backlog(store: Store, route: str, count: int, lane: str = "") -> None:
    rows = [
        NewDelivery(f"{route}{n}", route, lane or f"{route}{n // 2}", "s", "replied", "l")
        for n in range(count)
    ]
    with store.write() as connection:
        attempts.record(connection, rows, store.now(connection))


def quickest(store: Store) -> float:
    """The least time of planning what a small route has, and of seeing that it has something."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        assert plans.ready(store, ["small"])
        with store.write() as connection:
            seen = waiting.look(store, connection)
            query = waiting.free_for_runs(seen, "small", deliveries.c.id, limit=1000)
            assert len(connection.execute(query).all()) == 3
            waiting.routes_with_free(seen, connection)
        taken.append(time.perf_counter() - started)
    return min(taken)


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["", "one"])
def test_a_backlog_of_one_route_costs_the_others_nothing(store: Store, lane: str) -> None:
    """A look at a route with three fresh events takes no longer beside 4,000 of another, on a store never analysed, be they one contact's."""
    backlog(store, "small", 3)
    alone = quickest(store)
    backlog(store, "big", 4_000, lane)
    plans.plan(store, ["big"], "run", limit=1_500, lease=LEASE)
    assert quickest(store) < 3 * alone + 0.1


def test_one_route_does_not_wait_for_the_turn_of_another(store: Store) -> None:
    """While one route's lanes are looked at under the lock, another's are planned; on SQLite there is one writer."""
    if store.dialect == "sqlite":
        pytest.skip("one writer at a time in any case")
    backlog(store, "small", 3)
    backlog(store, "big", 3)
    planned: dict[str, int] = {}

    def plan(route: str) -> None:
        planned[route] = len(plans.plan(store, [route], f"run {route}", limit=10, lease=LEASE) or ())

    threads = [threading.Thread(target=plan, args=(route,)) for route in ("small", "big")]
    with store.write() as connection:
        plans.take_turns(connection, "big")
        for each in threads:
            each.start()
        threads[0].join(20)
        assert planned == {"small": 3}
    threads[1].join(20)
    assert planned == {"small": 3, "big": 3}
