"""Sources and endpoints as their page shows them: Airflow's connections, and what the store learnt of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

from airflow.models.connection import Connection
from fastapi import HTTPException
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError
from airflow_outreach_provider.core.masking import mask_text, shown_host
from airflow_outreach_provider.hooks.endpoints import ENDPOINT_TYPES, OutreachEndpointHook, read_endpoint
from airflow_outreach_provider.hooks.listing import connection_names
from airflow_outreach_provider.hooks.settings import consumer_abandoned_after
from airflow_outreach_provider.hooks.sources import ListedSource, list_sources, source_url
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.notices import NO_RUN_READS_THEM, not_read
from airflow_outreach_provider.store.deliveries import endpoints, rests
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.inbox import progress
from airflow_outreach_provider.store.inbox.sources import SourceStatus
from airflow_outreach_provider.store.inbox.sources import statuses as source_statuses
from airflow_outreach_provider.web.rendering import capped

T = TypeVar("T")

log = logging.getLogger(__name__)

# A live page must not ask a secrets backend at every look.
_KEEP_SECONDS = 10.0
_seen: dict[str, tuple[float, Any]] = {}


class Trouble(BaseModel):
    """A source, endpoint or API that somebody should look at, and where its page has it.

    ``since``: when it began; ``until``: when it is asked again; where known.
    """

    name: str
    health: str
    why: str
    anchor: str
    since: datetime | None = None
    until: datetime | None = None


class SourceHealth(BaseModel):
    """A way in. ``url`` is what to paste into the platform, without a token. ``health``: new, healthy, refusing,
    off, broken."""

    name: str
    platform: str | None
    url: str
    how_to_connect: str | None
    proof: str | None
    problem: str | None
    health: str
    last_event_at: datetime | None
    last_kind: str | None
    disabled_at: datetime | None
    disabled_by: str
    disabled_reason: str
    refused: int = Field(description="requests turned away so far")
    refused_at: datetime | None
    refused_status: int | None
    refused_reason: str

    @property
    def anchor(self) -> str:
        """Where on the page it is."""
        return f"source-{quote(self.name, '')}"


class EndpointHealth(BaseModel):
    """An endpoint deliveries go to. ``health``: new, healthy, failing, resting, disabled, broken."""

    name: str
    url: str | None = Field(description="whole for people with edit rights, who may see tokens in it")
    signature: str | None
    kinds: list[str] | None
    health: str
    problem: str | None
    failures: int
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_by: str
    resting_since: datetime | None
    rest_until: datetime | None
    waiting: int = Field(description="open deliveries while it rests, counted up to 1,001")
    last_at: datetime | None
    last_status: int | None
    last_error: str
    last_success_at: datetime | None

    @property
    def anchor(self) -> str:
        """Where on the page it is."""
        return f"endpoint-{quote(self.name, '')}"

    @property
    def waiting_shown(self) -> str:
        """How many wait, counted no further than what is asked of the store."""
        return capped(self.waiting, rests.MOST_WAITING)


def troubled(store: Store) -> list[Trouble]:
    """Sources and endpoints that somebody should look at."""
    found = [
        Trouble(name=each.name, health=each.health, why=_why_source(each), anchor=each.anchor)
        for each in sources(store)
        if each.health in ("off", "refusing", "broken")
    ]
    found += [
        Trouble(
            name=each.name,
            health=each.health,
            why=each.problem or _why_endpoint(each),
            anchor=each.anchor,
            until=each.rest_until if each.health == "resting" else None,
        )
        for each in targets(store, whole_url=False)
        if each.health in ("failing", "resting", "disabled", "broken")
    ]
    unread = stalled_routes(store)
    return found + unread + abandoned_consumers(store, {each.name for each in unread})


def stalled_routes(store: Store) -> list[Trouble]:
    """Consumers whose events wait and that no run reads: a ring that leads to nothing must not be silent."""
    return [
        Trouble(
            name=each.consumer, health="not read", anchor="sources", since=each.since,
            why=f"{each.count:,} events wait and {NO_RUN_READS_THEM}",
        )
        for each in not_read(store)
    ]  # fmt: skip


def abandoned_consumers(store: Store, told: Collection[str]) -> list[Trouble]:
    """Consumers that have not looked for so long that their events are purged unread.

    :param told: names that are in the list for another reason.
    """
    try:
        after = consumer_abandoned_after()
    except ConfigurationError as error:
        return [Trouble(name="airflow.cfg", health="broken", why=str(error), anchor="sources")]
    now = store.now()
    return [
        Trouble(
            name=each.name, health="abandoned", anchor="sources", since=each.looked_at or each.read_at,
            why=f"It has not looked for long; {each.behind + each.pending:,} events wait and are kept no longer than others. "
            f"Is it gone? airflow outreach events remove-consumer {each.name}.",
        )
        for each in progress.consumers(store)
        if each.abandoned(now, after) and each.behind + each.pending and each.name not in told
    ]  # fmt: skip


def _why_endpoint(endpoint: EndpointHealth) -> str:
    if endpoint.health == "resting" and endpoint.rest_until:
        return f"{endpoint.last_error} — {endpoint.waiting_shown} deliveries wait."
    return endpoint.last_error or "Its deliveries are held."


def _why_source(source: SourceHealth) -> str:
    if source.problem:
        return source.problem
    if source.disabled_at:
        return source.disabled_reason or "Its requests are answered 503."
    return f"{source.refused_status}: {source.refused_reason}"


def sources(store: Store) -> list[SourceHealth]:
    """Every source, by name."""
    listed = source_list()
    activity = inbox_lists.source_activity(store, [each.name for each in listed])
    known = source_statuses(store)
    found = []
    for each in listed:
        last = activity.get(each.name)
        settings = each.settings
        status = known.get(each.name) or SourceStatus(each.name)
        found.append(
            SourceHealth(
                name=each.name,
                platform=settings.platform if settings else None,
                url=source_url(each.name),
                how_to_connect=settings.facts.how_to_connect if settings else None,
                proof=settings.proof if settings else None,
                problem=each.problem,
                health=_source_health(each, status, last.last_received_at if last else None),
                last_event_at=last.last_received_at if last else None,
                last_kind=last.last_kind if last else None,
                disabled_at=status.disabled_at,
                disabled_by=status.disabled_by,
                disabled_reason=mask_text(status.disabled_reason),
                refused=status.refused,
                refused_at=status.refused_at,
                refused_status=status.refused_status,
                refused_reason=status.refused_reason,
            )
        )
    return found


def source_list() -> list[ListedSource]:
    """The sources as connections; asked for anew after a few seconds."""
    return kept("sources", lambda: list(list_sources()))


def targets(store: Store, *, whole_url: bool) -> list[EndpointHealth]:
    """Every endpoint that is a connection or ever got a delivery, by name."""
    known = {status.conn_id: status for status in endpoints.statuses(store)}
    names = set(known) | set(kept("endpoints", lambda: connection_names(OutreachEndpointHook.conn_type)))
    waiting = rests.waiting(store, [each.conn_id for each in known.values() if each.resting_since])
    return [
        _target(
            name, known.get(name) or endpoints.EndpointStatus(name), waiting.get(name, 0), whole_url=whole_url
        )
        for name in sorted(names)
    ]


def get_endpoint(name: str) -> Endpoint:
    """The endpoint of a connection, read in the API server.

    :raises ConfigurationError: there is none, or one of its fields cannot be used.
    """
    connection = _connection(name)
    if connection is None or connection.conn_type not in ENDPOINT_TYPES:
        raise ConfigurationError(
            f"there is no endpoint {name!r}", "create a connection of type outreach_endpoint with this id"
        )
    return read_endpoint(connection)


def read_or_problem(name: str, read: Callable[[], T]) -> tuple[T | None, str | None]:
    """What a connection says, or what is wrong with it: one broken connection must not hide the others."""
    try:
        return read(), None
    except OutreachError as error:
        return None, str(error)
    except Exception as error:  # a changed Fernet key, an extra that is no object
        log.debug("The connection %s cannot be read", name, exc_info=True)
        return None, f"the connection cannot be read ({type(error).__name__}): save it again"


def or_not_found(require: Callable[..., None], *what: object) -> None:
    """A name that is neither a connection nor anything that happened here is a typing mistake: 404."""
    try:
        require(*what)
    except ConfigurationError as error:
        raise HTTPException(404, str(error)) from error


def _target(name: str, status: endpoints.EndpointStatus, waiting: int, *, whole_url: bool) -> EndpointHealth:
    endpoint, problem = read_or_problem(name, lambda: kept(f"endpoint {name}", lambda: get_endpoint(name)))
    url = endpoint.target.url if endpoint else None
    text = str(url) if url is not None else None
    return EndpointHealth(
        name=name,
        url=text if whole_url or text is None else _host_of(text),
        signature=endpoint.scheme.value if endpoint else None,
        kinds=sorted(endpoint.kinds) if endpoint and endpoint.kinds is not None else None,
        health=_health(status, endpoint),
        problem=problem,
        failures=status.failures,
        failing_since=status.failing_since,
        disabled_at=status.disabled_at,
        disabled_by=status.disabled_by,
        resting_since=status.resting_since,
        rest_until=status.rest_until,
        waiting=waiting,
        last_at=status.last_at,
        last_status=status.last_status,
        last_error=mask_text(status.disabled_reason or status.rest_reason or status.last_error),
        last_success_at=status.last_success_at,
    )


def _source_health(source: ListedSource, status: SourceStatus, last_event_at: datetime | None) -> str:
    if source.problem:
        return "broken"
    if status.disabled_at:
        return "off"
    if status.is_refusing(last_event_at):
        return "refusing"
    return "healthy" if last_event_at else "new"


def _health(status: endpoints.EndpointStatus, endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "broken"
    if status.disabled_at or not endpoint.enabled:
        return "disabled"
    if status.resting_since:
        return "resting"
    if status.failing_since:
        return "failing"
    return "healthy" if status.last_success_at else "new"


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{shown_host(parts.hostname or '')}/…"


def kept(key: str, read: Callable[[], T]) -> T:
    """What was read lately; asked for anew after a few seconds."""
    at, value = _seen.get(key, (0.0, None))
    if time.monotonic() - at > _KEEP_SECONDS or key not in _seen:
        value = read()
        _seen[key] = (time.monotonic(), value)
    return cast("T", value)


def _connection(name: str) -> Connection | None:
    """As Airflow looks it up, but for the URI it makes of each, which it logs a warning about for types with a ``_``."""
    from airflow.configuration import ensure_secrets_loaded
    from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

    for backend in ensure_secrets_loaded():
        try:
            found: Connection | None = backend.get_connection(conn_id=name)
        except AirflowSecretsBackendAccessDenied:
            raise  # nobody else is to be asked then
        except Exception:  # noqa: BLE001, S112 - one that is away hides no other
            continue
        if found is not None:
            return found
    return None
