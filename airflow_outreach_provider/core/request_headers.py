"""The headers of a request: found by name in any case, read by expressions, kept without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from pydantic_core import to_json

from airflow_outreach_provider.core.masking import HIDDEN
from airflow_outreach_provider.core.platforms.reading import text
from airflow_outreach_provider.core.proofs import header_of

# Signatures are evidence and stay; what opens a door does not.
_SECRET = re.compile(r"token|secret|passw|auth|api-?key|cookie|session|credential", re.IGNORECASE)
_MAX_BYTES = 16_384


class RequestHeaders(Mapping[str, str]):
    """Headers for an expression: ``headers.x_shopify_topic`` and ``headers['X-Shopify-Topic']`` are one.

    Of a name that comes several times the first counts; those that hold secrets are not there.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        for name, value in headers.items():
            if not is_secret(name) and (found := text(value)) is not None:
                self._values.setdefault(_plain(name), found)

    def __getitem__(self, name: str) -> str:
        return self._values[_plain(str(name))]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a header of this name holds what opens a door: it is neither kept nor read."""
    return _SECRET.search(name) is not None


def find_header(headers: Mapping[str, str], name: str) -> str | None:
    """The value of a header, looked up in any case."""
    return text(header_of(headers, name))


def write_headers(headers: Iterable[tuple[str, str]]) -> str:
    """JSON text of the headers in order; values that are secrets masked, 16 KiB at most."""
    kept: list[tuple[str, str]] = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
        if size > _MAX_BYTES:
            kept.append(("x-outreach-cut", "the rest of the headers is not kept"))
            break
        kept.append((name, HIDDEN if is_secret(name) else value.replace("\x00", "�")))
    return to_json(kept).decode()


def stored_headers(written: str) -> dict[str, str]:
    """What :func:`write_headers` wrote, by name; of several the first."""
    try:
        return dict(reversed(json.loads(written)))
    except (ValueError, TypeError):
        return {}
