"""Where somebody is decides when they are texted: by their row, their number, or the most careful zone there is."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.services.submit.limits import RejectLimit

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


def test_a_rows_own_zone_holds_on_later_runs(api: Any, at: Any) -> None:
    """Planned or deferred by a first run: a second run that lists neither waits, and texts, by where their rows said
    they are; a plan says so too. Who is texted leaves no zone behind."""
    rules = {"quiet_hours": NIGHT, "time_zone": "zone", "campaign": "c"}
    rows = [
        {"phone": "+14165550101", "zone": "Europe/Berlin"},
        {"phone": "+4930123456", "zone": "America/Toronto"},
    ]
    other = [{"phone": "+14165550109", "zone": ""}]
    first = api.send(rows, now=at(hours=-4), stage_only=True, owner="first", **rules)
    assert first.states == {"planned": 1, "deferred": 1}

    api.sql("UPDATE leads SET not_before = 0 WHERE state = 'deferred'")  # the hour it waited for has come
    night_in_berlin = {"now": at(hours=8), "owner": "second", **rules}
    planned = api.send(other, dry_run=True, **night_in_berlin)
    assert dict(planned.tally.carried) == {"planned": 1, "deferred": 1}
    second = api.send(other, **night_in_berlin)
    assert dict(second.tally.carried) == {"accepted": 1, "deferred": 1}
    assert sorted(api.texts()) == ["+14165550109", "+4930123456"]

    api.sql("UPDATE leads SET not_before = 0 WHERE state = 'deferred'")
    third = api.send(other, now=at(hours=20), owner="third", **rules)
    assert dict(third.tally.carried) == {"accepted": 1}
    assert api.texts() == {"+14165550101": 1, "+14165550109": 1, "+4930123456": 1}
    assert {lead["time_zone"] for lead in api.leads()} == {None}


def test_who_moved_waits_where_they_are_now(api: Any, at: Any) -> None:
    """Another zone of somebody who waits is written down, though nothing else of their row changed."""
    rules = {"quiet_hours": NIGHT, "time_zone": "zone", "mapping": {"phoneNumber": "phone"}, "campaign": "c"}
    for zone in ("Europe/Berlin", "America/Toronto"):
        row = {"phone": "+14165550101", "zone": zone}
        got = api.send([row], now=at(hours=3), stage_only=True, owner=zone, **rules)
        assert got.states == {"planned": 1}
        assert [lead["time_zone"] for lead in api.leads()] == [zone]
    later = api.send([], now=at(hours=8), owner="later", **rules)
    assert dict(later.tally.carried) == {"accepted": 1}


def test_a_long_list_that_is_judged_first_keeps_its_zones(
    sqlite_api: Any, people: Any, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that are not kept whole until then, the ledger knows where they are."""
    monkeypatch.setattr("airflow_outreach_provider.services.submit.backlog._KEPT", 1)
    rows = [*people(2, zone="Europe/Berlin"), {"phone": "+14165550109", "zone": "Europe/Berlin"}]
    got = sqlite_api.send(
        rows, now=at(hours=-4), quiet_hours=NIGHT, time_zone="zone", max_rejected=RejectLimit(None, 1)
    )
    assert got.states == {"accepted": 3}
