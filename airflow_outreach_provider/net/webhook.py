"""One guarded POST to somebody else's URL.

The URL's host is resolved here, every address it stands for is judged, and exactly the judged addresses
are dialled: between the check and the connection there is no second look-up that could answer otherwise.
Redirects are not followed, one deadline covers everything from the look-up to the last byte, and no more
of an answer is read or unpacked than is kept.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from types import TracebackType
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from airflow_outreach_provider import __version__
from airflow_outreach_provider.core.addresses import Network, forbidden_reason, is_listed
from airflow_outreach_provider.core.errors import AddressForbidden, ConfigurationError, OutreachError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.net.deadlines import Block, Deadlines
from airflow_outreach_provider.net.exchange import Exchange, Line

EXCERPT_BYTES = 4096
DEFAULT_TIMEOUT_SECONDS = 15.0
# An answer up to this size is read to its end, so that the connection can be used again.
_DRAINED_BYTES = 65_536
# Judged addresses are kept this long: a batch to one target needs one look-up, a moved host is found soon.
_JUDGED_SECONDS = 10.0
_MAX_DIALLED = 4
# RFC 9110 section 8.4.1; 47 lets zlib tell gzip from deflate by itself.
_ZLIB_ANY_HEADER = 47
# They change how a request is written or its body sent: aiohttp's session knows how.
_FRAMING = frozenset(
    {"connection", "content-encoding", "content-length", "expect", "host", "te", "transfer-encoding"}
)
_NO_LIMITS = aiohttp.ClientTimeout(total=None, ceil_threshold=math.inf)


class WebhookFailed(OutreachError):
    """No answer worth the name: no address, no connection, no HTTP, or not in time. May be tried again."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to POST, and what is allowed on the way.

    :ivar url: from :func:`parse_url`.
    :ivar headers: sent with every request.
    :ivar timeout: seconds for everything: look-up, connection, request, and the answer with its body.
    :ivar allow_networks: special-purpose networks this endpoint may be in.
    :ivar allow_http: plain HTTP to any address; to a network of ``allow_networks`` it is allowed anyway.
    :ivar proxy: URL of an HTTP proxy, from :func:`environment_proxy`.
    """

    url: URL
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    allow_networks: tuple[Network, ...] = ()
    allow_http: bool = False
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said.

    :ivar retry_after: the header as received.
    :ivar excerpt: the first 4 KB of the body, unpacked, as text without control characters.
    """

    status: int
    retry_after: str | None
    excerpt: str
    latency_ms: int


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


def environment_proxy(url: URL) -> str | None:
    """The proxy that ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` name for this URL."""
    if proxy_bypass(url.raw_host or ""):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


