"""A time zone as people call it, ``PST`` or ``New York``, as the place that most likely is meant: for advice alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_outreach_provider.core.suggest import nearest

_SHORT = {
    "America/New_York": "est edt et eastern",
    "America/Chicago": "cst cdt ct central",
    "America/Denver": "mst mdt mt mountain",
    "America/Los_Angeles": "pst pdt pt pacific",
    "America/Anchorage": "akst akdt alaska",
    "Pacific/Honolulu": "hst hawaii",
    "America/Halifax": "ast adt atlantic",
    "America/St_Johns": "nst ndt",
    "Europe/London": "bst british",
    "Europe/Lisbon": "wet west",
    "Europe/Berlin": "cest mez mesz",
    "Europe/Athens": "eest",
    "Europe/Moscow": "msk",
    "Asia/Kolkata": "ist india",
    "Asia/Tokyo": "jst japan",
    "Asia/Seoul": "kst",
    "Asia/Singapore": "sgt",
    "Asia/Hong_Kong": "hkt",
    "Asia/Manila": "pht",
    "Australia/Sydney": "aest aedt",
    "Australia/Adelaide": "acst acdt",
    "Australia/Perth": "awst",
    "Pacific/Auckland": "nzst nzdt",
    "America/Sao_Paulo": "brt",
}
_PLACES = {word: place for place, words in _SHORT.items() for word in words.split()}
_LONG = re.compile(r"\s*(?:standard|daylight|summer)?\s*(?:time)?(?:\s*zone)?")
_LETTERS = re.compile(r"[A-Za-z]{1,5}")
_FIXED = {"EST": "America/New_York", "MST": "America/Denver"}
_BY_OFFSET = re.compile(r"(?:Etc/)?GMT[+-]\d{1,2}")


def meant_zone(said: str, known: Iterable[str]) -> str | None:
    """The IANA name of a place that was meant; None where none is near. :param known: all names there are."""
    words = " ".join(said.lower().split())
    first, _, rest = words.partition(" ")
    if first in _PLACES and _LONG.fullmatch(rest):
        return _PLACES[first]
    places = [each for each in known if "/" in each and not each.startswith(("Etc/", "SystemV/", "posix/"))]
    city = words.replace(" ", "_")
    found = next((each for each in sorted(places) if each.lower().rpartition("/")[2] == city), None)
    if found is not None or _LETTERS.fullmatch(said.strip()) or rest.endswith(" time"):
        return found
    return nearest(said, known)


def without_summer_time(zone: str) -> tuple[str, str] | None:
    """What a known zone that stands still while people change their clocks does, and what to write; None of a place."""
    if zone in _FIXED:
        return f"{zone} knows no summer time: half of the year people's clocks are an hour ahead of it", (
            f"write {_FIXED[zone]}"
        )
    if _BY_OFFSET.fullmatch(zone):
        side, hours = ("behind" if "+" in zone else "ahead of"), re.split("[+-]", zone)[1]
        return f"{zone} is {hours} h {side} UTC and knows no summer time", (
            "name a place that has it, such as Europe/Berlin"
        )
    return None
