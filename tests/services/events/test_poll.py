"""Polling contact lists that are slow, capped, busy and on the move: nobody missed, nobody doubled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from servers import as_json, scripted
from stored import stored_events

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.net.contacts import SuperSendContacts, TetherContacts
from airflow_outreach_provider.services.events.poll import PollResult, contact_list, poll_contacts
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers

NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
Answer = tuple[int, Any, dict[str, str]]


class Platform:
    """A contact list over HTTP. ``before(n, query)`` runs before the nth page and may change it or answer."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.before: Callable[[int, dict[str, str]], Answer | None] = lambda number, query: None
        self.asked: list[dict[str, str]] = []
        self.most = 100
        self.with_total = True
        self.logins = 0
        self.url = ""

    def put(self, who: str, created: datetime, updated: datetime | None = None) -> None:
        row = {"_id": who, "id": who, "email": f"{who}@example.com", "phoneNumber": "+14165550123"}
        row |= {"createdAt": created.isoformat(), "updatedAt": (updated or created).isoformat()}
        self.people[who] = row
        self.order = [who, *[each for each in self.order if each != who]]

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> Answer:
        path, query = urlsplit(url).path, {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        if path == "/api/auth/login":
            self.logins += 1
            good = json.loads(body) == {"email": "me@example.com", "password": "pass"}
            return (200, {"token": f"jwt{self.logins}"}, {}) if good else (401, {"message": "no"}, {})
        self.asked.append(query)
        early = self.before(len(self.asked), query)
        if early is not None:
            return early
        if path == "/api/contacts":
            if headers["Authorization"] != f"Bearer jwt{self.logins}" or query["ownerFilter"] != "all":
                return 401, {"message": "no"}, {}
            size = min(int(query["size"]), self.most)
            start = (int(query["page"]) - 1) * size
            rows = [self.people[who] for who in self.order[start : start + size]]
            return 200, {"data": rows, **({"total": len(self.order)} if self.with_total else {})}, {}
        if path == "/v2/contacts" and headers["Authorization"] == "Bearer key":
            start, size = int(query["offset"]), min(int(query["limit"]), self.most)
            rows = [self.people[who] for who in self.order[start : start + size]]
            more = start + len(rows) < len(self.order)
            pagination = {"total": len(self.order), "limit": size, "offset": start, "has_more": more}
            return 200, {"success": True, "data": rows, "pagination": pagination}, {}
        return 403, {}, {}


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()

    def script(
        method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        status, answer, more = platform.answer(method, path, headers, body)
        return status, answer if isinstance(answer, bytes) else as_json(answer), more

    with scripted(script) as platform.url:
        yield platform


def poll(platform: Platform, store: Store, now: datetime, kind: str = "tether", **more: Any) -> PollResult:
    source = SourceSettings("list", kind, api_base=platform.url)
    contacts: TetherContacts | SuperSendContacts
    if kind == "tether":
        contacts = TetherContacts(platform.url, "me@example.com", "pass", size=10, pause=0.01)
    else:
        contacts = SuperSendContacts(platform.url, "key", size=10, pause=0.01)

    async def run() -> PollResult:
        async with contacts:
            return await poll_contacts(store, source, contacts, clock=lambda: now, **more)

    return asyncio.run(run())


def stored(store: Store) -> list[tuple[str, str | None]]:
    return sorted((event.kind.value, event.contact.external_id) for event in stored_events(store))


@pytest.mark.parametrize("kind", ["tether", "supersend"])
def test_new_and_changed_once(platform: Platform, store: Store, kind: str) -> None:
    """A contact made is one event, each change is one event, polls in between repeat nothing."""
    for number in range(25):
        platform.put(f"old{number}", NOW - timedelta(days=30))
    platform.put("new", NOW - timedelta(minutes=5))
    assert poll(platform, store, NOW, kind).events == 1
    platform.put("old3", NOW - timedelta(days=30), NOW + timedelta(minutes=1))
    platform.put("both", NOW + timedelta(minutes=2), NOW + timedelta(minutes=3))
    result = poll(platform, store, NOW + timedelta(minutes=5), kind)
    assert (result.contacts, result.events, result.complete) == (27, 3, True)
    for minutes in (10, 15, 200, 400):
        assert poll(platform, store, NOW + timedelta(minutes=minutes), kind).events == 0
    assert stored(store) == [
        ("contact_created", "both"),
        ("contact_created", "new"),
        ("contact_updated", "both"),
        ("contact_updated", "old3"),
    ]
    events = consumers.read_new(store, "c", kinds=["contact_created"])
    assert events[0].contact.email == "new@example.com"
    assert events[0].occurred_at == NOW - timedelta(minutes=5)


def by_change(platform: Platform, count: int, changed: bool = True) -> None:
    """So many old contacts, the one changed last first; created in another order, unless nobody was changed."""
    for number in range(count):
        at = NOW - timedelta(days=30, seconds=count - number)
        platform.put(f"old{number:05}", NOW - timedelta(days=90, seconds=number) if changed else at, at)


def pages(platform: Platform, store: Store, now: datetime, kind: str = "tether") -> tuple[int, int]:
    """A poll: how many pages it asked for, and how many events it found."""
    before = len(platform.asked)
    result = poll(platform, store, now, kind)
    assert result.complete
    assert result.pages == len(platform.asked) - before
    return result.pages, result.events


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tether", "supersend"])
@pytest.mark.parametrize("with_total", [True, False])
@pytest.mark.parametrize("changed", [True, False], ids=["in order", "in order so far"])
def test_an_unchanged_list_is_not_read_again(
    platform: Platform, store: Store, kind: str, with_total: bool, changed: bool
) -> None:
    """The second poll and the third read a page; who is new or changed meanwhile is found on it."""
    platform.with_total = with_total
    by_change(platform, 300, changed)
    assert pages(platform, store, NOW, kind)[0] >= 30
    assert pages(platform, store, NOW + timedelta(minutes=5), kind) == (1, 0)
    platform.put("old00200", NOW - timedelta(days=90), NOW + timedelta(minutes=6))
    platform.put("new", NOW + timedelta(minutes=7))
    asked, found = pages(platform, store, NOW + timedelta(minutes=10), kind)
    assert (asked <= 2, found) == (True, 2)
    result = poll(platform, store, NOW + timedelta(minutes=15), kind)
    assert (result.whole, result.contacts if with_total else 301) == (False, 301)


@pytest.mark.slow
def test_a_list_filled_just_now_is_not_read_again(platform: Platform, store: Store) -> None:
    """All within the overlap, all known: two pages, whatever the number; one more for each page of news."""
    for number in range(500):
        platform.put(f"p{number:03}", NOW - timedelta(seconds=600 - number))
    assert pages(platform, store, NOW) == (50, 500)
    assert pages(platform, store, NOW + timedelta(minutes=1)) == (2, 0)
    assert pages(platform, store, NOW + timedelta(minutes=2)) == (2, 0)
    for number in range(500, 525):
        platform.put(f"p{number:03}", NOW + timedelta(minutes=2, seconds=number - 500))
    assert pages(platform, store, NOW + timedelta(minutes=3)) == (4, 25)


def test_equal_times_at_the_border_hide_nobody(platform: Platform, store: Store) -> None:
    """Of a hundred changed in the same second half were read before: the others, wherever among them, are found."""
    by_change(platform, 100)
    moment = NOW + timedelta(minutes=1)
    assert pages(platform, store, NOW)[1] == 0
    for number in range(0, 100, 2):
        platform.put(f"old{number:05}", NOW - timedelta(days=90), moment)
    assert pages(platform, store, moment)[1] == 50
    for number in range(1, 100, 2):
        platform.put(f"old{number:05}", NOW - timedelta(days=90), moment)
    platform.order.sort(key=lambda who: int(who[3:]) % 2)  # those that are known come first
    assert pages(platform, store, NOW + timedelta(minutes=6))[1] == 50


@pytest.mark.slow
def test_who_is_changed_or_removed_while_pages_are_read_is_found_by_the_next_poll(
    platform: Platform, store: Store
) -> None:
    """Changed behind what was read: at the front the next time. Removed: the reading, in which all moved up, is repeated."""
    by_change(platform, 100)
    pages(platform, store, NOW)
    for number in range(35):
        platform.put(f"new{number:02}", NOW + timedelta(minutes=1, seconds=number))
    begun = len(platform.asked)

    def move(number: int, query: dict[str, str]) -> None:
        if number == begun + 2:
            platform.put("old00050", NOW - timedelta(days=90), NOW + timedelta(minutes=2))
            platform.order.remove("new33")
            platform.order.remove("new34")

    platform.before = move
    assert poll(platform, store, NOW + timedelta(minutes=3)).events >= 33
    platform.before = lambda number, query: None
    pages(platform, store, NOW + timedelta(minutes=6))
    made = {who for kind, who in stored(store) if kind == "contact_created"}
    assert made >= {f"new{number:02}" for number in range(33)}
    assert ("contact_updated", "old00050") in stored(store)


@pytest.mark.parametrize("order", ["shuffled", "oldest first", "by creation", "no times"])
def test_a_list_in_another_order_is_read_to_its_end(platform: Platform, store: Store, order: str) -> None:
    """A platform that ignores the order costs pages, never a contact: somebody changed in place is found at once."""
    by_change(platform, 100)
    if order == "shuffled":
        platform.order = platform.order[1::2] + platform.order[::2]
    elif order == "oldest first":
        platform.order.reverse()
    elif order == "by creation":
        platform.order.sort(key=lambda who: platform.people[who]["createdAt"], reverse=True)
    else:
        platform.people["old00000"] |= {"createdAt": None, "updatedAt": None}
    pages(platform, store, NOW)
    for minutes, who in ((5, "old00040"), (10, "old00090"), (15, "old00010")):
        at = NOW + timedelta(minutes=minutes)
        platform.people[who] |= {"updatedAt": at.isoformat()}
        assert pages(platform, store, at) == (10, 1)


def test_an_order_that_was_only_that_of_creation_is_given_up(platform: Platform, store: Store) -> None:
    """Nobody was changed yet, so it looked right: a change in place is found within an hour, and from then on at once."""
    by_change(platform, 100, changed=False)
    pages(platform, store, NOW)
    platform.people["old00050"] |= {"updatedAt": (NOW + timedelta(minutes=2)).isoformat()}
    assert pages(platform, store, NOW + timedelta(minutes=5))[0] == 1
    assert pages(platform, store, NOW + timedelta(minutes=61)) == (10, 1)
    platform.people["old00060"] |= {"updatedAt": (NOW + timedelta(minutes=62)).isoformat()}
    assert pages(platform, store, NOW + timedelta(minutes=65)) == (10, 1)


def test_an_order_given_up_meanwhile_is_noticed(platform: Platform, store: Store) -> None:
    """One row out of order on what is read, and the whole list is read, back to the last time that was done."""
    by_change(platform, 100)
    pages(platform, store, NOW)
    pages(platform, store, NOW + timedelta(hours=5))
    platform.people["old00002"] |= {"updatedAt": (NOW + timedelta(minutes=1)).isoformat()}
    platform.people["old00097"] |= {"updatedAt": (NOW + timedelta(hours=5)).isoformat()}
    assert pages(platform, store, NOW + timedelta(hours=6)) == (11, 2)


def test_a_reading_that_was_broken_off_is_made_up_for(platform: Platform, store: Store) -> None:
    """What the inbox has from it is no sign that it came to the end: the next poll reads all."""
    by_change(platform, 100)
    pages(platform, store, NOW)
    for number in range(40):
        platform.put(f"new{number:02}", NOW + timedelta(minutes=1, seconds=number))
    begun = len(platform.asked)
    platform.before = lambda number, query: (
        (503, b"", {"Retry-After": "120"}) if number == begun + 3 else None
    )
    with pytest.raises(OutreachUnavailable):
        poll(platform, store, NOW + timedelta(minutes=5))
    platform.before = lambda number, query: None
    assert pages(platform, store, NOW + timedelta(minutes=6))[1] == 20
    assert pages(platform, store, NOW + timedelta(minutes=7))[0] <= 2


def test_a_clock_that_goes_back_loses_nobody(platform: Platform, store: Store) -> None:
    """Ours was a year ahead for two polls: whoever was changed since is found, at once and from then on."""
    by_change(platform, 100)
    pages(platform, store, NOW)
    for minutes in (0, 5):
        pages(platform, store, NOW + timedelta(days=365, minutes=minutes))
    platform.put("old00007", NOW - timedelta(days=90), NOW + timedelta(days=1))
    assert pages(platform, store, NOW + timedelta(days=2))[1] == 1
    platform.put("old00008", NOW - timedelta(days=90), NOW + timedelta(days=2, minutes=1))
    assert pages(platform, store, NOW + timedelta(days=2, minutes=5))[1] == 1
    assert pages(platform, store, NOW + timedelta(days=2, minutes=10)) == (1, 0)


def test_first_poll_from_a_given_time(platform: Platform, store: Store) -> None:
    """The first poll goes back as far as it is told to."""
    platform.put("old", NOW - timedelta(days=30))
    assert poll(platform, store, NOW, start=NOW - timedelta(days=60)).events == 1
    assert poll(platform, store, NOW + timedelta(days=1), start=NOW - timedelta(days=90)).events == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tether", "supersend"])
@pytest.mark.parametrize("with_total", [True, False])
def test_contacts_that_move_while_pages_are_read(
    platform: Platform, store: Store, kind: str, with_total: bool
) -> None:
    """Contacts made, changed and removed while pages are read, poll after poll, all arrive and none twice."""
    platform.with_total = with_total
    for number in range(35):
        platform.put(f"p{number:02}", NOW)
        platform.put(f"old{number:02}", NOW - timedelta(days=30))
    made = {f"p{number:02}" for number in range(35)}
    moment = NOW

    def move(number: int, query: dict[str, str]) -> None:
        nonlocal moment
        moment += timedelta(seconds=10)
        if number % 3 == 0 and number < 40:  # somebody from the end comes to the front, all others move
            platform.put(next(who for who in platform.order[::-1] if who[0] == "p"), NOW, moment)
            platform.put(f"n{number:02}", moment)
            made.add(f"n{number:02}")
        elif number % 5 == 0 and number < 40:  # somebody on a page already read goes; all others move up
            platform.order.remove(next(who for who in platform.order if who.startswith("old")))

    platform.before = move
    for _ in range(6):
        poll(platform, store, moment, kind)
        moment += timedelta(minutes=1)
    events = stored(store)
    assert len(events) == len(consumers.read_new(store, "c"))
    assert {who for kind, who in events if kind == "contact_created"} == made
    created = [who for kind, who in events if kind == "contact_created"]
    assert len(created) == len(set(created))
    last = {who for who, row in platform.people.items() if row["updatedAt"] != row["createdAt"]}
    assert last <= {who for kind, who in events if kind == "contact_updated"}


def test_server_gives_fewer_than_asked(platform: Platform, store: Store) -> None:
    """A server that caps its pages, and does not count, is read to the end."""
    platform.most, platform.with_total = 7, False
    for number in range(40):
        platform.put(f"p{number}", NOW)
    assert poll(platform, store, NOW).events == 40
    assert poll(platform, store, NOW, "supersend").contacts == 40


def test_server_that_repeats_its_last_page(platform: Platform, store: Store) -> None:
    """Asked beyond the end, some servers give the last page again: the reading ends all the same."""
    platform.with_total = False
    for number in range(20):
        platform.put(f"p{number}", NOW)

    def last(number: int, query: dict[str, str]) -> None:
        query["page"] = str(min(2, int(query["page"])))

    platform.before = last
    assert poll(platform, store, NOW).events == 20
    assert len(platform.asked) == 3


def test_jwt_is_renewed(platform: Platform, store: Store) -> None:
    """A JWT that runs out between two pages is renewed, and the page asked for again."""
    for number in range(25):
        platform.put(f"p{number}", NOW)

    def expire(number: int, query: dict[str, str]) -> None:
        if number == 2:
            platform.logins += 1  # the token in use is no longer the last one given out

    platform.before = expire
    assert poll(platform, store, NOW).events == 25
    assert platform.logins == 3


@pytest.mark.parametrize(
    "busy",
    [(503, b"", {}), (429, {"error": "slow"}, {"Retry-After": "0.05"}), (200, {"success": False}, {})],
    ids=["503 without a body", "429", "200 with an error inside"],
)
def test_a_busy_server_is_waited_for(platform: Platform, store: Store, busy: Answer) -> None:
    """SuperSend's body-less 503 and a 429 are waited out; an error inside a 200 is no empty list."""
    for number in range(15):
        platform.put(f"p{number}", NOW)
    platform.before = lambda number, query: busy if number in {2, 3} else None
    if busy[0] == 200:
        with pytest.raises(OutreachUnavailable, match="did not succeed"):
            poll(platform, store, NOW, "supersend")
        platform.before = lambda number, query: None
    assert poll(platform, store, NOW, "supersend").complete
    assert len(stored(store)) == 15


def test_a_server_that_stays_busy_is_left_alone(platform: Platform, store: Store) -> None:
    """Retry-After beyond what a request waits for goes to whoever retries the poll; nothing is forgotten."""
    platform.put("p", NOW)
    platform.before = lambda number, query: (503, b"", {"Retry-After": "120"})
    with pytest.raises(OutreachUnavailable) as caught:
        poll(platform, store, NOW)
    assert caught.value.retry_after == 120
    assert len(platform.asked) == 1
    platform.before = lambda number, query: None
    assert poll(platform, store, NOW + timedelta(minutes=30)).events == 1


def test_an_incomplete_reading_is_not_counted(platform: Platform, store: Store) -> None:
    """A list that says it has more than it shows is never taken as fully read, so nothing is passed over."""
    platform.put("p", NOW)
    platform.before = lambda number, query: (200, {"data": [*platform.people.values()], "total": 2}, {})
    first = poll(platform, store, NOW)
    assert (first.events, first.complete) == (1, False)
    later = poll(platform, store, NOW + timedelta(hours=5), start=NOW)
    assert later.since == NOW


def test_wrong_credentials_and_places(platform: Platform, store: Store) -> None:
    """What no retry can mend is a ConfigurationError that names the field."""
    platform.before = lambda number, query: (401, b"", {})
    with pytest.raises(ConfigurationError, match="contacts_email and contacts_password"):
        poll(platform, store, NOW)
    with pytest.raises(ConfigurationError, match="api_key"):
        poll(platform, store, NOW, "supersend")
    for answer in ((404, b"", {}), (200, b"<html>", {}), (200, {"items": []}, {}), (302, b"", {})):
        platform.before = lambda number, query, answer=answer: answer  # type: ignore[misc]
        with pytest.raises(ConfigurationError, match="base URL"):
            poll(platform, store, NOW, "supersend")
    for source, field in (
        (SourceSettings("s", "tether"), "contacts_password"),
        (SourceSettings("s", "supersend"), "api_key"),
        (SourceSettings("s", "varda"), "webhook"),
    ):
        with pytest.raises(ConfigurationError, match=field):
            contact_list(source)