class WebhookClient:
    """Connections for a batch of POSTs; use as an async context manager.

    :param connections: how many may be open at once, over all endpoints.
    :param tls: instead of the system's trust store; for tests and private authorities.
    """

    def __init__(self, *, connections: int = 64, tls: ssl.SSLContext | None = None) -> None:
        self._connections, self._tls = connections, tls
        self._judged: dict[tuple[object, ...], tuple[float, list[str]]] = {}
        self._lines: dict[tuple[object, ...], Line | None] = {}
        self._deadlines: dict[float, Deadlines] = {}

    async def __aenter__(self) -> WebhookClient:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._tls or True),
            timeout=_NO_LIMITS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": f"airflow-provider-outreach/{__version__}", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._deadlines.values():
            each.close()
        await self._session.close()

    async def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST ``body`` as it is.

        :param headers: of this message; they win over the target's.
        :raises AddressForbidden: the host is, or resolves to, an address that must not be called.
        :raises ConfigurationError: plain HTTP where it is not allowed.
        :raises WebhookFailed: everything else that is not an answer.
        """
        started = time.monotonic()
        try:
            with self._within(target.timeout):
                addresses = await self.judged(target)
                return await self._post_to_any(target, addresses, body, headers, started)
        except TimeoutError as error:
            raise WebhookFailed(f"no complete answer within {target.timeout:g} s") from error
        except aiohttp.ClientHttpProxyError as error:
            raise WebhookFailed(f"the proxy refused the connection: HTTP {error.status}") from error
        except aiohttp.ClientResponseError as error:
            raise WebhookFailed(f"the answer is not valid HTTP: {mask_text(error.message, 120)}") from error
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise WebhookFailed(f"no trusted TLS connection: {mask_text(str(error), 200)}") from error
        except aiohttp.ServerDisconnectedError as error:
            raise WebhookFailed("the endpoint closed the connection without an answer") from error
        except aiohttp.ClientPayloadError as error:
            raise WebhookFailed("the endpoint broke off its answer") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise WebhookFailed(f"{type(error).__name__}: {mask_text(str(error), 200)}") from error

    def _within(self, seconds: float) -> Block:
        deadlines = self._deadlines.get(seconds)
        if deadlines is None:
            deadlines = self._deadlines[seconds] = Deadlines(seconds)
        return deadlines.block()

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
                raise AddressForbidden(host, address, reason)
        if target.url.scheme == "http" and not target.allow_http:
            for address in addresses:
                if not is_listed(address, target.allow_networks):
                    raise ConfigurationError(
                        f"the endpoint {host} would be called without encryption",
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
            raise WebhookFailed(f"the host name {host} does not resolve") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses:
            raise WebhookFailed(f"the host name {host} does not resolve")
        return addresses

    async def _post_to_any(
        self,
        target: Target,
        addresses: Sequence[str],
        body: bytes,
        headers: Mapping[str, str],
        started: float,
    ) -> Answer:
        """Dial the addresses in turn until one takes the connection; what follows happens once."""
        for address in addresses[:_MAX_DIALLED]:
            try:
                async with self._request(target, address, body, headers) as response:
                    excerpt = await _read_excerpt(response)
                    return Answer(
                        response.status,
                        response.headers.get("Retry-After"),
                        excerpt,
                        round((time.monotonic() - started) * 1000),
                    )
            except (aiohttp.ClientProxyConnectionError, aiohttp.ClientSSLError):
                raise
            except aiohttp.ClientConnectorError as error:
                refused = error
        raise WebhookFailed(
            f"no connection to {target.url.host_port_subcomponent}: {refused.strerror}"
        ) from refused

    def _request(
        self, target: Target, address: str, body: bytes, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse | Exchange]:
        # What a header must not hold is not for us to know: aiohttp's session refuses it.
        if "".join(headers.values()).isprintable():
            key = (target.url, target.proxy, address, *target.headers.items(), *headers)
            if key not in self._lines:
                self._lines[key] = self._line(target, address, headers)
            line = self._lines[key]
            if line is not None:
                own = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
                return line.post(body, own.encode())
        return self._session.post(
            _dialled(target.url, address),
            data=body,
            headers={**target.headers, **headers, "Host": target.url.host_port_subcomponent or ""},
            server_hostname=_certified_name(target.url),
            allow_redirects=False,
            proxy=target.proxy,
        )

    def _line(self, target: Target, address: str, own: Iterable[str]) -> Line | None:
        """What all requests to a judged address have in common; None where it takes a session to send them."""
        reserved = _FRAMING.union(name.lower() for name in own)
        plain = all(
            name.lower() not in reserved and (name + value).isprintable()
            for name, value in target.headers.items()
        )
        if target.proxy is not None or not plain:
            return None
        headers = CIMultiDict(self._session.headers)
        headers.update(target.headers)
        headers["Host"] = target.url.host_port_subcomponent or ""
        return Line(
            self._session, _dialled(target.url, address), headers, _NO_LIMITS, _certified_name(target.url)
        )


def _certified_name(url: URL) -> str | None:
    return url.raw_host if url.scheme == "https" else None


@lru_cache(maxsize=256)
def _dialled(url: URL, address: str) -> URL:
    return url.with_host(address)


async def _read_excerpt(response: aiohttp.ClientResponse | Exchange) -> str:
    """The first bytes of the answer's body; a short body is read to its end, a long one is cut off."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    unpack = zlib.decompressobj(_ZLIB_ANY_HEADER) if encoding in {"gzip", "x-gzip", "deflate"} else None
    kept, read = bytearray(), 0
    while chunk := await response.content.read(_DRAINED_BYTES):
        read += len(chunk)
        room = EXCERPT_BYTES - len(kept)
        if room > 0:
            kept += _unpacked(unpack, chunk, room) if unpack else chunk[:room]
        if read >= _DRAINED_BYTES:
            response.close()
            break
    if unpack is None and encoding != "identity":
        return f"({read} bytes, packed with {encoding[:20]})"
    # PostgreSQL stores no NUL in a text; other control characters only spoil a terminal.
    text = kept.decode("utf-8", errors="replace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def _unpacked(unpack: zlib._Decompress, chunk: bytes, room: int) -> bytes:
    try:
        return unpack.decompress(chunk, room)
    except zlib.error:
        return b"(not what its Content-Encoding says)"[:room]
