"""The outreach API's submission endpoint, spoken over aiohttp: one POST a lead, many at once."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import printable
from airflow_outreach_provider.core.outcomes import Fault, SubmitAnswer, classify_answer, classify_fault
from airflow_outreach_provider.net.transport import (
    WIRE_ERRORS,
    PreparedRequest,
    Response,
    Transport,
    environment_proxy,
    fault_of,
    read_at_most,
    unpacked,
)

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

    base_url: str = field(repr=False)
    api_key: str = field(repr=False)
    timeout: float = 30.0
    connect_timeout: float = 10.0
    verify: bool | str = True
    cert: str | tuple[str, str] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
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
        self._transport: Transport | None = None
        self._secret = settings.api_key.strip()

    async def __aenter__(self) -> Self:
        settings = self.settings
        headers, url = _headers(settings), _http_url(settings.submit_url)
        self._proxy = settings.proxy
        if not self._proxy and url is not None and settings.trust_env:
            # Once: aiohttp would ask for it, in a thread, with every request.
            self._proxy = environment_proxy(url)
        self._transport = Transport(
            headers,
            tls=_ssl_context(settings) if _may_need_tls(settings, url, self._proxy) else True,
            # Sooner than the time limit of the whole: what did not connect was certainly not sent.
            connect_timeout=min(settings.connect_timeout, 0.8 * settings.timeout),
            keepalive=_KEEPALIVE_SECONDS,
        )
        self._prepared: PreparedRequest | None = None
        # A user in the URL would want an Authorization header of its own.
        if url is not None and not url.user and (not self._proxy or _http_url(self._proxy)):
            self._prepared = self._transport.prepare(url, proxy=self._proxy)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            await self._transport.close()

    async def submit(self, body: bytes) -> SubmitAnswer:
        """Send one lead. Every way this can end is an answer; nothing is raised but cancellation.

        :param body: the JSON payload, sent exactly as it is.
        """
        if self._transport is None:
            raise RuntimeError("use OutreachClient as an async context manager")
        if self._prepared is None:
            return classify_fault(Fault.INVALID_URL)
        started = time.perf_counter()
        response: Response | None = None
        try:
            with self._transport.within(self.settings.timeout):
                async with self._prepared.send(body) as response:
                    content, _ = await read_at_most(response, _BODY_LIMIT)
                    content = unpacked(response, content, _BODY_LIMIT) or b""
        except WIRE_ERRORS as error:
            if response is None or 200 <= response.status < 300:
                return classify_fault(fault_of(error), _said(error), _elapsed(started), self._secret)
            content = b""  # a refusal is one by its status; only of a success the body decides
        return classify_answer(
            response.status,
            content,
            now=datetime.now(UTC),
            retry_after=response.headers.get("Retry-After"),
            latency_ms=_elapsed(started),
            secret=self._secret,
        )


def _http_url(text: str) -> URL | None:
    """The URL, None where it leads nowhere."""
    try:
        url = URL(text)
    except ValueError:
        return None
    return url if url.scheme in ("http", "https") and url.host else None


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


def _may_need_tls(settings: ApiSettings, url: URL | None, proxy: str | None) -> bool:
    """Reading the system's trust store takes as long as some hundred leads; a file that is named is always read."""
    if settings.cert or settings.verify is not True:
        return True
    return any(each.scheme != "http" for each in (url, _http_url(proxy or "")) if each is not None)


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
