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
MAX_HEAD_BYTES = 256 * 1024
_LIMITS = {"max_line_size": MAX_FIELD_BYTES, "max_field_size": MAX_FIELD_BYTES, "max_headers": 1024}
_HEAD_ENDS = re.compile(rb"\n\r?\n")
_STREAM_BYTES = 64 * 1024


class AnswerHandler(ResponseHandler):
    """Feeds the parser an answer's head before what follows it.

    The parser forgets the messages of a chunk in which it meets an error; an answer whose head was handed over
    before is kept, and only its connection is given up. So it is when something comes that nobody asked for.
    """

    _awaits_head = False
    _head_size = 0
    _content: aiohttp.StreamReader | None = None
    _last_bytes = _beside_head = b""

    def set_response_params(self, **options: Any) -> None:
        self._expect_head()
        super().set_response_params(**{**options, **_understood_limits()})

    def data_received(self, data: bytes) -> None:
        while self._awaits_head and data:
            # The end may lie across two chunks.
            found = _HEAD_ENDS.search(self._last_bytes + data)
            end = found.end() - len(self._last_bytes) if found else len(data)
            head, self._beside_head = data[:end], data[end:]
            self._last_bytes = b"" if found else (self._last_bytes + head)[-2:]
            self._head_size += len(head)
            self._feed(head)
            if self._awaits_head and self._head_size > MAX_HEAD_BYTES:
                self._give_up()
            data = self._beside_head
            if not data or self.exception() is not None:
                return
        if data and not self._awaits_head and (self._content is None or self._content.is_eof()):
            self._hang_up()  # nobody asked: it must not be taken for the next request's answer
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        super().data_received(data)
        # Where the parser fails, aiohttp does not tell whoever reads a body that was begun.
        if self.exception() is not None and self._content is not None and not self._content.is_eof():
            self._content.set_exception(aiohttp.ClientPayloadError("the body is not valid HTTP"))

    def feed_data(self, data: Any, *size: int) -> None:
        message, content = data
        if 100 <= message.code <= 199 and message.code != 101:
            self._expect_head()
        elif self._awaits_head:
            self._awaits_head = False
            if message.code == 204 and self._beside_head:
                content = self._unexpected_body()
            self._content = content
        super().feed_data((message, content), *size)

    def _expect_head(self) -> None:
        self._awaits_head, self._head_size, self._last_bytes, self._content = True, 0, b"", None

    def _unexpected_body(self) -> aiohttp.StreamReader:
        """What came right behind a 204, which has no body: read it as one, and use the connection no more."""
        self.force_close()
        content = aiohttp.StreamReader(self, _STREAM_BYTES, loop=self._loop)
        content.feed_data(self._beside_head)
        content.feed_eof()
        self._beside_head = b""
        return content

    def _hang_up(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def _give_up(self) -> None:
        self._hang_up()
        self.set_exception(HttpProcessingError(message=f"the head is longer than {MAX_HEAD_BYTES} bytes"))


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
