"""What people do to deliveries, events, endpoints and sources, in the UI or the CLI: written down, then done."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.store import audit, deliveries_admin, endpoints, inbox, sources
from airflow_outreach_provider.store.deliveries_admin import Filter
from airflow_outreach_provider.store.endpoints import Release
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import Consumer

_BY_HAND = "by hand"
REDELIVERABLE = (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.IGNORED)


@dataclass(frozen=True, slots=True)
class Events:
    """Which events to replay. :ivar since: received at or after; :ivar until: received before."""

    source: str | None = None
    kinds: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_ids: Collection[str] | None = None

    def count(self, store: Store, consumer: str) -> int:
        """How many a replay for this consumer would bring."""
        return self._replay(store, consumer, dry_run=True)

    def replay(self, store: Store, consumer: str, *, actor: str, expected: int) -> int:
        """Let the consumer read them again; how many. :param expected: what :meth:`count` said."""
        subject = f"{consumer}: {self}"
        return audited(store, actor, "replay", subject, expected, lambda: self._replay(store, consumer))

    def _replay(self, store: Store, consumer: str, *, dry_run: bool = False) -> int:
        return inbox.replay(
            store, consumer, since=self.since, until=self.until, source=self.source, kinds=self.kinds,
            event_ids=self.event_ids, dry_run=dry_run,
        )  # fmt: skip

    def __str__(self) -> str:
        if self.event_ids is not None:
            return _some(sorted(self.event_ids))
        kinds = ", ".join(sorted(self.kinds)) if self.kinds else None
        return said(source=self.source, kind=kinds, since=self.since, until=self.until)


def consumer(store: Store, name: str) -> Consumer:
    """A consumer's progress.

    :raises ConfigurationError: there is no such consumer.
    """
    known = {each.name: each for each in inbox.consumers(store)}
    if name not in known:
        raise ConfigurationError(
            f"there is no consumer {name!r}", "airflow outreach events consumers lists them"
        )
    return known[name]


def remove_consumer(store: Store, known: Consumer, *, actor: str) -> None:
    """Remove a consumer's progress; what waited for it can be purged then."""
    waiting = known.behind + known.pending
    audited(
        store, actor, "remove consumer", known.name, waiting,
        lambda: waiting if inbox.forget_consumer(store, known.name) else 0,
    )  # fmt: skip


def redeliverable(store: Store, wanted: Filter) -> dict[str, int]:
    """How many deliveries a redelivery would make pending again, by the state they are in now."""
    counts = deliveries_admin.count(store, wanted)
    return {state.value: counts[state.value] for state in REDELIVERABLE if counts.get(state.value)}


def redeliver(store: Store, wanted: Filter, *, actor: str, expected: int) -> int:
    """Make deliveries pending again, with all their tries; how many.

    :param expected: how many :func:`redeliverable` counted.
    """
    subject = _some([str(each) for each in wanted.ids]) if wanted.ids else said(
        state=", ".join(wanted.states), route=wanted.route, endpoint=wanted.endpoint, kind=", ".join(wanted.kinds),
        event=_some(list(wanted.event_ids)), since=wanted.since, until=wanted.until,
    )  # fmt: skip
    return audited(
        store, actor, "redeliver", subject, expected, lambda: deliveries_admin.redeliver(store, wanted)
    )


def enable_endpoint(store: Store, conn_id: str, release: Release, *, actor: str) -> int:
    """Let deliveries to an endpoint go on; how many held ones are sent."""
    waiting = held(store, conn_id)
    return audited(
        store, actor, "enable endpoint", f"{conn_id} ({release.value})", waiting,
        lambda: endpoints.enable(store, conn_id, release),
    )  # fmt: skip


def held(store: Store, conn_id: str) -> int:
    """Deliveries that wait for an endpoint to be enabled."""
    counts = deliveries_admin.count(store, Filter(endpoint=conn_id, states=[DeliveryState.HELD]))
    return counts.get(DeliveryState.HELD.value, 0)


def disable_endpoint(store: Store, conn_id: str, *, reason: str, actor: str) -> bool:
    """Stop deliveries to an endpoint; they are held. Whether it was enabled before."""
    disable = partial(endpoints.disable, store, conn_id, reason=reason or _BY_HAND, by=actor)
    return _switched(store, actor, "disable endpoint", conn_id, disable)


def enable_source(store: Store, conn_id: str, *, actor: str) -> bool:
    """Take events of a source again. Whether it was off before."""
    return _switched(store, actor, "enable source", conn_id, partial(sources.enable, store, conn_id))


def disable_source(store: Store, conn_id: str, *, reason: str, actor: str) -> bool:
    """Take no more events of a source. Whether it was on before."""
    disable = partial(sources.disable, store, conn_id, reason=reason or _BY_HAND, by=actor)
    return _switched(store, actor, "disable source", conn_id, disable)


def _switched(store: Store, actor: str, action: str, conn_id: str, switch: Callable[[], bool]) -> bool:
    return bool(audited(store, actor, action, conn_id, 1, lambda: int(switch())))


def audited(store: Store, actor: str, action: str, subject: str, count: int, do: Callable[[], int]) -> int:
    """Write down, do, and correct what was written by what was done; an action that fails says so.

    :param count: rows it is expected to change. :return: rows it changed.
    """
    written = audit.record(store, actor, action, subject=subject, count=count, note="begun")
    try:
        done = do()
    except Exception as error:
        audit.settle(store, written, count=0, note=f"failed: {type(error).__name__}")
        raise
    audit.settle(store, written, count=done, note="done")
    return done


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def said(**conditions: object) -> str:
    """A filter in words, for the audit: ``state dead, route crm``; ``all`` where nothing restricts."""
    return ", ".join(f"{name} {value}" for name, value in conditions.items() if value) or "all"
