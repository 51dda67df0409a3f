"""The outreach API's submission endpoint, spoken over aiohttp: one POST a lead, many at once."""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from types import TracebackType
from typing import Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import printable
from airflow_outreach_provider.core.outcomes import Answer, Fault, judge, judge_fault
from airflow_outreach_provider.net.deadlines import Deadlines
from airflow_outreach_provider.net.exchange import Exchange, Line

SUBMIT_PATH = "/api/webhook/outreach"
_BODY_LIMIT = 64 * 1024
_USER_AGENT = "airflow-provider-outreach"
# Below the five seconds after which common servers drop an idle connection: a lead must not run into that.
_KEEPALIVE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where and how to reach the API.

    :param base_url: scheme, host, optional port and path; no trailing slash needed.
    :param api_key: the API Integration Key.
    :param timeout: seconds for one submission, connecting and the whole answer included.
    :param verify: False, or the path of a CA file, as ``requests`` has it.
    :param cert: client certificate: a path, or (certificate, key).
    :param proxy: URL of a proxy for this API.
    :param trust_env: whether proxies of the environment count.
    """

    base_url: str
    api_key: str = field(repr=False)
    timeout: float = 30.0
    connect_timeout: float = 10.0
    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    proxy: str | None = None
    trust_env: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def submit_url(self) -> str:
        return self.base_url.rstrip("/") + SUBMIT_PATH


class OutreachClient:
    """An async session for many submissions; an async context manager.

    Redirects are never followed: a POST would be repeated, or turned into a GET.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._url = settings.submit_url
        self._secret = settings.api_key.strip()

    async def __aenter__(self) -> Self:
        settings = self.settings
        self._url_object: URL | None = None
        try:
            self._url_object = URL(self._url)
            # A user in the URL would want an Authorization header of its own.
            if (
                self._url_object.scheme not in ("http", "https")
                or not self._url_object.host
                or self._url_object.user
            ):
                self._url_object = None
        except ValueError:
            self._url_object = None
        self._proxy = settings.proxy or _environment_proxy(self._url_object, settings.trust_env)
        headers = _headers(settings)
        # Sooner than the time limit of the whole, and to the moment: what did not connect was certainly not sent.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=min(settings.connect_timeout, 0.8 * settings.timeout), ceil_threshold=inf
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEPALIVE_SECONDS, ssl=_ssl_context(settings), ttl_dns_cache=60
            ),
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=headers,
        )
        self._line: Line | None = None
        if self._url_object is not None and self._proxy is None:
            self._line = Line(self._session, self._url_object, headers, timeout)
        self._deadlines = Deadlines(settings.timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._deadlines.close()
            await self._session.close()

    async def submit(self, body: bytes) -> Answer:
        """Send one lead. Every way this can end is an answer; nothing is raised but cancellation.

        :param body: the JSON payload, sent exactly as it is.
        """
        if self._session is None:
            raise RuntimeError("use OutreachClient as an async context manager")
        if self._url_object is None:
            return judge_fault(Fault.INVALID_URL)
        started = time.perf_counter()
        response: aiohttp.ClientResponse | Exchange | None = None
        try:
            with self._deadlines.block():
                async with self._post(body) as response:
                    content = await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if response is None or 200 <= response.status < 300:
                return judge_fault(fault_of(error), _said(error), _elapsed(started), self._secret)
            content = b""  # a refusal is one by its status; only of a success the body decides
        return judge(
            response.status,
            content,
            now=datetime.now(UTC),
            retry_after=response.headers.get("Retry-After"),
            latency_ms=_elapsed(started),
            secret=self._secret,
        )

    def _post(self, body: bytes) -> AbstractAsyncContextManager[aiohttp.ClientResponse | Exchange]:
        if self._line is not None:
            return self._line.post(body)
        assert self._session is not None
        assert self._url_object is not None
        return self._session.post(self._url_object, data=body, allow_redirects=False, proxy=self._proxy)


# Order matters: the first class that fits names the fault. What is raised before a connection stands is
# certainly not sent; everything later may have been processed.
_FAULTS: tuple[tuple[type[BaseException], Fault], ...] = (
    (aiohttp.ClientConnectorDNSError, Fault.DNS),
    (aiohttp.ClientConnectorCertificateError, Fault.TLS_CERTIFICATE),
    (aiohttp.ClientSSLError, Fault.TLS),
    (aiohttp.ServerFingerprintMismatch, Fault.TLS_CERTIFICATE),
    (aiohttp.ClientProxyConnectionError, Fault.PROXY),
    (aiohttp.ClientHttpProxyError, Fault.PROXY_REFUSED),
    (aiohttp.ConnectionTimeoutError, Fault.CONNECT_TIMEOUT),
    (aiohttp.ClientConnectorError, Fault.REFUSED),
    (aiohttp.InvalidURL, Fault.INVALID_URL),
    (UnicodeError, Fault.INVALID_URL),  # of the host's name: a label is empty or too long
    (aiohttp.ServerDisconnectedError, Fault.DROPPED),
    (aiohttp.ServerTimeoutError, Fault.TIMEOUT),
    (aiohttp.ClientOSError, Fault.RESET),
    (aiohttp.ClientPayloadError, Fault.DROPPED),
    (aiohttp.ClientResponseError, Fault.INVALID_HTTP),
    (TimeoutError, Fault.TIMEOUT),
    (ConnectionError, Fault.RESET),
    (ValueError, Fault.INVALID_HTTP),
)


def fault_of(error: BaseException) -> Fault:
    """Which fault an exception of aiohttp stands for; one that is not in the table leaves the outcome unknown."""
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status >= 500:
        return Fault.PROXY  # the proxy did not reach the API: it may the next time
    for kind, fault in _FAULTS:
        if isinstance(error, kind):
            return fault
    return Fault.DROPPED


async def _read(response: aiohttp.ClientResponse | Exchange) -> bytes:
    """The body, at most 64 KiB of it, after decompression too; an endless body ends with the connection."""
    length = response.content_length
    if length is not None and length <= _BODY_LIMIT:
        content = await response.read()
    else:
        parts, size = [], 0
        async for chunk in response.content.iter_chunked(16 * 1024):
            parts.append(chunk)
            size += len(chunk)
            if size >= _BODY_LIMIT:
                response.close()
                break
        content = b"".join(parts)[:_BODY_LIMIT]
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        try:
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, _BODY_LIMIT)
        except zlib.error:
            return b""
    return content


