"""Which values of a payload are about the person, and how one that is may be shown where it cannot be taken back.

Names and addresses cannot be told from other words, so what may be about a person is hidden wherever it is written
down out of our reach: Airflow keeps what it is given, and forgetting somebody does not lead there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from airflow_outreach_provider.core.masking import HIDDEN, mask_email, mask_phone, mask_text

# What these keys say is about the event, not about the person.
SHOWN = frozenset(
    {
        "type", "event", "event_name", "event_type", "timestamp", "occurred_at", "created_at", "createdat",
        "updatedat", "updated_at", "campaignid", "campaign_id", "kind", "status", "outcome_type", "interest",
        "appointment", "bounced", "opened", "clicked", "replied", "platform", "channel", "direction", "medium",
        "error", "code", "ok", "success", "title", "received_at", "receivedat", "sent_at", "sentat", "scheduled_at",
        "started_at", "ended_at",
    }
)  # fmt: skip
# A word of a machine's: what people write has spaces, and their numbers many digits in a row.
WORD = re.compile(r"(?!.*\d{7})[\w.:+-]{1,40}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]{5,15}(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_LONGEST_NAME = 60


def is_harmless(text: str) -> bool:
    """Whether a value under one of the keys that are shown is a word or a time, as it has to be."""
    return bool(WORD.fullmatch(text) or _TIME.fullmatch(text))


def hinted_payload(body: bytes) -> dict[str, str]:
    """A lead's payload by dotted field, in its order, each value as a hint: what kind of thing stands where.

    A number and an address are masked, of other words the first letter is left; what is empty, yes or no, and how many
    things are in a list, stays. Empty for what is no JSON object.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return dict(_hints("", payload)) if isinstance(payload, dict) else {}


def _hints(above: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, dict) and value and above.count(".") < 3:
            yield from _hints(name, value)
        else:
            yield mask_text(name, _LONGEST_NAME), _hint(key, value)


def _hint(key: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list | dict):
        return f"{len(value):,} in it"
    text = str(value)
    if not text or key == "configurationId":
        return mask_text(text, _LONGEST_NAME)
    if key == "phoneNumber":
        return mask_phone(text)
    if key == "email":
        return mask_text(mask_email(text), _LONGEST_NAME)
    if isinstance(value, str) and key.lower() in SHOWN and is_harmless(text):
        return mask_text(text)
    return f"{text[0]}{HIDDEN}" if isinstance(value, str) and text[0].isalpha() else HIDDEN
