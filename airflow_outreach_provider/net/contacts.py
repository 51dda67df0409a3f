"""Contact lists of Tether and SuperSend, page by page.

====================  ============================================  =========================================
                      Tether                                        SuperSend
====================  ============================================  =========================================
page                  ``GET /api/contacts?page=&size=``             ``GET /v2/contacts?limit=&offset=``
authorisation         JWT from ``POST /api/auth/login``, renewed    API key
                      when it is refused
defaults to know      ``ownerFilter=my`` (we ask for ``all``)       503 without a body is its rate limit
====================  ============================================  =========================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachUnavailable
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.masking import shown_url
from airflow_outreach_provider.core.retry_after import parse_retry_after
from airflow_outreach_provider.net.transport import WIRE_ERRORS, Transport, read_at_most, unpacked

TETHER_BASE = "https://app.tetherai.ca"
SUPERSEND_BASE = "https://api.supersend.io"
PAGE_SIZE = 100

_TRIES = 5
_LONGEST_PAUSE = 30.0
_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ContactPage:
    """One page of a contact list.

    :param rows: contacts as the platform gave them.
    :param following: what to ask for next; None when the platform says this was the last page.
    :param total: how many contacts there are, where the platform says so.
    """

    rows: list[Mapping[str, Any]]
    following: int | None
    total: int | None


class _Api:
    """Requests that can be repeated, with patience for a busy server."""

    def __init__(self, base_url: str, *, timeout: float, pause: float) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._pause = pause
        self._transport: Transport | None = None

    async def open(self) -> None:
        self._transport = Transport({"Accept": "application/json", "Accept-Encoding": "gzip, deflate"})

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.close()

    async def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> tuple[int, Any]:
        """(status, JSON answer) of a 2xx, 401 or 403; anything else is waited out or raised.

        :raises OutreachUnavailable: busy or broken to the last try; carries ``retry_after``.
        :raises ConfigurationError: an answer that no retry will change.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        wait: float | None = None
        said = "no answer"
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(min(wait or self._pause * 2 ** (attempt - 1), _LONGEST_PAUSE))
            try:
                status, body, wait = await self._once(method, path, headers, options)
            except WIRE_ERRORS as error:
                said, wait = f"no answer ({type(error).__name__})", None
                continue
            if status in {401, 403}:
                return status, None
            if 200 <= status < 300:
                return status, self._read(path, body)
            said = f"HTTP {status}"
            if status not in _AGAIN:
                raise ConfigurationError(
                    f"{shown_url(self._base)}{path} answers {said}", "check the base URL of the API"
                )
            if wait is not None and wait > _LONGEST_PAUSE:
                break
        raise OutreachUnavailable(f"{shown_url(self._base)}{path}: {said}", wait)

    async def _once(
        self, method: str, path: str, headers: Mapping[str, str], options: Mapping[str, Any]
    ) -> tuple[int, bytes, float | None]:
        assert self._transport is not None, "use it as an async context manager"
        with self._transport.within(self._timeout):
            async with self._transport.session.request(
                method, self._base + path, headers=headers, allow_redirects=False, **options
            ) as response:
                content, whole = await read_at_most(response, _MAX_ANSWER_BYTES)
                body = unpacked(response, content, _MAX_ANSWER_BYTES + 1) or b""
                if not whole or len(body) > _MAX_ANSWER_BYTES:
                    raise ConfigurationError(
                        f"{shown_url(self._base)}{path} answers with more than {_MAX_ANSWER_BYTES} bytes",
                        "check the base URL of the API",
                    )
                wait = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                return response.status, body, wait

    def _read(self, path: str, body: bytes) -> Any:
        try:
            answer = read_json(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ConfigurationError(
                f"{shown_url(self._base)}{path} does not answer with a JSON object",
                "check the base URL of the API",
            )
        if answer.get("success") is False:  # both platforms may answer 200 with an error inside
            raise OutreachUnavailable(
                f"{shown_url(self._base)}{path} answered 200 and says it did not succeed"
            )
        return answer


class _ContactList:
    """A platform's list; an async context manager."""

    _api: _Api

    async def __aenter__(self) -> Self:
        await self._api.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.close()


class TetherContacts(_ContactList):
    """Tether's contact list; an async context manager.

    :param email: with ``password`` the log-in of a Tether user; not the API Integration Key.
    :param size: contacts a page; the platform may give fewer.
    :param pause: seconds before the first repetition of a refused request, doubled each time.
    """

    def __init__(
        self,
        base_url: str | None,
        email: str,
        password: str,
        *,
        size: int = PAGE_SIZE,
        timeout: float = 60.0,
        pause: float = 1.0,
    ) -> None:
        self._api = _Api(base_url or TETHER_BASE, timeout=timeout, pause=pause)
        self._login = {"email": email, "password": password}
        self._size = size
        self._token: str | None = None

    first = 1

    async def page(self, number: int) -> ContactPage:
        """One page, counted from 1. Always names a following one: an empty page is the end."""
        return await self._get({"page": str(number), "size": str(self._size)}, number + 1)

    async def search(self, text: str) -> ContactPage:
        """Contacts whose name, number or e-mail address holds ``text``: the first page of them."""
        return await self._get({"page": "1", "size": str(self._size), "search": text}, None)

    async def _get(self, asked: dict[str, str], following: int | None) -> ContactPage:
        parameters = {**asked, "ownerFilter": "all"}
        for renewed in (False, True):
            if self._token is None:
                self._token = await self._log_in()
            status, answer = await self._api.ask("GET", "/api/contacts", self._token, params=parameters)
            if status == 200:
                return ContactPage(_rows(answer), following, _total(answer))
            self._token = None
            if renewed:
                break
        raise ConfigurationError(
            "Tether does not let this user read contacts", "check contacts_email and contacts_password"
        )

    async def _log_in(self) -> str:
        status, answer = await self._api.ask("POST", "/api/auth/login", json=self._login)
        if status != 200:
            raise ConfigurationError(
                f"Tether refuses the log-in (HTTP {status})", "check contacts_email and contacts_password"
            )
        inner = answer.get("data") if isinstance(answer.get("data"), dict) else {}
        for name in ("token", "accessToken", "access_token", "jwt"):
            if isinstance(token := answer.get(name) or inner.get(name), str):
                return token
        raise ConfigurationError("Tether's log-in gives no token", "check the base URL of the API")


class SuperSendContacts(_ContactList):
    """SuperSend's contact list; an async context manager.

    :param api_key: of SuperSend's API.
    :param pause: seconds before the first repetition of a refused request, doubled each time.
    """

    first = 0

    def __init__(
        self,
        base_url: str | None,
        api_key: str,
        *,
        size: int = PAGE_SIZE,
        timeout: float = 60.0,
        pause: float = 1.0,
    ) -> None:
        self._api = _Api(base_url or SUPERSEND_BASE, timeout=timeout, pause=pause)
        self._key = api_key
        self._size = size

    async def page(self, offset: int) -> ContactPage:
        """The contacts from ``offset`` on, counted from 0. The platform may give fewer than asked for."""
        parameters = {"limit": str(self._size), "offset": str(offset)}
        status, answer = await self._api.ask("GET", "/v2/contacts", self._key, params=parameters)
        if status != 200:
            raise ConfigurationError(f"SuperSend refuses the API key (HTTP {status})", "check api_key")
        rows = _rows(answer)
        pagination = answer.get("pagination") if isinstance(answer.get("pagination"), dict) else {}
        ended = pagination.get("has_more") is False or not rows
        return ContactPage(rows, None if ended else offset + len(rows), _total(pagination))


def _rows(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = answer.get("data")
    if not isinstance(rows, list):
        raise ConfigurationError("the contact list has no rows under 'data'", "check the base URL of the API")
    return [row for row in rows if isinstance(row, dict)]


def _total(answer: Mapping[str, Any]) -> int | None:
    total = answer.get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
