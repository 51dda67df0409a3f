"""One guarded request to somebody else's URL.

The URL's host is resolved here, every address it stands for is judged, and exactly the judged addresses
are dialled: between the check and the connection there is no second look-up that could answer otherwise.
Redirects are not followed, one deadline covers everything from the look-up to the last byte, and no more
of an answer is read or unpacked than is kept.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType

import aiohttp
from yarl import URL

from airflow_outreach_provider import __version__
from airflow_outreach_provider.core.addresses import Network, forbidden_reason, is_listed
from airflow_outreach_provider.core.errors import AddressForbidden, ConfigurationError, OutreachError
from airflow_outreach_provider.core.masking import shown_host
from airflow_outreach_provider.core.outcomes import Fault
from airflow_outreach_provider.core.sent_requests import kept_headers
from airflow_outreach_provider.net.transport import (
    WIRE_ERRORS,
    ZLIB_ENCODINGS,
    PreparedRequest,
    Response,
    Transport,
    encoding_of,
    environment_proxy,
    fault_of,
    read_at_most,
    unpacked,
    words_of,
)

__all__ = [
    "DEFAULT_TIMEOUT_SECONDS",
    "EXCERPT_BYTES",
    "WHOLE_BYTES",
    "Target",
    "WebhookAnswer",
    "WebhookClient",
    "WebhookFailed",
    "environment_proxy",
    "parse_url",
]

EXCERPT_BYTES = 4096
DEFAULT_TIMEOUT_SECONDS = 15.0
WHOLE_BYTES = 65_536
"""An answer up to this size is read to its end, so that the connection can be used again."""
# Judged addresses are kept this long: a batch to one target needs one look-up, a moved host is found soon.
_JUDGED_SECONDS = 10.0
_MAX_DIALLED = 4
_LINE_END = re.compile(r"\r\n?")
# PostgreSQL stores no NUL in a text; other control characters, and marks that turn text around, only spoil a terminal.
_UNSEEMLY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_Message = tuple[bytes, Mapping[str, str], str, str]
"""Body, headers of its own, method, and the path where it is not the target's."""


class WebhookFailed(OutreachError):
    """No answer worth the name: no address, no connection, no HTTP, or not in time. May be tried again.

    :ivar fault: what went wrong on the way.
    """

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and what is allowed on the way.

    :ivar url: from :func:`parse_url`.
    :ivar headers: sent with every request.
    :ivar timeout: seconds for everything: look-up, connection, request, and the answer with its body.
    :ivar allow_networks: special-purpose networks this endpoint may be in.
    :ivar allow_http: plain HTTP to any address; to a network of ``allow_networks`` it is allowed anyway.
    :ivar proxy: URL of an HTTP proxy, from :func:`environment_proxy`.
    """

    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    allow_networks: tuple[Network, ...] = ()
    allow_http: bool = False
    proxy: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What an endpoint said.

    :ivar retry_after: the header as received.
    :ivar excerpt: the first 4 KB of the body, or as much as was asked for, unpacked, as text without control characters.
    :ivar headers: those that matter, as JSON.
    """

    status: int
    retry_after: str | None
    excerpt: str
    latency_ms: int
    headers: str = field(default="", repr=False)


OWN_HEADERS: Mapping[str, str] = {
    "User-Agent": f"airflow-provider-outreach/{__version__}",
    "Accept-Encoding": "identity",
}
"""What every request says of itself; an endpoint's headers, then a message's, win over them."""


def parse_url(text: str) -> URL:
    """The URL of an endpoint.

    :raises ConfigurationError: not an absolute http(s) URL, or one that carries a password.
    """
    try:
        url = URL(text.strip())
        usable = url.scheme in {"http", "https"} and bool(url.raw_host) and url.port is not None
    except (ValueError, TypeError, UnicodeError):
        usable = False
    if not usable or any(character.isspace() or character == "\\" for character in text.strip()):
        raise ConfigurationError(
            "the endpoint's URL cannot be read",
            "write a full URL, e.g. https://crm.example.com/hooks/outreach",
        )
    if url.raw_user is not None or url.raw_password is not None:
        raise ConfigurationError(
            "the endpoint's URL holds a user name or password", "send it in a header: extra field 'headers'"
        )
    return url.with_fragment(None)


