"""Contact events as an asset to schedule DAGs on: ``schedule=[contact_events("crm", kinds=["replied"])]``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from urllib.parse import quote

from airflow.sdk import Asset, AssetWatcher

from airflow_outreach_provider.services.deliveries.reading_arguments import check_reading
from airflow_outreach_provider.triggers.outreach import ContactEventTrigger


def contact_events(
    consumer: str,
    kinds: Collection[str] | None = None,
    source: str | None = None,
    where: str | None = None,
    *,
    poll_interval: float = 5.0,
    routes: Sequence[str] | None = None,
    own_filter: bool = False,
) -> Asset:
    """An asset whose watcher begins a run whenever there is something to do for a consumer.

    Runs go on beside each other, as many as the DAG's ``max_active_runs``; each takes what is there when it
    begins, with a ``ContactEventSensor`` of the same consumer or code of its own. See
    :class:`~triggers.outreach.ContactEventTrigger` for what makes it ring.

    :param consumer: whose progress decides what is new, e.g. the name of the route.
    :param kinds, source, where: ring only for such events. Give the sensor the same.
    :param poll_interval: seconds between looks at the store.
    :param routes: whose deliveries count besides new events; by default those the consumer's sensor hands
        events out for, and the route of the consumer's own name.
    :param own_filter: the filter is the sensor's too; what it turns away is done with.
    :raises ConfigurationError: a ``where`` that cannot be read, a kind that does not exist, no kinds at all, a name that
        cannot be a consumer's, or anything of another kind.
    """
    check_reading(consumer, source, kinds, where)
    trigger = ContactEventTrigger(
        consumer, source, kinds, poll_interval, where=where, routes=routes, own_filter=own_filter
    )
    _, arguments = trigger.serialize()
    plain = arguments == ContactEventTrigger(consumer).serialize()[1]
    # Airflow knows an asset by its name, and gives it one definition's watchers: another filter is another asset.
    said = (
        "" if plain else "/" + hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:12]
    )
    name = f"contact_events/{consumer}{said}"
    uri = f"x-outreach://contact_events/{quote(consumer, '')}{said}"
    return Asset(name=name, uri=uri, watchers=[AssetWatcher(name=consumer, trigger=trigger)])
