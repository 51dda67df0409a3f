"""The request that would be sent for an event, made by what sends it; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from yarl import URL

from airflow_outreach_provider.core.deliveries import lane_of
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.signing import signer
from airflow_outreach_provider.net.webhook import OWN_HEADERS
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint
from airflow_outreach_provider.services.deliveries.requests import RequestMaker
from airflow_outreach_provider.services.deliveries.sender import message_headers
from airflow_outreach_provider.store.deliveries import saved
from airflow_outreach_provider.store.engine import Store


@dataclass(frozen=True, slots=True)
class RequestPreview:
    """One request as it would be.

    :ivar connection_headers: those of the endpoint's connection: keys may be among them.
    :ivar message_headers: those of the message, its signature among them; they win over the connection's.
    :ivar with_token: whether an access token would be fetched and shown as well.
    """

    method: str
    url: URL = field(repr=False)
    body: bytes = field(repr=False)
    connection_headers: Mapping[str, str] = field(repr=False)
    message_headers: Mapping[str, str] = field(repr=False)
    with_token: bool = False


def preview(
    store: Store,
    endpoint: Endpoint,
    route: str,
    form: RequestForm,
    event: ContactEvent,
    now: datetime,
    *,
    stored: bool,
) -> RequestPreview:
    """What a delivery of this event would send.

    :param stored: the event is of the inbox. Of one that somebody made up nothing is looked up: no raw body by its id,
        nothing saved by its contact.
    :raises ConfigurationError: the form cannot be used. :raises EventUnfit: this event cannot become a request.
    :raises SignatureError: the secrets do not fit the signature scheme.
    """
    maker = RequestMaker(store, endpoint.completed(form), endpoint.target.url)
    reads_saved = stored and maker.form.reads_saved
    known = saved.of_contact(store, endpoint.conn_id, lane_of(event)) if reads_saved else {}
    request = maker.one(event, known, is_stored=stored)
    sign = signer(endpoint.scheme, endpoint.secrets)
    return RequestPreview(
        request.method, request.url, request.body,
        connection_headers={**OWN_HEADERS, **endpoint.target.headers},
        message_headers=message_headers(request, event, route, sign, now),
        with_token=endpoint.authorization is not None,
    )  # fmt: skip
