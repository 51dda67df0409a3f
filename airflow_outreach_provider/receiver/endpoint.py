"""``POST …/in/{source}``: one request from raw bytes to an answer.

========  ==========================================================================================
answer    when
========  ==========================================================================================
202       stored, and durable
200       stored before: a platform's retry
400       authentic and not JSON; or a body shorter than it said
401       not authentic
404       no such source
405       another method; a GET is answered where a custom source's platform greets with one
408       the body did not arrive in time
413       longer than ``max_body_bytes``, or more events than one request may hold
415       not sent as JSON, or compressed
429       more at once than this process can hold; ``Retry-After`` says when
503       the store, or the connections, are away; the source is declared wrongly, or switched off
========  ==========================================================================================

A plain ASGI endpoint: per request it costs little more than reading the socket.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from pydantic_core import to_json
from starlette.types import Message, Receive, Scope, Send

from airflow_outreach_provider.core import handshakes
from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    SignatureError,
    StoreError,
    TooManyEvents,
)
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.receiver.handshake import read_challenge
from airflow_outreach_provider.receiver.lookup import LookupFailed, SourceLookup, TooManyLookups
from airflow_outreach_provider.receiver.source_state import SourceStates
from airflow_outreach_provider.services.events.ingest import Challenge, Ingest, NotJson
from airflow_outreach_provider.store.inbox.append import AppendResult

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
_BODY_SECONDS = 10.0
_DRAIN_SECONDS = 5.0
_MAX_DRAINED_BYTES = 8 * 1024 * 1024
_MAX_PARAMETERS = 50
_MAX_HELD_BYTES = 64 * 1024 * 1024
_MAX_AT_ONCE = 2_000
_RETRY_SECONDS = 5
_OFF_RETRY_SECONDS = 300
_LOG_EVERY_SECONDS = 10.0
# What only a request for a source that exists is answered: no stranger's names get into the store.
_OF_A_SOURCE = frozenset(
    {
        HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    }
)  # fmt: skip
_TYPES_TAKEN = ("application/json", "text/json")
_FORM = "application/x-www-form-urlencoded"


class Refused(Exception):
    """An answer other than 2xx.

    :param text: for whoever reads the answer; never anything of the request.
    :param retry_after: seconds, said where the status is one that is tried again.
    :param unread: more of a body that is too long is on its way.
    """

    def __init__(
        self, status: HTTPStatus, text: str, retry_after: int = _RETRY_SECONDS, *, unread: bool = False
    ) -> None:
        self.status, self.text, self.retry_after, self.unread = status, text, retry_after, unread
        super().__init__(text)


class InboxEndpoint:
    """The ASGI endpoint behind ``/in/{source}``.

    :param max_body_bytes: longer bodies are refused as soon as that is known.
    """

    def __init__(
        self,
        lookup: SourceLookup,
        ingest: Ingest,
        states: SourceStates,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._lookup = lookup
        self._ingest = ingest
        self._states = states
        self._max_body_bytes = max_body_bytes
        self._held_bytes = 0
        self._at_once = 0
        self._logged: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["source"].removesuffix("/")
        self._at_once += 1
        try:
            if scope["method"] != "POST":
                await self._greet(name, scope, send)
                return
            source, stored = await self._take(name, scope, receive)
        except _Gone:
            return
        except Refused as refusal:
            self._note(name, refusal)
            if refusal.unread:
                await _drain(scope, receive)
            await _send(send, refusal.status, {"error": refusal.text}, refusal.retry_after)
            return
        finally:
            self._at_once -= 1
        if isinstance(stored, Challenge):
            await _send_challenge(send, source, stored.text, by_query=False)
            return
        status = HTTPStatus.OK if stored.duplicate else HTTPStatus.ACCEPTED
        section = source.custom.section if source.custom is not None else None
        if section is not None and section.answer is not None:
            await _send_text(send, status, section.answer, section.answer_type)
            return
        await _send(
            send, status, {"status": "duplicate" if stored.duplicate else "accepted", "id": stored.event_id}
        )

    async def _greet(self, name: str, scope: Scope, send: Send) -> None:
        """A GET: the platform asks whether the URL is ours, where the source says that it does."""
        try:
            source = None if "/" in name or scope["method"] != "GET" else await self._lookup.find(name)
        except (ConfigurationError, LookupFailed, TooManyLookups) as error:
            raise _refusal(error) from error
        handshake = source.custom.section.handshake if source and source.custom is not None else None
        if source is None or handshake is None or not handshake.query:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "send events with POST")
        query: bytes = scope.get("query_string", b"")
        scope["query_string"] = b"..."  # holds the token: no access log gets to see it
        challenge = read_challenge(handshake, query)
        if challenge is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "not authentic")
        if handshake.hash_key and not source.secrets:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "this source is not set up correctly")
        await _send_challenge(send, source, challenge, by_query=True)

    async def _take(
        self, name: str, scope: Scope, receive: Receive
    ) -> tuple[SourceSettings, AppendResult | Challenge]:
        if self._at_once > _MAX_AT_ONCE:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too many requests at once")
        pairs = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]]
        headers = dict(reversed(pairs))  # of a repeated header the first counts
        token = _take_token(scope)
        try:
            source = None if "/" in name else await self._lookup.find(name)
            if source is None:
                raise Refused(HTTPStatus.NOT_FOUND, "there is no such source")
            if await self._states.is_off(name):
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE, "this source is switched off", _OFF_RETRY_SECONDS
                )
            _check_type(headers, form=source.custom is not None and source.custom.section.form)
            body = await self._read_body(headers, receive)
            try:
                return source, await self._ingest.take(source, body, headers, token=token, header_pairs=pairs)
            finally:
                self._held_bytes -= len(body)
        except (
            SignatureError,
            NotJson,
            TooManyEvents,
            StoreError,
            ConfigurationError,
            LookupFailed,
            TooManyLookups,
        ) as error:
            raise _refusal(error) from error
        except (Refused, _Gone):
            raise
        except Exception as error:
            log.exception("An event for source %s met an unforeseen error", name[:250])
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "not stored; send it again later") from error

    async def _read_body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body; its length stays counted in ``_held_bytes`` until the caller has done with it."""
        announced = headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self._max_body_bytes:
            raise self._too_long(unread=True)
        chunks: list[bytes] = []
        length = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Gone
                    chunk = message.get("body", b"")
                    length += len(chunk)
                    self._held_bytes += len(chunk)
                    chunks.append(chunk)
                    if length > self._max_body_bytes:
                        raise self._too_long(unread=message.get("more_body", False))
                    if self._held_bytes > _MAX_HELD_BYTES:
                        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too many bytes at once")
                    if not message.get("more_body", False):
                        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError:
            self._held_bytes -= length
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None
        except BaseException:
            self._held_bytes -= length
            raise

    def _too_long(self, *, unread: bool) -> Refused:
        said = f"the body is longer than {self._max_body_bytes} bytes"
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said, unread=unread)

    def _note(self, name: str, refusal: Refused) -> None:
        """Say in the log why, now and then: a stranger must not be able to fill it."""
        if refusal.status is HTTPStatus.NOT_FOUND:
            return
        if isinstance(refusal.__cause__, ConfigurationError) or refusal.status in _OF_A_SOURCE:
            self._states.refused(name, int(refusal.status), str(refusal.__cause__ or refusal))
        # A name that is nobody's is the stranger's to choose: all of them share one line.
        of_a_source = isinstance(self._lookup.recall(name), SourceSettings | ConfigurationError)
        name = name if of_a_source else ""
        now = time.monotonic()
        if now - self._logged.get(name, -_LOG_EVERY_SECONDS) < _LOG_EVERY_SECONDS:
            return
        if len(self._logged) > _MAX_AT_ONCE:
            self._logged.clear()
        self._logged[name] = now
        reason = refusal.__cause__ or refusal
        whom = f"An event for source {name[:250]}" if name else "A request"
        log.warning("%s was refused with %d: %s", whom, refusal.status, reason)


