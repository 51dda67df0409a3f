"""What the clients for the API, for webhooks and for contact lists share on their way through aiohttp.

Which way a request takes (the raw line or a session), what aiohttp's exceptions mean, how much of an answer is
read and unpacked, and which proxy the environment names are decided here, once.
"""

from __future__ import annotations

import re
import ssl
import zlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from math import inf
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from airflow_outreach_provider.core.masking import mask_text, shown_host, shown_url
from airflow_outreach_provider.core.outcomes import Fault
from airflow_outreach_provider.net.connector import Connector
from airflow_outreach_provider.net.deadlines import Deadlines, TimedBlock
from airflow_outreach_provider.net.exchange import Exchange, RequestTemplate

Response = aiohttp.ClientResponse | Exchange

# All that a request can raise, but for cancellation.
WIRE_ERRORS = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError)

# RFC 9110 section 8.4.1; 47 lets zlib tell gzip from deflate by itself.
_ZLIB_ANY_HEADER = 47
ZLIB_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
# They change how a request is written or its body sent: aiohttp's session knows how.
_FRAMING = frozenset(
    {"connection", "content-encoding", "content-length", "expect", "host", "te", "transfer-encoding"}
)
# A line of its own, or the end of one where C reads it.
_NO_HEADER = re.compile(r"[\r\n\0]")


class Transport:
    """Connections for many requests; made where an event loop runs, and closed at the end.

    Redirects are never followed, no cookie is kept, and nothing is unpacked unless :func:`unpacked` is asked.

    :param headers: of every request.
    :param connections: how many may be open at once; 0 for any number.
    :param tls: what verifies certificates; True for the system's trust store.
    :param connect_timeout: seconds; what did not connect was certainly not sent.
    :param keepalive: seconds for which an idle connection is kept.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        connections: int = 0,
        tls: ssl.SSLContext | bool = True,
        connect_timeout: float | None = None,
        keepalive: float = 15.0,
    ) -> None:
        self._headers = headers
        # To the moment: aiohttp would round a longer limit up to whole seconds.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout, ceil_threshold=inf)
        self.session = aiohttp.ClientSession(
            connector=Connector(limit=connections, keepalive_timeout=keepalive, ssl=tls, ttl_dns_cache=60),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=headers,
        )
        self._deadlines: dict[float, Deadlines] = {}

    async def close(self) -> None:
        for each in self._deadlines.values():
            each.close()
        await self.session.close()

    def within(self, seconds: float) -> TimedBlock:
        """A block of code that ends with a TimeoutError after so long."""
        deadlines = self._deadlines.get(seconds)
        if deadlines is None:
            deadlines = self._deadlines[seconds] = Deadlines(seconds)
        return deadlines.block()

    def prepare(
        self,
        url: URL,
        headers: Mapping[str, str] | None = None,
        *,
        host: str | None = None,
        server_hostname: str | None = None,
        proxy: str | None = None,
        own: Iterable[str] = (),
    ) -> PreparedRequest:
        """What many requests have in common.

        :param headers: of all of them; they win over the transport's.
        :param host: the Host header, where the URL holds an address instead.
        :param server_hostname: the name a certificate must be for, likewise.
        :param own: names of the headers that each of them will bring along.
        """
        all_headers = CIMultiDict(self._headers)
        all_headers.update(headers or {})
        reserved = _FRAMING.union(name.lower() for name in own)
        plain = all(
            name.lower() not in reserved and (name + value).isprintable()
            for name, value in all_headers.items()
        )
        if host is not None:
            all_headers["Host"] = host
        template = None
        if plain and proxy is None:
            template = self._template(url, all_headers, server_hostname)
        options = {"allow_redirects": False, "proxy": proxy, "server_hostname": server_hostname}
        return PreparedRequest(self.session, url, all_headers, options, template)

    def _template(
        self, url: URL, headers: Mapping[str, str], server_hostname: str | None
    ) -> RequestTemplate | None:
        try:
            return RequestTemplate(self.session, url, headers, self._timeout, server_hostname)
        except Exception:  # noqa: BLE001 - of aiohttp's insides, which a session does without
            return None


class PreparedRequest:
    """Requests to one origin that differ in their body, their address there, and headers of their own."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: CIMultiDict[str],
        options: Mapping[str, Any],
        template: RequestTemplate | None,
    ) -> None:
        self._session, self._url, self._headers, self._options = session, url, headers, options
        self._template = template

    def send(
        self, body: bytes, own: Mapping[str, str] | None = None, *, method: str = "POST", path: str = ""
    ) -> AbstractAsyncContextManager[Response]:
        """One request; enter it to send. What ``own`` says of a header wins.

        :param path: with its query, encoded, where it is not that of the prepared URL.
        """
        if self._template is not None and (own is None or "".join(own.values()).isprintable()):
            lines = "".join([f"{name}: {value}\r\n" for name, value in own.items()]).encode() if own else b""
            other = method != "POST" or path
            line = f"{method} {path or self._url.raw_path_qs} HTTP/1.1\r\n".encode() if other else b""
            return self._template.send(body, lines, line)
        headers = self._headers
        if own:
            headers = headers.copy()
            headers.update(own)
        # aiohttp before 3.13 sends a null byte.
        if any(_NO_HEADER.search(name + value) for name, value in headers.items()):
            raise ValueError("a header holds a line break or a null byte")
        url = URL(f"{self._url.origin()}{path}", encoded=True) if path else self._url
        return self._session.request(method, url, data=body, headers=headers, **self._options)


