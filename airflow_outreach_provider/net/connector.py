"""aiohttp's connections, with patience for answers that are good and oddly wrapped.

Left alone, aiohttp gives up a whole answer for one long header, and for a byte too many behind its end.
Both are met in the wild, and both come after the other side has acted: such an answer counts.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

MAX_FIELD_BYTES = 128 * 1024
MAX_HEAD_BYTES = 256 * 1024  # without the chunk in which it ends
_LIMITS = {"max_line_size": MAX_FIELD_BYTES, "max_field_size": MAX_FIELD_BYTES, "max_headers": 1024}
_HEAD_ENDS = re.compile(rb"\n\r?\n")
_STREAM_BYTES = 64 * 1024


class AnswerHandler(ResponseHandler):
    """Keeps an answer whose head was good, whatever comes behind it; only its connection is given up.

    The parser forgets the messages of a chunk in which it meets an error. So such a chunk is looked at again by
    a new parser, the head before what follows it. What nobody asked for is no answer to the next request.
    """

    _awaits_head = _looks_again = False
    _answer_options: dict[str, Any]
    _since_request = _behind_head = b""
    _broken: BaseException | None = None
    _content: aiohttp.StreamReader | None = None

    def set_response_params(self, **options: Any) -> None:
        options.update(_understood_limits())
        self._answer_options, self._content = options, None
        self._awaits_head, self._since_request = True, b""
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        if self._awaits_head:
            self._since_request += data
            super().data_received(data)
            if self._broken is not None:
                self._look_again()
            elif self._awaits_head and len(self._since_request) > MAX_HEAD_BYTES:
                self._hang_up()
                super().set_exception(HttpProcessingError(message=f"a head of over {MAX_HEAD_BYTES} bytes"))
        elif data and (self._content is None or self._content.is_eof()):
            self._hang_up()  # nobody asked
        else:
            self._body_received(data)

    def feed_data(self, data: Any, *size: int) -> None:
        message = data[0]
        if self._awaits_head and (message.code >= 200 or message.code == 101):
            self._awaits_head, self._since_request = False, b""
            if message.code == 204 and self._behind_head:
                data = message, self._unexpected_body()
            self._content = data[1]
        super().feed_data(data, *size)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        if self._awaits_head and not self._looks_again and isinstance(exc, HttpProcessingError):
            self._broken = exc
        else:
            super().set_exception(exc, *cause)

    def _look_again(self) -> None:
        """The connection is closed by now; what it brought is still here."""
        data, self._broken, self._looks_again = self._since_request, None, True
        super().set_response_params(**self._answer_options)
        while self._awaits_head and data and self.exception() is None:
            found = _HEAD_ENDS.search(data)
            end = found.end() if found else len(data)
            head, self._behind_head = data[:end], data[end:]
            super().data_received(head)
            data = self._behind_head
        self.force_close()
        if data and self._content is not None and not self._content.is_eof():
            self._body_received(data)

    def _body_received(self, data: bytes) -> None:
        super().data_received(data)
        # Where the parser fails, aiohttp does not tell whoever reads a body that was begun.
        if self.exception() is not None and self._content is not None and not self._content.is_eof():
            self._content.set_exception(aiohttp.ClientPayloadError("the body is not valid HTTP"))

    def _unexpected_body(self) -> aiohttp.StreamReader:
        """What came right behind a 204, which has no body: it is read as one."""
        content = aiohttp.StreamReader(self, _STREAM_BYTES, loop=self._loop)
        content.feed_data(self._behind_head)
        content.feed_eof()
        self._behind_head = b""
        return content

    def _hang_up(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()


class Connector(aiohttp.TCPConnector):
    """A pool of connections that read answers in this way."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        factory = functools.partial(AnswerHandler, loop=self._loop)
        self._factory = cast("functools.partial[ResponseHandler]", factory)


@functools.cache
def _understood_limits() -> dict[str, int]:
    """The limits that this aiohttp can be given."""
    known = inspect.signature(ResponseHandler.set_response_params).parameters
    return {name: limit for name, limit in _LIMITS.items() if name in known}