class _Gone(Exception):
    """The client went away; there is nobody to answer."""


def _refusal(error: Exception) -> Refused:
    match error:
        case SignatureError():
            return Refused(HTTPStatus.UNAUTHORIZED, "not authentic")
        case NotJson():
            return Refused(HTTPStatus.BAD_REQUEST, str(error))
        case TooManyEvents():
            return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        case TooManyLookups():
            return Refused(HTTPStatus.TOO_MANY_REQUESTS, "too many unknown sources were asked for")
        case ConfigurationError():
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "this source is not set up correctly")
        case _:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "not stored; send it again later")


def _check_type(headers: Mapping[str, str], *, form: bool = False) -> None:
    """JSON it must be; without a type the body itself decides. JSON is UTF-8, whatever a charset says.

    :param form: the source sends forms instead.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if form:
        if kind not in {"", _FORM}:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send a form as {_FORM}")
    elif kind and kind not in _TYPES_TAKEN and not kind.endswith("+json"):
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON as application/json")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body uncompressed")


def _take_token(scope: Scope) -> str | None:
    """The value of ``?token=``, taken out of the request so that no access log gets to see it.

    None without one, or with an empty one: then the header counts. A ``+`` is a ``+``: that is what was pasted,
    and no token holds a space.
    """
    query: bytes = scope.get("query_string", b"")
    if b"=" not in query:
        return None
    if b"token" in query:
        scope["query_string"] = b"token=..."
    for pair in query.decode("latin-1").split("&", _MAX_PARAMETERS)[:_MAX_PARAMETERS]:
        name, _, value = pair.partition("=")
        if name == "token" and value:
            return unquote(value)
    return None


async def _drain(scope: Scope, receive: Receive) -> None:
    """Read on for a while, and forget it: a plain client reads the answer only when it has sent everything.

    Not where the client waits to be told to send, nor where it announced more than is read here.
    """
    headers = dict(scope["headers"])
    announced = headers.get(b"content-length", b"0")
    if b"expect" in headers or not announced.isdigit() or int(announced[:20]) > _MAX_DRAINED_BYTES:
        return
    drained = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while drained <= _MAX_DRAINED_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _send(
    send: Send, status: HTTPStatus, answer: Mapping[str, Any], retry_after: int = _RETRY_SECONDS
) -> None:
    await _send_bytes(send, status, to_json(answer), "application/json", retry_after)


async def _send_challenge(send: Send, source: SourceSettings, challenge: str, *, by_query: bool) -> None:
    assert source.custom is not None and source.custom.section.handshake is not None
    secret = source.secrets[0] if source.secrets else ""
    said = handshakes.answer(source.custom.section.handshake, challenge, secret, by_query=by_query)
    if isinstance(said, str):
        await _send_text(send, HTTPStatus.OK, said, "text/plain")
    else:
        await _send(send, HTTPStatus.OK, said)


async def _send_text(send: Send, status: HTTPStatus, text: str, kind: str) -> None:
    await _send_bytes(send, status, text.encode(), f"{kind}; charset=utf-8")


async def _send_bytes(
    send: Send, status: HTTPStatus, body: bytes, kind: str, retry_after: int = _RETRY_SECONDS
) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers.append((b"retry-after", str(retry_after).encode()))
    if status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT}:
        headers.append((b"connection", b"close"))  # the rest of the body is not waited for
    start: Message = {"type": "http.response.start", "status": int(status), "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
