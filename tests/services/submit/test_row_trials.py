"""A run of Airflow that is called a try: it sends nothing and leaves no trace, whatever it is asked; and what it finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.row_minimum import RowMinimum
from airflow_outreach_provider.core.row_trials import PREFIX
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.tables import metadata

People = Callable[..., list[dict[str, object]]]
TRY = f"{PREFIX}5__x"
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "dry_run": st.booleans(), "stage_only": st.booleans(), "max_rows": st.none() | st.integers(1, 50),
        "max_people": st.none() | st.integers(0, 50), "on_unknown": st.sampled_from(["hold", "resend"]),
        "resubmit": st.sampled_from(["never", "changed"]), "min_rows": st.sampled_from([None, 3, 1000, "50% of last run"]).map(RowMinimum.parse),
        "max_rejected": st.sampled_from(["0%", "5%", 0, None]).map(RejectLimit.parse), "max_suppressed": st.sampled_from([0, None]).map(RejectLimit.parse),
        "incremental": st.none() | st.just("at"), "window": st.integers(1, 64), "attempt": st.integers(1, 3), "shards": st.integers(1, 3),
        "owner": st.sampled_from(["dag", "other"]), "campaign": st.sampled_from([None, "on", "fresh"]),
    },
)  # fmt: skip
"""What a task may be asked, in any mixture."""


def trace(store: Store) -> str:
    """All rows of all tables, but the runs that are only told of, and what tries found."""
    with store.read() as connection:
        return str(
            [
                [tuple(row) for row in connection.execute(sa.select(table))]
                for table in metadata.sorted_tables
                if table.name not in ("runs", "trials")
            ]
        )


@pytest.fixture
def history(sqlite_api: Any, people: People) -> Any:
    """A ledger in which something of every kind waits: texted, refused, held, staged, suppressed, with a mark."""
    api = sqlite_api
    rows = [{**row, "at": "2026-01-01"} for row in people(20)]
    api.sim.set_faults("status=422,ending=3", "drop,when=after,ending=7")
    api.send(rows, incremental="at")
    api.sim.set_faults()
    api.send([{**row, "at": "2026-01-02"} for row in people(5, 40)], stage_only=True, owner="stage")
    suppressions.suppress(api.store, ["+14162000045"], reason="unsubscribed", source="event")
    return api


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=ASKED, number=st.integers(1, 100), listed=st.booleans(),
    picked=st.lists(st.integers(0, 60), max_size=12), bad=st.integers(0, 3),
)  # fmt: skip
def test_a_try_sends_nothing_and_leaves_no_trace(
    history: Any,
    people: People,
    asked: dict[str, Any],
    number: int,
    listed: bool,
    picked: list[int],
    bad: int,
) -> None:
    """The law: no request leaves, no table changes, no more rows are read than the id says, each is told of once."""
    rows: list[Any] = [{**people(1, n)[0], "at": f"2026-01-0{1 + n % 5}"} for n in picked]
    rows += [{"phone": "nobody", "at": ""}] * bad
    before, requests = trace(history.store), history.sim.report()["requests"]
    run = history.make(rows, run_id=f"{PREFIX}{number}__x", **asked)
    if not listed:
        run._rows = None  # what is planned in the ledger
    error: BaseException | None = None
    try:
        loop.run(run.run())
    except ConfigurationError as caught:
        error = caught
    assert history.sim.report()["requests"] == requests
    assert trace(history.store) == before
    assert error is None
    if listed:
        told = [row.state for row in run.watch.rows]
        assert run.tally.read == len(told) == min(number, len(rows))
        assert {state: told.count(state) for state in told} == {
            k: n for k, n in run.tally.by_state().items() if n
        }


@pytest.mark.parametrize("rest", ["", "5", "0__x", "101__x", "many__x"])
def test_what_is_called_like_a_try_and_is_none_does_not_begin(
    history: Any, people: People, rest: str
) -> None:
    """Before a row is read, and before anything is written."""
    before = trace(history.store)
    with pytest.raises(ConfigurationError, match="nothing was done"):
        history.make(people(3, 70), run_id=PREFIX + rest)
    assert trace(history.store) == before


def test_each_row_is_told_with_what_would_become_of_it(history: Any, people: People, at: Any) -> None:
    """In the order of the source: state, reason, what was read, and the payload that would be sent."""
    fresh = people(1, 80)[0]
    rows = [
        people(1)[0], fresh, fresh, {"phone": "+1 12"}, people(1, 3)[0], people(1, 7)[0], people(1, 45)[0],
        {**people(1, 81)[0], "title": "no"}, people(1, 82)[0],
    ]  # fmt: skip
    rows = [{"title": "yes", **row} for row in rows]
    got = history.send(
        rows,
        run_id=f"{PREFIX}9__x",
        where="title == 'yes'",
        mapping={"phoneNumber": "phone", "firstName": "firstName"},
    )
    assert got.error is None
    told = [(row.line, row.state, row.reason) for row in got.run.watch.rows]
    assert told[:4] == [
        (1, "unchanged", "texted_before"), (2, "planned", "would_be_sent"), (3, "duplicate", "same_number"), (4, "rejected", "phone_too_short"),
    ]  # fmt: skip
    assert [state for _, state, _ in told[4:]] == ["planned", "held", "suppressed", "filtered", "planned"]
    second = got.run.watch.rows[1]
    assert json.loads(second.payload)["firstName"] == "P80"
    assert second.phone == fresh["phone"]
    assert second.values["firstName"] == "P80"
    assert got.run.watch.rows[3].values["phone"] == "+1 12"
    assert "12" not in got.run.watch.rows[3].detail
    sent = history.send([fresh], owner="real", mapping={"phoneNumber": "phone", "firstName": "firstName"})
    assert sent.states == {"accepted": 1}
    assert history.sim.texts(str(fresh["phone"]))["last_payload"] == json.loads(second.payload)


def test_who_waits_is_told_until_when(sqlite_api: Any, people: People, at: Any) -> None:
    """Quiet hours at the recipient's: deferred, with the time and the payload."""
    hours = QuietHours.parse("00:00-20:00")
    got = sqlite_api.send(people(1), run_id=TRY, now=at(), quiet_hours=hours)
    (row,) = got.run.watch.rows
    assert (row.state, row.reason) == ("deferred", "quiet_hours")
    assert row.until.startswith("2026-07-")
    assert row.payload


