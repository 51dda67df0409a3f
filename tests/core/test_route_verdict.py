"""Why a route has not taken an event, and what its condition saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.expressions.names import names_in, value_at
from airflow_outreach_provider.core.route_verdict import EventReader, judge_route

AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
EVENT = ContactEvent("evt_1", "varda", "varda", "x", EventKind.REPLIED, AT, AT, Contact(email="a@example.com"), None, {"score": 3})  # fmt: skip
READER = EventReader("r", ("r",), True, None, None, None, False)


@pytest.mark.parametrize(
    ("changed", "taken", "paused", "verdict"),
    [
        ({"kinds": ("clicked",), "source": "other"}, ["r"], True, "taken"),
        ({"source": "other"}, [], False, "other source"),
        ({"kinds": ("clicked",)}, [], False, "other kind"),
        ({"where": "data.score > 5"}, [], False, "where was false"),
        ({"where": "data.score > 5", "unread": True}, [], True, "where was false"),
        ({"where": "data.score < 5", "unread": True}, [], False, "not read yet"),
        ({"unread": True}, [], True, "paused"),
        ({"known": False, "kinds": ("clicked",), "unread": True}, [], False, "not read yet"),
        ({}, [], False, "passed by"),
    ],
)
def test_why(changed: dict[str, object], taken: list[str], paused: bool, verdict: str) -> None:
    """The first reason that holds."""
    assert judge_route(EVENT, replace(READER, **changed), "r", taken, paused=paused).verdict == verdict


def test_what_was_not_recognised_is_read_by_who_asks_for_it() -> None:
    """Without kinds a route reads all but that."""
    odd = replace(EVENT, kind=EventKind.UNRECOGNISED)
    assert judge_route(odd, READER, "r", [], paused=False).verdict == "other kind"
    asks = replace(READER, kinds=("unrecognised",), unread=True)
    assert judge_route(odd, asks, "r", [], paused=False).verdict == "not read yet"


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("contact.email is defined and data['score'] > 10", [("contact", "email"), ("data", "score")]),
        ("kind == 'replied' or not (data.a.b in ['x', campaign_id])", [("kind",), ("data", "a", "b"), ("campaign_id",)]),
        ("data.a | lower == data.a", [("data", "a")]),
        ("&& nonsense", []),
    ],
)  # fmt: skip
def test_the_names_of_an_expression(where: str, names: list[tuple[str, ...]]) -> None:
    """Each once, in its order."""
    assert names_in(where) == names


@pytest.mark.slow
@given(st.text(max_size=40), st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.text(max_size=3), inner)))  # fmt: skip
def test_looking_never_raises(source: str, data: object) -> None:
    """Whatever is written, and whatever came."""
    for path in names_in(source):
        value_at({"data": data, "contact": {}}, path)