# Order matters: the first class that fits names the fault. What is raised before a connection stands is
# certainly not sent; everything later may have been processed.
_FAULTS: tuple[tuple[type[BaseException], Fault, str], ...] = (
    (aiohttp.ClientConnectorDNSError, Fault.DNS, ""),
    (aiohttp.ClientConnectorCertificateError, Fault.TLS_CERTIFICATE, "no trusted TLS connection: {said}"),
    (aiohttp.ClientSSLError, Fault.TLS, "no trusted TLS connection: {said}"),
    (aiohttp.ServerFingerprintMismatch, Fault.TLS_CERTIFICATE, ""),
    (aiohttp.ClientProxyConnectionError, Fault.PROXY, ""),
    (aiohttp.ClientHttpProxyError, Fault.PROXY_REFUSED, "the proxy refused the connection: HTTP {status}"),
    (aiohttp.ConnectionTimeoutError, Fault.CONNECT_TIMEOUT, "no complete answer within {seconds:g} s"),
    (aiohttp.ClientConnectorError, Fault.REFUSED, ""),
    (aiohttp.InvalidURL, Fault.INVALID_URL, ""),
    (UnicodeError, Fault.INVALID_URL, ""),  # of the host's name: a label is empty or too long
    (aiohttp.ServerDisconnectedError, Fault.DROPPED, "the endpoint closed the connection without an answer"),
    (aiohttp.ServerTimeoutError, Fault.TIMEOUT, "no complete answer within {seconds:g} s"),
    (aiohttp.ClientOSError, Fault.RESET, ""),
    (aiohttp.ClientPayloadError, Fault.DROPPED, "the endpoint broke off its answer"),
    (aiohttp.ClientResponseError, Fault.INVALID_HTTP, "the answer is not valid HTTP: {message}"),
    (HttpProcessingError, Fault.INVALID_HTTP, "the answer is not valid HTTP: {message}"),
    (TimeoutError, Fault.TIMEOUT, "no complete answer within {seconds:g} s"),
    (ssl.SSLError, Fault.DROPPED, "no trusted TLS connection: {said}"),
    (ConnectionError, Fault.RESET, ""),
    (ValueError, Fault.INVALID_HTTP, ""),
)


def _entry(error: BaseException) -> tuple[Fault, str]:
    return next(
        ((fault, says) for kind, fault, says in _FAULTS if isinstance(error, kind)), (Fault.DROPPED, "")
    )


def fault_of(error: BaseException) -> Fault:
    """Which fault an exception of aiohttp stands for; one that is not in the table leaves the outcome unknown."""
    fault, _ = _entry(error)
    if fault is Fault.PROXY_REFUSED and getattr(error, "status", 0) >= 500:
        return Fault.PROXY  # the proxy did not reach the API: it may the next time
    return fault


def words_of(error: BaseException, seconds: float) -> str:
    """The same for a person, with nothing personal in it. :param seconds: the time limit of the request."""
    _, says = _entry(error)
    return (says or "{kind}: {said}").format(
        kind=type(error).__name__,
        said=mask_text(_said(error), 200),
        message=mask_text(str(getattr(error, "message", "")), 120),
        status=getattr(error, "status", 0),
        seconds=seconds,
    )


def _said(error: BaseException) -> str:
    """Its own words, without a host that is no name of one."""
    if isinstance(error, aiohttp.InvalidURL):
        return shown_url(str(error.url))
    host = getattr(error, "host", None)
    return str(error).replace(host, shown_host(host)) if isinstance(host, str) and host else str(error)


async def read_at_most(response: Response, limit: int) -> tuple[bytes, bool]:
    """The body as it came, at most ``limit`` bytes of it, and whether that is all.

    A longer one ends with its connection: a body without end costs neither memory nor time.
    """
    content = response.content
    first = await content.read(limit)
    if content.at_eof():
        return first, True
    kept = bytearray(first)
    while len(kept) < limit and (chunk := await content.read(limit - len(kept))):
        kept += chunk
    whole = content.at_eof()
    if not whole:
        response.close()
    return bytes(kept), whole


def encoding_of(response: Response) -> str:
    """What the body is packed with; ``identity`` where it is not."""
    return response.headers.get("Content-Encoding", "").strip().lower() or "identity"


def unpacked(response: Response, content: bytes, limit: int) -> bytes | None:
    """At most ``limit`` bytes of what was read, after decompression too; None where it is not what it says.

    A body packed with something that is not among :data:`ZLIB_ENCODINGS` is left as it is.
    """
    if encoding_of(response) not in ZLIB_ENCODINGS:
        return content[:limit]
    try:
        return zlib.decompressobj(_ZLIB_ANY_HEADER).decompress(content, limit)
    except zlib.error:
        return None


def environment_proxy(url: URL) -> str | None:
    """The proxy that ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name for this URL."""
    if proxy_bypass(url.raw_host or ""):
        return None
    proxies = getproxies()
    of_all = proxies.get("all", "")  # where it speaks SOCKS, nothing here can speak to it
    return proxies.get(url.scheme) or (of_all if of_all.startswith("http") else None)