def test_what_earlier_runs_left_is_counted_besides(sqlite_api: Any, people: People) -> None:
    """As the plan of the command does."""
    sqlite_api.send(people(4, 40), stage_only=True, owner="stage")
    got = sqlite_api.send(people(1, 90), run_id=TRY)
    assert got.tally.carried["planned"] == 4
    assert got.states == {"planned": 1}


def test_rules_on_the_whole_list_are_not_judged_by_a_few_rows(sqlite_api: Any, people: People) -> None:
    """Two rows, one of them bad, under rules that want a thousand and no bad one: told, and green."""
    rows = [*people(1), {"phone": "12"}]
    strict = {"min_rows": RowMinimum.parse(1000), "max_rejected": RejectLimit.parse(0)}
    got = sqlite_api.send(rows, run_id=TRY, **strict)
    assert got.error is None
    assert got.states == {"planned": 1, "rejected": 1}


def test_a_long_source_is_read_as_far_as_asked(sqlite_api: Any) -> None:
    """Rows beyond are not even made."""
    made: list[int] = []

    def rows() -> Any:
        for n in range(100_000):
            made.append(n)
            yield {"phone": f"+1416{2_000_000 + n}"}

    got = sqlite_api.send(rows(), run_id=f"{PREFIX}3__x")
    assert got.states == {"planned": 3}
    assert len(made) < 1000
