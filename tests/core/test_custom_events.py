"""Events that a DAG makes: what names one, whatever list it stands in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.custom_events import made_events
from airflow_outreach_provider.core.errors import ConfigurationError

NOW = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
WON: dict[str, Any] = {"type": "deal.won", "contact": {"email": "a@example.com"}, "data": {"value": 3}}
VALUES = st.fixed_dictionaries(
    {"type": st.sampled_from(["won", "lost"])},
    optional={
        "data": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2),
        "contact": st.fixed_dictionaries({"external_id": st.sampled_from("cd")}),
        "occurred_at": st.sampled_from(["2026-03-25T18:30:00Z", NOW]),
    },
)


def ids(values: list[dict[str, Any]], unique: str = "task", now: datetime = NOW) -> list[str]:
    return [event.id for event in made_events(values, unique=unique, source="dag", now=now)]


@pytest.mark.slow
@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6), st.randoms())
def test_an_event_is_the_same_wherever_it_stands(
    first: list[dict[str, Any]], second: list[dict[str, Any]], order: Any
) -> None:
    """Whatever else is in the list and in what order, and however late: it keeps its id, and no other event has it."""
    together = [*first, *second]
    order.shuffle(together)
    assert len(set(ids(together))) == len(together)
    assert Counter(ids(together, now=NOW + timedelta(hours=1))) >= Counter(ids(first))
    for value in first:
        (id_,) = ids([value])
        assert id_ in ids(together)
        assert (id_ in ids(second)) == (value in second)


@pytest.mark.parametrize(
    "id_",
    [
        "deal_42",
        "deal.42",
        "a@example.com",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_an_id_names_the_event_in_every_list(id_: str) -> None:
    """However it is written, and whatever the event says by now."""
    value = {**WON, "id": id_}
    (mine,) = ids([value])
    assert [mine] == ids([{**value, "data": 4}], unique="another run")
    assert mine in ids([WON, value])
    assert mine not in ids([{**value, "id": f"{id_}0"}, WON])


def test_what_a_list_of_its_own_says_is_of_its_own() -> None:
    """The same words from another task or run are another event."""
    assert ids([WON]) != ids([WON], unique="another run")


@pytest.mark.slow
def test_a_set_is_in_one_order_in_every_process() -> None:
    """A retry is another process, in which texts have other hashes."""
    code = (
        "from datetime import datetime, UTC\n"
        "from airflow_outreach_provider.core.custom_events import made_events\n"
        "value = {'type': 'x', 'data': {'tags': {'a', 'b', 'c', 'd', 'e', 'f'}}}\n"
        "print(made_events([value], unique='u', source='s', now=datetime.now(UTC))[0].id)"
    )
    ran = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert ran[0] == ran[1]


def test_what_json_cannot_say_is_a_mistake_of_the_dag() -> None:
    """It failed where the event was written down, with a traceback, and was tried again for a day."""
    with pytest.raises(ConfigurationError, match=r"cannot be written as JSON.*object"):
        ids([{"type": "x", "data": object()}])
