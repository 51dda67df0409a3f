"""What one doorbell sees of the store: everything that may be delivered now and is in nobody's hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from airflow_outreach_provider.core.deliveries import lane_of
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.expressions.compile import compile_where
from airflow_outreach_provider.core.expressions.scope import EVENT
from airflow_outreach_provider.services.deliveries.fan_out import Reading
from airflow_outreach_provider.store.deliveries import deliverable
from airflow_outreach_provider.store.deliveries.deliverable import ConsumerProgress, FreeDelivery, Glance
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.consumers import pass_by, register
from airflow_outreach_provider.store.inbox.filters import note_filter

# Enough to know that there is something; a run takes what is there, seen or not.
_MOST = 200
_NOTE_EVERY_SECONDS = 3600.0
# What a filter turns away is written down so often at most: with many routes every event is one that most turn away.
_PASS_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Deliverable:
    """What waits for a consumer.

    :ivar events: numbers of the events it may read now. :ivar deliveries: those that are with nobody.
    :ivar handed: numbers of events that were handed out and are not acknowledged.
    """

    events: frozenset[int] = frozenset()
    deliveries: frozenset[FreeDelivery] = frozenset()
    handed: frozenset[int] = frozenset()

    @property
    def free(self) -> frozenset[Hashable]:
        """What is in nobody's hands."""
        return self.events | self.deliveries

    @property
    def count(self) -> int:
        """How much waits, as far as it was counted."""
        return len(self.events) + len(self.deliveries) + len(self.handed)

    @property
    def newest(self) -> int:
        """The number of the newest event that waits; 0 without one."""
        return max(self.events | self.handed, default=0)


class Doorbell:
    """Looks for one consumer; an event is read once, however long it waits.

    An event whose contact has an earlier one with some task does not count until that one is done: a run for it
    would have nothing to do.

    :param reading: the consumer and its filter; ``routes`` empty: those its sensor hands events out for, and
        the one of the consumer's own name.
    :param own_filter: this is all that the consumer reads: what the filter turns away is passed for good.
    """

    def __init__(self, reading: Reading, *, own_filter: bool) -> None:
        self.reading, self.own_filter = reading, own_filter
        matches = compile_where(reading.where, EVENT) if reading.where is not None else None
        self._matches: Callable[[ContactEvent], bool] = (
            (lambda event: bool(matches(event.to_dict()))) if matches else (lambda _: True)
        )
        self._reached, self._note_at, self._pass_at = 0, 0.0, 0.0
        self._lanes: dict[int, str] = {}

    def look(self, store: Store, glance: Glance) -> Deliverable:
        """What waits now. Costs nothing where ``glance`` has nothing for this consumer.

        :raises ConfigurationError: an unknown kind, or a name that cannot be a consumer's.
        """
        name = self.reading.consumer
        progress = glance.consumers.get(name) or ConsumerProgress(register(store, name), False, ())
        if self.own_filter and time.monotonic() >= self._note_at:
            self._note_at = time.monotonic() + _NOTE_EVERY_SECONDS
            note_filter(store, name, self.reading.source, self.reading.kinds, rung_for=True)
        routes = self.reading.routes or tuple({name, *progress.routes})
        self._read_on(store, progress, glance)
        pending = self._pending(store) if progress.pending else []
        wished = {event.seq or 0: lane_of(event) for event, again in pending if again}
        return Deliverable(
            self._free(store, set(routes) - glance.resting - glance.served, self._lanes | wished),
            frozenset(
                deliverable.free_deliveries(store, routes, _MOST)
                if glance.routes.intersection(routes)
                else ()
            ),
            frozenset(event.seq or 0 for event, again in pending if not again),
        )

    def _read_on(self, store: Store, progress: ConsumerProgress, glance: Glance) -> None:
        """Note which new events pass the filter, and whose they are."""
        position, last = progress.position, glance.last
        self._lanes = {seq: lane for seq, lane in self._lanes.items() if seq > position}
        # Smaller than before: the consumer was removed, and starts anew.
        self._reached = max(position, min(self._reached, last))
        while self._reached < last and len(self._lanes) < _MOST:
            found, self._reached = self._next(store, glance)
            self._lanes |= {event.seq or 0: lane_of(event) for event in found if self._matches(event)}
        passed = self._reached - position if self.own_filter and not self._lanes else 0
        if passed >= _MOST or (passed > 0 and time.monotonic() >= self._pass_at):
            self._pass_at = time.monotonic() + _PASS_EVERY_SECONDS
            pass_by(store, self.reading.consumer, position, self._reached)

    def _next(self, store: Store, glance: Glance) -> tuple[list[ContactEvent], int]:
        """Events by source and kinds, and up to which number: of what was read for all, where that goes on from here."""
        after, upto = glance.news_of
        if after <= self._reached < upto:
            news = [each for each in glance.news if (each.seq or 0) > self._reached]
            return [each for each in news if self._reads(each)], upto
        found = deliverable.unread(
            store, source=self.reading.source, kinds=self.reading.kinds, after=self._reached, upto=glance.last,
            limit=_MOST,
        )  # fmt: skip
        return found, (found[-1].seq or glance.last) if len(found) == _MOST else glance.last

    def _reads(self, event: ContactEvent) -> bool:
        """As ``store.inbox.filters.conditions_of`` says it in SQL."""
        source, kinds = self.reading.source, self.reading.kinds
        of_kind = event.kind is not EventKind.UNRECOGNISED if kinds is None else event.kind.value in kinds
        return of_kind and (source is None or event.source == source)

    def _pending(self, store: Store) -> list[tuple[ContactEvent, bool]]:
        found = deliverable.handed_out(
            store, self.reading.consumer, source=self.reading.source, kinds=self.reading.kinds, limit=_MOST
        )
        return [(event, again) for event, again in found if self._matches(event)]

    def _free(self, store: Store, routes: Iterable[str], lanes: Mapping[int, str]) -> frozenset[int]:
        routes = list(routes)
        if not lanes or not routes:
            return frozenset()
        busy = deliverable.busy_lanes(store, routes, set(lanes.values()))
        return frozenset(
            seq for seq, lane in lanes.items() if any((route, lane) not in busy for route in routes)
        )
