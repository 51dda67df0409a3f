"""A configuration that a row names and the API has not heard of is that row's fault, once another one works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.leads import configuration_of, read_lead
from airflow_outreach_provider.services.submit.limits import RejectLimit

People = Callable[..., list[dict[str, object]]]


@pytest.mark.parametrize("wrong", [{0}, {0, 1, 2}, {299}, {5, 150, 151, 290}, set(range(0, 300, 3))])
def test_a_rows_own_wrong_configuration_rejects_that_row_and_blocks_nobody(
    sqlite_api: Any, people: People, wrong: set[int]
) -> None:
    """Wherever such rows stand: each is rejected by name, everybody else is texted once."""
    rows = people(300)
    for at in wrong:
        rows[at]["configurationId"] = "conf-nope"
    got = sqlite_api.send(rows, max_rejected=RejectLimit.parse(None), campaign="spring")
    assert got.error is None
    assert got.states == {"accepted": 300 - len(wrong), "rejected": len(wrong)}
    refused = [lead for lead in sqlite_api.leads() if lead["state"] == "rejected"]
    assert {(lead["reason"], "'conf-nope'" in lead["detail"]) for lead in refused} == {
        ("configuration_unknown", True)
    }
    sqlite_api.nobody_twice()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("most", [0, 1, 2, 3, 10])
@pytest.mark.parametrize(("wrong", "wanted"), [({0}, 3), ({0, 1}, 2), ({3}, 4), ({0, 1, 2, 3}, None)])
def test_a_wrong_configuration_uses_up_no_approval(
    sqlite_api: Any, people: People, wrong: set[int], wanted: int | None, most: int
) -> None:
    """Whom the API has not heard of was not texted: as many as were approved are, and the run comes to its end.

    :param wanted: people to be approved for all of it; none are enough where no configuration works.
    """
    rows = people(4)
    for at in wrong:
        rows[at]["configurationId"] = f"nope-{at}"
    got = sqlite_api.send(rows, max_people=most, campaign="spring")
    texted = len(sqlite_api.texts())
    assert texted == min(most, 4 - len(wrong))
    assert (got.error is None) == (wanted is not None and most >= wanted)
    sqlite_api.nobody_twice()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("window", [1, 2, 8])
@pytest.mark.parametrize("fault", ["status=404", "status=400", "status=404,first=5", "status=400,first=5"])
def test_an_approved_run_ends_where_the_api_refuses_its_configuration(
    sqlite_api: Any, people: People, fault: str, window: int
) -> None:
    """However few are sent at once: doubts leave no room for others, and are cleared up all the same."""
    sqlite_api.sim.set_faults(fault)
    rows = people(20)
    for at, row in enumerate(rows):
        row["configurationId"] = "on" if at % 2 else f"nope-{at % 3}"
    got = sqlite_api.send(rows, max_people=20, window=window, campaign="spring")
    assert got.states.keys() <= {"accepted", "rejected", "planned"}
    assert got.error is None or isinstance(got.error, ConfigurationError)
    assert (got.error is None) == (not got.states.get("planned"))


def test_where_no_configuration_works_nobody_is_used_up(sqlite_api: Any, people: People) -> None:
    """Rows of several unknown configurations: the run is at fault, and a later one sends them all."""
    rows = people(60)
    for at, row in enumerate(rows):
        row["configurationId"] = f"nope-{at % 3}"
    got = sqlite_api.send(rows, campaign="spring")
    assert isinstance(got.error, ConfigurationError)
    assert got.states == {"planned": 60} and sqlite_api.texts() == {}


@pytest.mark.slow
def test_many_unknown_ones_before_any_that_works_are_tried_a_few_times_only(
    sqlite_api: Any, people: People
) -> None:
    """A column that holds something else than configurations does not become a thousand requests."""
    rows = people(400)
    for at, row in enumerate(rows):
        row["configurationId"] = f"row-{at}"
    got = sqlite_api.send(rows, campaign="spring")
    assert isinstance(got.error, ConfigurationError)
    assert sqlite_api.texts() == {} and sqlite_api.sim.report()["requests"] <= 8


@pytest.mark.parametrize("name", ["a", 'with "quotes"', "back\\slash", "Zoë,{}"])
@pytest.mark.parametrize("payload_format", ["raw", "fixed"])
def test_a_payload_tells_its_configuration(name: str, payload_format: Any) -> None:
    """Whatever an id looks like, in both formats."""
    lead = read_lead(
        {"phoneNumber": "+14165550123", "configurationId": name, "note": "x"},
        configuration_id="other", region=None, payload_format=payload_format,
    )  # fmt: skip
    assert configuration_of(lead.body(payload_format).encode()) == name
