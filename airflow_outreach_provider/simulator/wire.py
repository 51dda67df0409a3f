"""Requests and answers as values, and an answer as bytes."""

from __future__ import annotations

import json
import math
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

MAX_BODY = 1024 * 1024
JSON = b"application/json"
HTML = b"text/html; charset=utf-8"


class ApiRequest(NamedTuple):
    """One HTTP request, complete."""

    method: bytes
    path: str
    query: str
    authorization: bytes
    body: bytes
    keep_alive: bool

    def __repr__(self) -> str:
        """Without the credentials and the person in it."""
        return f"ApiRequest({self.method!r}, {self.path!r})"


class Reply(NamedTuple):
    """One HTTP answer; ``headers`` are further lines, each with its CRLF."""

    status: int
    body: bytes = b""
    content_type: bytes = b""
    headers: bytes = b""


def json_answer(status: int, content: Any, headers: bytes = b"") -> Reply:
    return Reply(status, json.dumps(content, separators=(",", ":")).encode(), JSON, headers)


def failure(status: int, message: str, headers: bytes = b"") -> Reply:
    """An error of the API. Its error bodies are not documented: only the status can be relied on."""
    return json_answer(status, {"success": False, "message": message}, headers)


def html_page(status: int) -> Reply:
    """What a proxy or a web application's own router says."""
    title = f"{status} {_phrase(status)}"
    page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, page.encode(), HTML)


def http_date(seconds_ahead: float) -> str:
    """The HTTP date that lies at least so far ahead; HTTP dates know whole seconds only."""
    return formatdate(math.ceil(time.time() + seconds_ahead), usegmt=True)


def encode(answer: Reply, *, close: bool, head: bool = False) -> bytes:
    """The answer as HTTP/1.1; ``close`` announces the end of the connection, ``head`` leaves the body out."""
    return b"HTTP/1.1 %b\r\nDate: %b\r\n%b%bContent-Length: %d\r\n%b\r\n%b" % (
        _status_line(answer.status),
        _date(int(time.time())),
        b"Content-Type: %b\r\n" % answer.content_type if answer.content_type else b"",
        answer.headers,
        len(answer.body),
        b"Connection: close\r\n" if close else b"",
        b"" if head else answer.body,
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


@lru_cache(maxsize=512)
def _status_line(status: int) -> bytes:
    return f"{status} {_phrase(status)}".encode()


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
