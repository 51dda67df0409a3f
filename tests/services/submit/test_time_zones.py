"""Where somebody is decides when they are texted: by their row, their number, or the most careful zone there is."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.quiet_hours import QuietHours

NIGHT = QuietHours.parse("21:00-08:00")
SATELLITE = {"phone": "+881612345678"}


@pytest.mark.parametrize("at_first", [True, False])
def test_a_satellite_number_waits_for_the_others_of_its_campaign(
    sqlite_api: Any, at: Any, at_first: bool
) -> None:
    """Wherever it stands among the rows, it is open while everybody else of the campaign is."""
    others = [{"phone": "+4930123456"}, {"phone": "+14165550123"}]
    rows = [SATELLITE, *others] if at_first else [*others, SATELLITE]
    got = sqlite_api.send(rows, now=at(hours=-4), quiet_hours=NIGHT)
    assert got.states == {"accepted": 1, "deferred": 2}
    assert list(sqlite_api.texts()) == ["+4930123456"]


def test_a_row_says_where_it_is(sqlite_api: Any, at: Any) -> None:
    """Its zone decides; one that is none rejects the row; a column that no row has is an error."""
    rows = [
        {"phone": "+14165550101", "zone": "Europe/Berlin"},
        {"phone": "+14165550102", "zone": ""},
        {"phone": "+14165550103", "zone": "Berlin"},
    ]
    got = sqlite_api.send(rows, now=at(hours=-4), quiet_hours=NIGHT, time_zone="zone")
    assert got.states == {"accepted": 1, "deferred": 1, "rejected": 1}
    assert {lead["reason"] for lead in sqlite_api.leads() if lead["state"] == "rejected"} == {
        "time_zone_invalid"
    }
    wrong = sqlite_api.send(rows, quiet_hours=NIGHT, time_zone="zoen")
    assert isinstance(wrong.error, ConfigurationError) and "did you mean 'zone'" in str(wrong.error)
