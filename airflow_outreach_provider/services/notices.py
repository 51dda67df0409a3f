"""Operational events: found where nobody else notices them, and handed to whoever is to hear of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta

from airflow_outreach_provider.core.notices import Notice, NoticeKind
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.deliveries import rests
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import source_activity
from airflow_outreach_provider.store.inbox.progress import Stalled, stalled
from airflow_outreach_provider.store.inbox.sources import statuses

log = logging.getLogger(__name__)

# Many times as long as it takes from an event to a run on a busy Airflow.
STALLED_AFTER = timedelta(minutes=15)
NO_RUN_READS_THEM = (
    "no run reads them: is its DAG unpaused, has it runs to spare, and does the triggerer run?"
)


def tell(store: Store, subjects: Collection[str], hear: Callable[[Notice], None]) -> int:
    """Tell what nobody was told yet; how many. What cannot be told now is told by the next one who tries.

    :param subjects: routes, endpoints, campaigns whose notices are ours.
    """
    look_around(store)
    found = notices.take_untold(store, subjects)
    for number, notice in found.items():
        try:
            hear(notice)
        except Exception:
            # Whatever a user's function does, the task's own result must not change by it.
            log.exception("An operational event could not be told: %s %s", notice.kind.value, notice.subject)
            notices.untell(store, [number])
    return len(found)


def look_around(store: Store) -> None:
    """Note what shows only from outside: sources that turn everything away, events that no run reads."""
    now = store.now()
    refused = {
        name: each
        for name, each in statuses(store).items()
        if each.refused_at and not each.disabled_at and now - each.refused_at < timedelta(days=1)
    }
    activity = source_activity(store, list(refused))
    for name, status in refused.items():
        good = activity[name].last_received_at if name in activity else None
        if status.is_refusing(good):
            notices.note(
                store, NoticeKind.SOURCE_REFUSING, name, f"{status.refused_status}: {status.refused_reason}",
                once=good.isoformat() if good else f"{now:%Y-%m-%d}",
            )  # fmt: skip
    for each in not_read(store):
        notices.note(
            store, NoticeKind.EVENTS_NOT_READ, each.consumer, not_read_words(each), count=each.count,
            once=each.since.isoformat(),
        )  # fmt: skip


def not_read(store: Store) -> list[Stalled]:
    """Consumers whose events wait and that no run reads; not those whose route's endpoint rests."""
    found = stalled(store, store.now() - STALLED_AFTER)
    if not found:
        return []
    with store.read() as connection:
        resting = rests.resting_routes(connection, store.now(connection))
    return [each for each in found if each.consumer not in resting]


def not_read_words(each: Stalled) -> str:
    """What is wrong, and where to look."""
    return f"{each.count:,} events wait since {each.since:%Y-%m-%d %H:%M} UTC and {NO_RUN_READS_THEM}"
