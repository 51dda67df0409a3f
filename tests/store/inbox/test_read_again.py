"""A no in what was stored unread and stays unrecognised: heard when it is read again, unless somebody decided since."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.services.events.ingest import read_unrecognised_again, utc_now
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import append

SOURCE = SourceSettings("src", "varda")
N, ALIKE, OTHER = "+14165550123", "+14165990123", "+16475550177"
HASH = suppressions.EMAIL + hash_email("jane@example.com")


def stored(store: Store, body: Any, *, heard: bool, at: datetime | None = None) -> Incoming:
    """An unrecognised event. :param heard: whether the version that received it heard the no in it."""
    got = read_event(SOURCE, json.dumps(body).encode(), {}, received_at=at or utc_now())
    got = got if heard else replace(got, opt_out=None)
    append(store, [got])
    return got


def read_again(store: Store) -> set[str]:
    """Who is listed once everything was read again."""
    assert read_unrecognised_again(store, {"src": SOURCE}.get) == 0
    return {row.phone for row in suppressions.every_entry(store)}


def take_off(*listed: str) -> Callable[[Store], int]:
    return lambda store: suppressions.remove(store, listed, actor="eve")


SAID = {"phone": N, "opted_out": "yes"}


def test_a_no_that_was_not_heard_on_receipt_is_heard_when_it_is_read_again(store: Store) -> None:
    """What an older version passed over; the entry names the event, and reading it once more adds nothing."""
    got = stored(store, SAID, heard=False)
    stored(store, {"phone": OTHER, "opted_out": "no"}, heard=False)
    assert [*suppressions.every_entry(store)] == []
    assert read_again(store) == {N}
    (row,) = suppressions.every_entry(store)
    assert (row.reason, row.source) == ("unsubscribed", f"event {got.event.id} of src")
    assert read_again(store) == {N}


@pytest.mark.slow
@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("writing", ["+525512345678", "+5215512345678"])
def test_who_was_taken_off_the_list_since_stays_off_it(store: Store, heard: bool, writing: str) -> None:
    """However often it is read again, whoever first heard it, and in whatever writing they were taken off."""
    stored(store, {"phone": "+525512345678", "opted_out": "yes"}, heard=heard)
    assert read_again(store) == {"+525512345678"}
    assert take_off(writing)(store) == 1
    assert read_again(store) == read_again(store) == set()


@pytest.mark.parametrize(
    ("decided", "is_listed"),
    [
        (take_off(OTHER), True),  # was not on the list
        (lambda store: suppressions.add(store, [OTHER], actor="eve") and take_off(OTHER)(store), True),
        # The audit names numbers masked, and many by how many they are: who is named may be meant.
        (lambda store: suppressions.add(store, [ALIKE], actor="eve") and take_off(ALIKE)(store), False),
        (lambda store: suppressions.add(store, [OTHER, ALIKE], actor="eve") and take_off(OTHER, ALIKE)(store), False),
        (lambda store: suppressions.add(store, [N], actor="eve", campaign="x") and suppressions.remove(store, [N], actor="eve", campaign="x"), True),
    ],
    ids=["nobody", "another", "alike", "several", "of one campaign"],
)  # fmt: skip
def test_what_was_decided_of_others_keeps_nobody_off(
    store: Store, decided: Callable[[Store], int], is_listed: bool
) -> None:
    """Where the audit cannot tell whom somebody took off since, their decision stands."""
    stored(store, SAID, heard=False)
    decided(store)
    assert read_again(store) == ({N} if is_listed else set())


def test_a_no_after_a_decision_counts(store: Store) -> None:
    """What was taken off before it came says nothing about it."""
    suppressions.add(store, [N], actor="eve")
    take_off(N)(store)
    stored(store, SAID, heard=False, at=utc_now() + timedelta(seconds=1))
    assert read_again(store) == {N}


def test_of_several_only_who_was_taken_off_stays_off(store: Store) -> None:
    """Each person of a list is one; an address is one by itself."""
    stored(store, {"contacts": [SAID, {"phone": OTHER, "email": "jane@example.com", "opted_out": 1}, {"phone": ALIKE}]}, heard=False)  # fmt: skip
    suppressions.add(store, [N], actor="eve")
    take_off(N)(store)
    assert read_again(store) == {OTHER, HASH}
    take_off(HASH)(store)
    assert read_again(store) == {OTHER}


def test_what_the_audit_no_longer_knows_is_left(store: Store) -> None:
    """Older than what the audit keeps for certain: nobody knows what was decided since."""
    stored(store, SAID, heard=False, at=utc_now() - timedelta(days=366))
    assert read_again(store) == set()


def test_what_the_carrier_heard_is_left_to_the_carrier(store: Store) -> None:
    """It texts nobody who said STOP to it; a START that lifted it since is not written of whom."""
    stored(store, {"To": N, "ErrorCode": "21610"}, heard=False)
    assert read_again(store) == set()
