"""An endpoint as deliveries know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from airflow_outreach_provider.core.request_form import RequestForm
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
    :ivar method, content_type: of requests whose route does not say; None for POST and JSON.
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
    method: str | None = None
    content_type: str | None = None
    authorization: Authorization | None = field(default=None, repr=False)

    def completed(self, form: RequestForm) -> RequestForm:
        """A route's form with what this endpoint says where the route does not."""
        return form.filled(self.method, self.content_type)