class WebhookClient:
    """Connections for a batch of requests; use as an async context manager.

    :param connections: how many may be open at once, over all endpoints.
    :param tls: instead of the system's trust store; for tests and private authorities.
    """

    def __init__(self, *, connections: int = 64, tls: ssl.SSLContext | None = None) -> None:
        self._connections, self._tls = connections, tls
        self._judged: dict[tuple[object, ...], tuple[float, list[str]]] = {}
        self._prepared: dict[tuple[object, ...], PreparedRequest] = {}

    async def __aenter__(self) -> WebhookClient:
        self._transport = Transport(
            OWN_HEADERS,
            connections=self._connections,
            tls=self._tls or True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def send(
        self,
        target: Target,
        body: bytes,
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        url: URL | None = None,
        keep: int = EXCERPT_BYTES,
    ) -> WebhookAnswer:
        """Send ``body`` as it is.

        :param headers: of this message; they win over the target's.
        :param keep: so much of the answer's body, where more than its first 4 KB is needed.
        :param url: below the target's host, where it is not the target's own.
        :raises AddressForbidden: the host is, or resolves to, an address that must not be called.
        :raises ConfigurationError: plain HTTP where it is not allowed, or a URL at another host than the target's.
        :raises WebhookFailed: everything else that is not an answer.
        """
        started = time.monotonic()
        path = ""
        if url is not None and url != target.url:
            if url.origin() != target.url.origin():
                raise ConfigurationError(
                    "a request would leave its endpoint's host", "write a path, not a URL"
                )
            path = url.raw_path_qs
        try:
            with self._transport.within(target.timeout):
                addresses = await self.judged(target)
                return await self._send_to_any(
                    target, addresses, (body, headers, method, path), started, keep
                )
        except WIRE_ERRORS as error:
            raise WebhookFailed(words_of(error, target.timeout), fault_of(error)) from error

    async def judged(self, target: Target) -> list[str]:
        """The addresses the target's host stands for, each allowed; at least one.

        :raises AddressForbidden: as soon as one of them is forbidden.
        :raises ConfigurationError: plain HTTP where it is not allowed.
        :raises WebhookFailed: the name does not resolve.
        """
        key = (target.url, target.allow_networks, target.allow_http)
        known = self._judged.get(key)
        if known and known[0] > time.monotonic():
            return known[1]
        host, port = target.url.raw_host or "", target.url.port or 0
        addresses = await self._resolve(host, port)
        for address in addresses:
            reason = forbidden_reason(address, target.allow_networks)
            if reason:
                raise AddressForbidden(shown_host(host), address, reason)
        if target.url.scheme == "http" and not target.allow_http:
            for address in addresses:
                if not is_listed(address, target.allow_networks):
                    raise ConfigurationError(
                        f"the endpoint {shown_host(host)} would be called without encryption",
                        "use https, or set allow_http in the connection's extra",
                    )
        self._judged[key] = (time.monotonic() + _JUDGED_SECONDS, addresses)
        return addresses

    async def _resolve(self, host: str, port: int) -> list[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass
        loop = asyncio.get_running_loop()
        try:
            # The same call that connect() would make: 127.1, 0x7f.1 and 2130706433 become addresses here.
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise WebhookFailed(f"the host name {shown_host(host)} does not resolve", Fault.DNS) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses:
            raise WebhookFailed(f"the host name {shown_host(host)} does not resolve", Fault.DNS)
        return addresses

    async def _send_to_any(
        self, target: Target, addresses: Sequence[str], message: _Message, started: float, keep: int
    ) -> WebhookAnswer:
        """Dial the addresses in turn until one takes the connection; what follows happens once."""
        for address in addresses[:_MAX_DIALLED]:
            try:
                async with self._request(target, address, message) as response:
                    excerpt = await _read_excerpt(response, keep)
                    return WebhookAnswer(
                        response.status,
                        response.headers.get("Retry-After"),
                        excerpt,
                        round((time.monotonic() - started) * 1000),
                        kept_headers(response.headers.items()),
                    )
            except (aiohttp.ClientProxyConnectionError, aiohttp.ClientSSLError):
                raise
            except aiohttp.ClientConnectorError as error:
                refused = error
        raise WebhookFailed(
            f"no connection to {shown_host(target.url.raw_host or '')}:{target.url.port}: {refused.strerror}",
            fault_of(refused),
        ) from refused

    def _request(
        self, target: Target, address: str, message: _Message
    ) -> AbstractAsyncContextManager[Response]:
        body, headers, method, path = message
        key = (target.url, target.proxy, address, *target.headers.items(), *headers)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = self._transport.prepare(
                target.url.with_host(address),
                target.headers,
                host=target.url.host_port_subcomponent,
                server_hostname=target.url.raw_host if target.url.scheme == "https" else None,
                proxy=target.proxy,
                own=headers,
            )
        return prepared.send(body, headers, method=method, path=path)


async def _read_excerpt(response: Response, most: int) -> str:
    """The first bytes of the answer's body; a short body is read to its end, a long one is cut off."""
    content, _ = await read_at_most(response, max(WHOLE_BYTES, most))
    encoding = encoding_of(response)
    if encoding != "identity" and encoding not in ZLIB_ENCODINGS:
        return f"({len(content)} bytes, packed with {encoding[:20]})"
    kept = unpacked(response, content, most)
    if kept is None:
        return "(not what its Content-Encoding says)"
    text = kept.decode("utf-8-sig", errors="replace")
    if text.isprintable():
        return text
    # Of JSON with the line ends of Windows, and whatever people are called in it, the same is read as was said.
    return _UNSEEMLY.sub("\ufffd", _LINE_END.sub("\n", text))
