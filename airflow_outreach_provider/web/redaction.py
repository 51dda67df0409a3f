"""What platforms and endpoints sent, as somebody may see it: the structure always, the contents only when revealed.

Names and addresses cannot be told from other words, so nothing that may be about a person is shown unasked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_outreach_provider.core.masking import HIDDEN, mask_text, printable
from airflow_outreach_provider.core.redaction import SHOWN, WORD, is_harmless

_MOST = 64 * 1024
# Headers that are about the request, not about anybody.
_HEADERS_SHOWN = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-length", "content-type", "date", "host", "traceparent",
        "transfer-encoding", "user-agent", "webhook-id", "webhook-timestamp", "x-forwarded-proto", "x-request-id",
        "x-varda-delivery", "x-varda-event",
    }
)  # fmt: skip


def raw(body: bytes) -> str:
    """The body as text, JSON indented; at most 64 KiB of it."""
    try:
        return printable(json.dumps(json.loads(body), indent=2, ensure_ascii=False)[:_MOST])
    except (ValueError, RecursionError):
        return printable(body[:_MOST].decode("utf-8", "replace"))


def masked(body: bytes) -> str:
    """The same with every value hidden that may be about the person."""
    try:
        value = json.loads(body)
        return printable(json.dumps(_hidden(value, shown=False), indent=2, ensure_ascii=False)[:_MOST])
    except (ValueError, RecursionError):
        return f"({len(body):,} bytes that are no JSON; hidden)" if body else ""


def saw(values: Mapping[str, Any], *, reveal: bool) -> dict[str, str]:
    """What a condition looked at, by dotted name; nothing that may be about the person unasked."""
    if reveal:
        return {
            name: printable(json.dumps(value, ensure_ascii=False, default=str)[:500])
            for name, value in values.items()
        }
    return {
        name: json.dumps(_hidden(value, shown=name.rpartition(".")[2].lower() in SHOWN | {"source"}), ensure_ascii=False, default=str)[:500]
        for name, value in values.items()
    }  # fmt: skip


def headers(pairs: Iterable[tuple[str, str]], *, reveal: bool) -> list[tuple[str, str]]:
    """Request headers, secrets masked when they were stored; unasked, only values that are about the request."""
    shown = [(printable(str(name))[:200], printable(str(value))) for name, value in pairs]
    if reveal:
        return shown
    return [(name, mask_text(value) if name.lower() in _HEADERS_SHOWN else HIDDEN) for name, value in shown]


def answer_headers(told: str | None, *, reveal: bool) -> list[tuple[str, str]]:
    """The head of an answer as it may be seen; where it leads to is a URL like any other."""
    if not told:
        return []
    pairs: list[Any] = json.loads(told)
    return [
        (str(name), str(value) if reveal else HIDDEN if str(name).lower() == "location" else mask_text(str(value)))
        for name, value in pairs
    ]  # fmt: skip


def _hidden(value: Any, *, shown: bool) -> Any:
    if isinstance(value, dict):
        return {
            _key(str(key), place): _hidden(each, shown=str(key).lower() in SHOWN)
            for place, (key, each) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_hidden(each, shown=shown) for each in value[:100]]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    return text if shown and is_harmless(text) else HIDDEN


def _key(name: str, place: int) -> str:
    return name if WORD.fullmatch(name) else f"{HIDDEN} {place + 1}"
