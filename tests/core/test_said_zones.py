"""Time zones as people call them, and the place that is suggested."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest

from airflow_outreach_provider.core.said_zones import meant_zone, without_summer_time

KNOWN = available_timezones()


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("PST", "America/Los_Angeles"), ("pdt", "America/Los_Angeles"), ("ET", "America/New_York"),
        ("Eastern", "America/New_York"), ("Pacific Standard Time", "America/Los_Angeles"), ("CEST", "Europe/Berlin"),
        ("Central time", "America/Chicago"), ("BST", "Europe/London"), ("New York", "America/New_York"),
        ("berlin", "Europe/Berlin"), ("America/NewYork", "America/New_York"), ("europe/berlin", "Europe/Berlin"),
        ("local", None), ("ABC", None), ("XST", None), ("Tokyo Standard Time", None), ("", None),
    ],
)  # fmt: skip
def test_a_zone_in_words(said: str, place: str | None) -> None:
    """An abbreviation is never taken for one that looks like it: PST is not MST."""
    assert meant_zone(said, KNOWN) == place


@pytest.mark.parametrize("zone", ["EST", "MST", "Etc/GMT+5", "Etc/GMT-10"])
def test_a_zone_that_stands_still(zone: str) -> None:
    """It says what it does, and what to write."""
    said = without_summer_time(zone)
    assert said is not None
    assert "summer time" in said[0]


@pytest.mark.parametrize(
    "zone", ["UTC", "GMT", "America/New_York", "America/Phoenix", "EST5EDT", "HST", "Etc/UTC"]
)
def test_a_zone_that_is_meant(zone: str) -> None:
    """UTC, and places where the clocks never go, are no doubt."""
    assert without_summer_time(zone) is None
