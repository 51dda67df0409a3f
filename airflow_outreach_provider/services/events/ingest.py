"""Taking events in: proven, read, and committed before anybody hears "accepted".

Requests that arrive while a commit is under way are written together by the next one. So the price of a
durable commit is shared by as many events as wait for it, and none waits for more than two commits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue

from airflow_outreach_provider.core import intake
from airflow_outreach_provider.core.body_reading import read_parsed
from airflow_outreach_provider.core.errors import OutreachError, StoreError
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.core.opt_outs import read_opt_out
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import housekeeping as inbox_housekeeping
from airflow_outreach_provider.store.inbox.append import AppendResult

log = logging.getLogger(__name__)

MAX_GROUP = 256
_READ_ASIDE_BYTES = 64 * 1024

Clock = Callable[[], datetime]
Outcome = AppendResult | StoreError


def utc_now() -> datetime:
    """The host's clock, timezone-aware UTC."""
    return datetime.now(UTC)


class NotJson(OutreachError):
    """An authentic body that is not JSON."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """An authentic body that only asks whether the URL is ours. :ivar text: what is to be sent back."""

    text: str


@dataclass(slots=True)
class _Waiter:
    incoming: Incoming
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[AppendResult]


class Ingest:
    """The way into the inbox for a running process.

    One thread writes; any number of requests on any event loop wait for it. It starts with the first event.

    :param clock: the time signatures are judged by and events are stamped with; timezone-aware.
    """

    def __init__(self, store: Store, *, clock: Clock = utc_now, max_group: int = MAX_GROUP) -> None:
        self._store = store
        self._clock = clock
        self._max_group = max_group
        self._queue: SimpleQueue[_Waiter | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    async def take(
        self,
        source: SourceSettings,
        body: bytes,
        headers: Mapping[str, str],
        *,
        token: str | None = None,
        header_pairs: Iterable[tuple[str, str]] | None = None,
    ) -> AppendResult | Challenge:
        """Prove, read and store one request; returns after the commit.

        Of a request with several events: what became of the first that was new, else of the first.

        :raises SignatureError: not authentic; nothing was parsed or stored.
        :raises NotJson: authentic and not JSON; nothing was stored.
        :raises TooManyEvents: authentic, and more than one request may hold; nothing was stored.
        :raises StoreError: the store is away; nothing is known to be stored.
        """
        now = self._clock()
        intake.authenticate(source, body, headers, token=token, now=now)
        if (asked := intake.challenge(source, body)) is not None:
            return Challenge(asked)
        try:
            read = partial(intake.read_events, received_at=now, header_pairs=header_pairs)
            if len(body) > _READ_ASIDE_BYTES:  # it may hold thousands: nobody else waits for them
                events = await asyncio.to_thread(read, source, body, headers)
            else:
                events = read(source, body, headers)
        except ValueError as error:
            raise NotJson(str(error)) from None
        if len(events) == 1:
            return await self.append(events[0])
        stored = await asyncio.gather(*map(self.append, events))
        return next((each for each in stored if not each.duplicate), stored[0])

    async def append(self, incoming: Incoming) -> AppendResult:
        """Store one proven event; returns after the commit."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(incoming, loop, loop.create_future())
        if self._thread is None:
            self._start()
        self._queue.put(waiter)
        return await waiter.answer

    def close(self, timeout: float = 30.0) -> None:
        """Write what waits, then stop the thread; at most ``timeout`` seconds."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
            self._thread = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="outreach-inbox", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            group, last = self._next_group()
            if group:
                outcomes = write_group(self._store, [waiter.incoming for waiter in group])
                _tell_of_nobodys(self._store, [waiter.incoming for waiter in group], outcomes)
                _answer(group, outcomes)
            if last:
                return

    def _next_group(self) -> tuple[list[_Waiter], bool]:
        """Whoever waits now, at least one; and whether to stop after them."""
        first = self._queue.get()
        if first is None:
            return [], True
        group = [first]
        while len(group) < self._max_group:
            try:
                waiter = self._queue.get_nowait()
            except Empty:
                break
            if waiter is None:
                return group, True
            group.append(waiter)
        return group, False


def write_group(store: Store, group: Sequence[Incoming]) -> list[Outcome]:
    """Store a group in one transaction; what became of each.

    When that fails the halves are tried apart: an event the database cannot hold fails alone. When both
    halves fail too it is the store, and asking further would only keep everybody waiting.
    """
    try:
        return list(inbox_append.append(store, group))
    except StoreError as error:
        if len(group) == 1:
            return [error]
        half = len(group) // 2
        try:
            return [*inbox_append.append(store, group[:half]), *write_group(store, group[half:])]
        except StoreError:
            pass
        try:
            stored = inbox_append.append(store, group[half:])
        except StoreError:
            return [error] * len(group)
        return [*write_group(store, group[:half]), *stored]
    except Exception as error:  # the thread must live, and nobody may wait for ever
        log.exception("Writing %d events into the inbox failed in an unforeseen way", len(group))
        return [StoreError(f"the inbox could not be written: {type(error).__name__}")] * len(group)


def _tell_of_nobodys(store: Store, group: Sequence[Incoming], outcomes: Sequence[Outcome]) -> None:
    """Note, once a day for a source, that somebody opted out and nobody could be listed for it."""
    for incoming, outcome in zip(group, outcomes, strict=True):
        if not incoming.opts_out_nobody or isinstance(outcome, StoreError) or outcome.duplicate:
            continue
        event = incoming.event
        log.warning(
            "Event %s of source %s opts out and names nobody: nobody is listed", event.id, event.source
        )
        try:
            notices.note(
                store, NoticeKind.OPT_OUT_OF_NOBODY, event.source, f"event {event.id} opts out and names nobody",
                once=f"{event.received_at:%Y-%m-%d}",
            )  # fmt: skip
        except StoreError:
            log.exception("What event %s says could not be noted", event.id)


def _answer(group: Sequence[_Waiter], outcomes: Sequence[Outcome]) -> None:
    """Wake everybody, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiter, Outcome]]] = {}
    for waiter, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(waiter.loop, []).append((waiter, outcome))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake, answers)
        except RuntimeError:
            log.debug("An event loop ended while %d of its events were being stored", len(answers))


def _wake(answers: Sequence[tuple[_Waiter, Outcome]]) -> None:
    for waiter, outcome in answers:
        if waiter.answer.done():
            continue  # the request was given up; the event is stored all the same
        if isinstance(outcome, StoreError):
            waiter.answer.set_exception(outcome)
        else:
            waiter.answer.set_result(outcome)


def read_unrecognised_again(store: Store, sources: Callable[[str], SourceSettings | None]) -> int:
    """After an upgrade: read stored unrecognised events with today's parsers; how many are known now.

    They become new to every consumer, and who opts out in one is listed. Of what stays unrecognised that is who has not
    been taken off the list since; a stop word the carrier heard is left to the carrier, for a START may have followed.
    A source that is gone leaves its events as they are.
    """

    def read_again(
        event: ContactEvent, body: bytes, headers: Mapping[str, str]
    ) -> inbox_housekeeping.ReadAgain | None:
        source = sources(event.source)
        if source is None or source.platform != event.platform:
            return None
        parsed = read_parsed(source, body, headers)
        said = read_opt_out(parsed, source.default_region)
        if parsed.kind is EventKind.UNRECOGNISED and (said is None or said.by_stop_word):
            return None
        return inbox_housekeeping.ReadAgain(intake.build(source, parsed, event.id, event.received_at), said)

    return inbox_housekeeping.reparse(store, read_again)
