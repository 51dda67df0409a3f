"""An endpoint as deliveries know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.net.webhook import Target
from airflow_outreach_provider.services.deliveries.tokens import Authorization


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as its connection describes it.

    :ivar secrets: newest first; all sign where the scheme allows it.
    :ivar kinds: the kinds of event it subscribes to; None for all.
    :ivar requests_per_second: over all tasks together; None for no limit.
    :ivar authorization: how an access token is had, where it wants one.
    :ivar disabled_after: without one success for so long it is disabled; None for ``core.rests.DISABLE_AFTER``.
    """

    conn_id: str
    target: Target
    scheme: Scheme = Scheme.NONE
    secrets: tuple[str, ...] = field(default=(), repr=False)
    kinds: frozenset[str] | None = None
    enabled: bool = True
    requests_per_second: float | None = None
    disabled_after: timedelta | None = None
    authorization: Authorization | None = field(default=None, repr=False)
