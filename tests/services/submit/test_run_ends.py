"""Whatever the API answers, whatever is asked for: a run comes to its end, texts nobody twice and no more than were approved."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.limits import RejectLimit

# Far above what any of these takes, on a slow machine too: a run that does not end is waited for no longer.
ENDS_WITHIN = 60.0

# An API that tells the truth: what it refuses, it has not texted.
refusals = st.builds(
    "status={},{},when=before".format,
    st.sampled_from([301, 400, 401, 403, 404, 409, 415, 422, 425, 429, 503]),
    st.sampled_from(["p=1", "p=0.5", "p=0.1", "first=1", "first=4", "skip=2", "every=2", "ending=1", "per_phone=yes,first=1"]),
)  # fmt: skip
unsure = st.builds(
    "{},{}".format,
    st.sampled_from(
        ["status=500,when=after", "status=502,when=before", "drop", "drop,when=before", "partial"]
    ),
    st.sampled_from(["p=0.3", "first=1", "skip=3,first=2", "ending=1"]),
)
configurations = st.lists(st.sampled_from(["on", "on", "nope", "no-such"]), min_size=1, max_size=12)
asked = st.fixed_dictionaries(
    {},
    optional={
        "max_people": st.integers(0, 13), "window": st.integers(1, 8), "max_rejected": st.sampled_from(["5%", "50%", 1]),
        "per_person": st.just(PerPerson.parse("1 per day")), "stage_only": st.just(True), "max_rows": st.integers(1, 12),
    },
)  # fmt: skip


@pytest.mark.slow
@example(names=["nope", "on"], faults=[], runs=[{"max_people": 1}])
@example(names=["nope", "on"], faults=[], runs=[{"max_people": 7, "window": 1}])
@example(names=["on"] * 5, faults=["status=404,p=1,when=before"], runs=[{"max_people": 5}, {}])
@settings(
    deadline=None, max_examples=examples(80), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=configurations,
    faults=st.lists(refusals | unsure, max_size=2),
    runs=st.lists(asked, min_size=1, max_size=2),
)
def test_a_run_comes_to_its_end(
    sqlite_api: Any,
    number: Any,
    names: list[str],
    faults: list[str],
    runs: list[dict[str, Any]],
) -> None:
    """Law: it ends, by itself; each row is in one state, and nothing is left in flight."""
    start = next(number) * 100
    rows = [
        {"phone": f"+1416{2_000_000 + start + n}", "configurationId": name} for n, name in enumerate(names)
    ]
    sqlite_api.sim.reset()
    sqlite_api.sim.set_faults(*faults, seed=1)
    for attempt, said in enumerate(runs, 1):
        before = sum(sqlite_api.texts().values())
        options = {
            **said,
            "max_rejected": RejectLimit.parse(said.get("max_rejected")),
            "campaign": f"c{start}",
        }
        run = sqlite_api.make(
            rows, attempt=attempt, owner=f"dag{start}", patience=0.5, timeout=2.0, **options
        )
        try:
            loop.run(asyncio.wait_for(run.run(), ENDS_WITHIN))
        except OutreachError:
            pass
        except TimeoutError:
            pytest.fail(f"a run with {said} did not end")
        sqlite_api.nobody_twice()
        assert sum(run.tally.counts.values()) == run.tally.read
        if "max_people" in said:
            assert sum(sqlite_api.texts().values()) - before <= said["max_people"]
        assert sqlite_api.ledger()["sending"] == 0


@pytest.fixture
def number() -> Any:
    """Counts up: each example has people of its own."""
    return iter(range(10_000))


@pytest.mark.parametrize("words", ["half of \ud83d", "a \0 in it"])
def test_a_run_that_fails_with_what_no_database_stores_has_ended(api: Any, people: Any, words: str) -> None:
    """What a source raises may hold anything: the run is over at once, and not when its lease is."""

    def rows() -> Any:
        yield from people(2)
        raise ValueError(words)

    assert isinstance(api.send(rows()).error, ValueError)
    [(state, error)] = api.sql("SELECT state, error FROM runs")
    assert state == "failed" and error == words.replace("\ud83d", "\ufffd").replace("\0", "\ufffd")
