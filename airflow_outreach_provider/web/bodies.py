"""An event's raw body as somebody may see it: the structure always, the contents only when revealed."""

from __future__ import annotations

import json
from typing import Any

from airflow_outreach_provider.core.masking import mask_text

_MOST = 64 * 1024
# What these keys say is about the event, not about the person.
_SHOWN = frozenset(
    {
        "type", "event", "event_name", "event_type", "timestamp", "occurred_at", "created_at", "createdat",
        "updatedat", "updated_at", "campaignid", "campaign_id", "kind", "status", "outcome_type", "interest",
        "appointment", "bounced", "opened", "clicked", "replied", "platform", "channel", "direction", "medium",
    }
)  # fmt: skip


def raw(body: bytes) -> str:
    """The body as text, JSON indented; at most 64 KiB of it."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)[:_MOST]
    except (ValueError, RecursionError):
        return body[:_MOST].decode("utf-8", "replace")


def masked(body: bytes) -> str:
    """The same with every value hidden that may be about the person."""
    try:
        value = json.loads(body)
        return json.dumps(_hidden(value, shown=False), indent=2, ensure_ascii=False)[:_MOST]
    except (ValueError, RecursionError):
        return f"({len(body)} bytes that are no JSON; hidden)"


def _hidden(value: Any, *, shown: bool) -> Any:
    if isinstance(value, dict):
        return {
            mask_text(str(key), 100): _hidden(each, shown=str(key).lower() in _SHOWN)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_hidden(each, shown=shown) for each in value[:100]]
    if value is None or isinstance(value, bool):
        return value
    return mask_text(str(value), 200) if shown else "•••"
