"""The outreach API as an Airflow hook: connection handling by the http provider, answers by our own table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow.providers.http.hooks.http import HttpHook

from airflow_outreach_provider.core.arguments import check_text, wrong
from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    LeadRejected,
    OutcomeUnknown,
    OutreachError,
    OutreachUnavailable,
)
from airflow_outreach_provider.core.leads import (
    Lead,
    PayloadFormat,
    build_lead,
    build_mapper,
    check_format,
    names_configuration,
)
from airflow_outreach_provider.core.masking import shown_url, shown_value
from airflow_outreach_provider.core.outcomes import SubmitAnswer, SubmitOutcome
from airflow_outreach_provider.core.pacing import MOST_AT_ONCE
from airflow_outreach_provider.core.phones import check_region
from airflow_outreach_provider.core.times import read_time
from airflow_outreach_provider.hooks.connection_fields import (
    OUTREACH_DEFAULT,
    existing,
    read_base_url,
    read_count,
    read_extra,
    read_headers,
    read_number,
    read_text,
)
from airflow_outreach_provider.hooks.tested import as_known, read_a_page, with_unread
from airflow_outreach_provider.net.contacts import TetherContacts
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.events.poll import contact_id
from airflow_outreach_provider.services.runtime.loop import run_async

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from requests import Session

T = TypeVar("T")

# What a URL in the environment makes of one, and what says nothing of another kind of system.
_OF_ANY_SERVICE = ("http", "https", "generic", "", None)
# Somebody waits for a test.
_TEST_PAUSE = 0.1
# What an http connection's extra may say; everything else in ours is ours, and no header.
_HTTP_OPTIONS = (
    "verify", "verify_ssl", "cert", "proxies", "proxy", "trust_env", "timeout", "stream", "max_redirects", "srv_lookup",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutreachConnection:
    """An ``outreach`` connection, read and checked."""

    api: ApiSettings
    configuration_id: str | None
    default_region: str | None
    max_concurrency: int
    requests_per_second: float | None
    contacts_email: str | None = field(repr=False)
    contacts_password: str | None = field(repr=False)


class OutreachHook(HttpHook):
    """Talk to the outreach API (Tether's outreach webhook).

    This is the wire, without a memory: who is submitted here twice may be texted twice. DAGs use
    ``SubmitLeadsOperator``, which keeps the ledger.

    :param outreach_conn_id: a connection of type ``outreach``.
    """

    conn_name_attr = "outreach_conn_id"
    default_conn_name = OUTREACH_DEFAULT
    conn_type = "outreach"
    hook_name = "Outreach API"

    def __init__(self, outreach_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        kwargs.setdefault("http_conn_id", outreach_conn_id)
        super().__init__(**kwargs)
        self.outreach_conn_id = outreach_conn_id
        self._settings: OutreachConnection | None = None

    # -- connection ----------------------------------------------------------------------------------------

    @property
    def settings(self) -> OutreachConnection:
        """The connection, read once.

        :raises ConfigurationError: there is none, or a field of it is missing or cannot be read; the message names it.
        """
        if self._settings is None:
            remedy = "add it with type outreach, the base URL as host and the API Integration Key as password"
            self._settings = self._read(existing(self.get_connection, self.outreach_conn_id, remedy))
        return self._settings

    def client(self) -> OutreachClient:
        """An async session for many submissions; enter it with ``async with``."""
        return OutreachClient(self.settings.api)

    def contacts(self) -> TetherContacts | None:
        """The platform's contact list; None where the connection has no log-in for it."""
        return _contact_list(self.settings)

    def list_contacts(self, updated_since: datetime | str | None = None) -> list[dict[str, Any]]:
        """The contacts of the platform, as it gives them.

        :param updated_since: only those created or updated at this time or later; a time without a zone is UTC, and ISO 8601
            as text is one too.
        :raises ConfigurationError: that is no time; the connection has no log-in for the contact list, or it is refused.
        :raises OutreachUnavailable: the list does not answer.
        """
        since = read_time(updated_since)
        if since is None and updated_since is not None:
            raise wrong(
                "updated_since", updated_since, "give a datetime, e.g. datetime(2026, 3, 25, tzinfo=UTC)"
            )
        contacts = self.contacts()
        if contacts is None:
            raise ConfigurationError(
                f"connection {self.outreach_conn_id!r} has no log-in for the contact list",
                "set contacts_email and contacts_password in its extra",
            )
        rows = run_async(_every_contact(contacts))
        return [row for row in rows if since is None or _touched(row) >= since]

    def submit_lead(
        self,
        lead: Lead | Mapping[str, Any],
        *,
        configuration_id: str | None = None,
        payload_format: PayloadFormat = "raw",
    ) -> dict[str, str | None]:
        """Submit one lead, once, now.

        :param lead: a Lead, or a mapping with ``phoneNumber`` (or ``phone``), ``firstName``, … and custom keys.
        :return: ``contactId``, ``conversationId`` and ``applicationId`` as the API gave them.
        :raises LeadRejected: the lead is not valid, or the API refused it.
        :raises ConfigurationError: a fault that is the same for every lead.
        :raises OutreachUnavailable: nothing was processed; carries ``retry_after``.
        :raises OutcomeUnknown: it was sent and nobody knows what became of it.
        """
        check_format(None, payload_format)
        check_text("configuration_id", configuration_id, "write a text, in quotes")
        if not isinstance(lead, Lead):
            lead = self._lead(lead, configuration_id or self.settings.configuration_id, payload_format)
        answer = self._ask(lead.body(payload_format).encode())
        if answer.outcome is SubmitOutcome.ACCEPTED:
            return {
                "contactId": answer.contact_id,
                "conversationId": answer.conversation_id,
                "applicationId": answer.application_id,
            }
        raise _error_of(answer)

    def _lead(self, given: object, configuration_id: str | None, payload_format: PayloadFormat) -> Lead:
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise LeadRejected("row_not_object", "the lead is not a mapping of names and values")
        values = build_mapper(None, lambda template: lambda row: template)(given)
        if not configuration_id and not names_configuration(values):
            raise ConfigurationError(
                f"neither the lead nor connection {self.outreach_conn_id!r} names a configuration",
                "pass configuration_id, or set it in the connection's extra",
            )
        lead, _ = build_lead(
            values,
            configuration_id=configuration_id,
            region=self.settings.default_region,
            payload_format=payload_format,
        )
        return lead

    def test_connection(self) -> tuple[bool, str]:
        """Tell a good key from a bad one, an unreachable host and a wrong base URL; texts nobody, creates nothing.

        The request names no configuration: the API documents 400 for it when the key is good, 401 when not.
        """
        return as_known(self._test(), self.outreach_conn_id)

    def _test(self) -> tuple[bool, str]:
        try:
            answer = self._ask(b"{}")
            told = answer.status == 400, _told(answer, shown_url(self.settings.api.base_url))
            if told[0]:
                told = True, told[1] + _told_of_list(self.settings, self.outreach_conn_id)
        except OutreachError as error:
            return False, str(error)
        return with_unread(told, self.get_connection(self.outreach_conn_id), (*_HTTP_OPTIONS, "headers"))

    # -- how the http provider's hook is fed ---------------------------------------------------------------

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> Session:
        """A ``requests`` session with the connection's TLS and proxy options, authorised by the API key."""
        session = super().get_conn(headers, extra_options)
        password = self.get_connection(self.outreach_conn_id).password
        session.auth = None
        session.headers["Authorization"] = f"Bearer {(password or '').strip()}"
        return session

    def _set_base_url(self, connection: Any) -> None:
        self.base_url = read_base_url(connection)
        self._base_url_initialized = True

    def _configure_session_from_extra(
        self, session: Session, connection: Any, extra_options: dict[str, Any]
    ) -> Session:
        from airflow.sdk import Connection

        extra = read_extra(connection)
        said = {name: extra[name] for name in _HTTP_OPTIONS if extra.get(name) is not None}
        headers = read_headers(extra, f"connection {self.outreach_conn_id!r}")
        stripped = Connection(
            conn_id=connection.conn_id,
            conn_type="http",
            host=connection.host,
            extra=json.dumps({**headers, **said}),
        )
        return super()._configure_session_from_extra(session, stripped, extra_options)

    def _read(self, connection: Connection) -> OutreachConnection:
        extra = read_extra(connection)
        where = f"connection {self.outreach_conn_id!r}"
        if connection.conn_type not in {self.conn_type, *_OF_ANY_SERVICE}:
            raise ConfigurationError(
                f"{where} is of type {connection.conn_type or ''!r}", f"name one of type {self.conn_type}"
            )
        if not (connection.password or "").strip():
            raise ConfigurationError(
                f"{where} has no API key", "put the API Integration Key into its password"
            )
        session = self.get_conn()
        base_url = self.base_url
        proxies = session.proxies or {}
        proxy = proxies.get(urlsplit(base_url).scheme) if isinstance(proxies, Mapping) else str(proxies)
        return OutreachConnection(
            api=ApiSettings(
                base_url=base_url,
                api_key=(connection.password or "").strip(),
                timeout=read_number(extra, "timeout", 30.0, where),
                verify=True if session.verify is None else session.verify,
                cert=_certificate(session.cert, where),
                proxy=proxy or None,
                trust_env=bool(session.trust_env),
                headers=read_headers(extra, where),
            ),
            configuration_id=read_text(extra, "configuration_id"),
            default_region=check_region(read_text(extra, "default_region"), where),
            max_concurrency=read_count(extra, "max_concurrency", 64, where, most=MOST_AT_ONCE),
            requests_per_second=read_number(extra, "requests_per_second", None, where),
            contacts_email=read_text(extra, "contacts_email"),
            contacts_password=read_text(extra, "contacts_password"),
        )

    def _ask(self, body: bytes) -> SubmitAnswer:
        async def ask() -> SubmitAnswer:
            async with self.client() as client:
                return await client.submit(body)

        return run_async(ask())


def _contact_list(settings: OutreachConnection, pause: float = 1.0) -> TetherContacts | None:
    """:param pause: seconds before a refused request is repeated, doubled each time."""
    if not settings.contacts_email or not settings.contacts_password:
        return None
    return TetherContacts(
        settings.api.base_url, settings.contacts_email, settings.contacts_password, pause=pause
    )


def _told_of_list(settings: OutreachConnection, conn_id: str) -> str:
    """:raises OutreachError: the log-in for the contact list is half of one, is refused, or nobody answers."""
    if bool(settings.contacts_email) != bool(settings.contacts_password):
        missing = "contacts_password" if settings.contacts_email else "contacts_email"
        raise ConfigurationError(
            f"connection {conn_id!r}: its log-in for the contact list has no {missing}",
            "set contacts_email and contacts_password, or neither",
        )
    contacts = _contact_list(settings, _TEST_PAUSE)
    return read_a_page(contacts) if contacts is not None else ""


def _certificate(value: Any, where: str) -> str | tuple[str, str] | None:
    """:raises ConfigurationError: it is neither a path nor two."""
    if not value or isinstance(value, str):
        return value or None
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2
        or not all(isinstance(each, str) for each in value)
    ):
        raise ConfigurationError(
            f"{where}: extra 'cert' is {shown_value(value)}",
            "write the path of a PEM file, or [certificate, key]",
        )
    return value[0], value[1]