def _environment_proxy(url: URL | None, trust_env: bool) -> str | None:
    """The environment's proxy, looked up once: aiohttp would ask for it, in a thread, with every request."""
    if url is None or not trust_env or proxy_bypass(url.host or ""):
        return None
    return getproxies().get(url.scheme)


def _headers(settings: ApiSettings) -> dict[str, str]:
    headers = {
        **settings.headers,
        "Authorization": f"Bearer {settings.api_key.strip()}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": _USER_AGENT,
    }
    for name, value in headers.items():
        if not (name + value).isprintable():
            raise ConfigurationError(
                f"the HTTP header {printable(name)!r} of the connection holds a character that cannot be sent",
                "write the connection's password and extra headers anew, without line breaks",
            )
    return headers


def _ssl_context(settings: ApiSettings) -> ssl.SSLContext | bool:
    try:
        return _load_ssl_context(settings)
    except OSError as error:  # SSLError too
        raise ConfigurationError(
            f"a certificate file of the connection cannot be read: {error.strerror or error}",
            "check 'verify' and 'cert' in the connection's extra: paths of PEM files on the worker",
        ) from error


def _load_ssl_context(settings: ApiSettings) -> ssl.SSLContext:
    if settings.verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        cafile = settings.verify if isinstance(settings.verify, str) else None
        context = ssl.create_default_context(cafile=cafile)
    if settings.cert:
        chain = (settings.cert,) if isinstance(settings.cert, str) else settings.cert
        context.load_cert_chain(*chain)
    return context


def _elapsed(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _said(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError | aiohttp.ServerDisconnectedError):
        return ""
    return str(error).split("\n", 1)[0]