def _told(answer: SubmitAnswer, base_url: str) -> str:
    """What the answer to a request that names no configuration says about the connection."""
    match answer.status:
        case 400:
            return "The outreach API answers and takes this key. Nobody was texted."
        case 401 | 403:
            return "The outreach API answers, but does not take this key: put the API Integration Key into Password."
        case None:
            return f"No answer from {base_url}: {answer.detail}"
        case 404 | 405:
            return f"{base_url} answers, but there is no outreach API there (HTTP {answer.status}): check the host."
        case 429 | 503:
            return f"The outreach API answers that it is busy (HTTP {answer.status}): test again in a moment."
        case _:
            return f"{base_url} did not answer as the outreach API does: {answer.detail}"


def _error_of(answer: SubmitAnswer) -> Exception:
    match answer.outcome:
        case SubmitOutcome.REJECTED:
            return LeadRejected(answer.reason, answer.detail)
        case SubmitOutcome.CONFIGURATION:
            return ConfigurationError(answer.detail)
        case SubmitOutcome.UNAVAILABLE:
            return OutreachUnavailable(answer.detail, answer.retry_after)
        case _:
            return OutcomeUnknown(answer.detail)


async def _every_contact(contacts: TetherContacts) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    async with contacts as pages:
        number: int | None = pages.first
        while number is not None:
            page = await pages.page(number)
            here = {contact_id(row): dict(row) for row in page.rows}
            if here.keys() <= found.keys():
                break  # past the end; some servers give the last page, or the only one, again and again
            found |= here
            number = page.following
    return list(found.values())


def _touched(contact: Mapping[str, Any]) -> datetime:
    moments = [read_time(contact.get(name)) for name in ("updatedAt", "createdAt")]
    return max(filter(None, moments), default=datetime.min.replace(tzinfo=UTC))
