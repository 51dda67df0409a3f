"""An event out of text that somebody pasted: a webhook as a source's platform sends it, or our own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from airflow_outreach_provider.core.custom_events import made_event
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.intake import read_events
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.sources import SourceSettings

MOST_CHARACTERS = 65_536
PASTED = "pasted"
_PASTED_ID = "evt_" + "0" * 32


def pasted_event(text: str, source: SourceSettings | None, now: datetime, *, of: str = "") -> ContactEvent:
    """The event that a text is; of a request with several, the first.

    Its id is nobody's: what is stored under an id that stands in the text is not this event's.

    :param source: whose webhook it is; None for an event in our own form.
    :param of: the source that an event of our own form is of, where it does not say.
    :raises ConfigurationError: it cannot be read, and what to paste.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigurationError(
            f"the text has {len(text):,} characters, {MOST_CHARACTERS:,} at most", "paste one event"
        )
    try:
        if source is not None:
            # A text has no headers and proves nothing: what its source signs is not asked for.
            unsigned = replace(source, secrets=())
            found = read_events(unsigned, text.encode("utf-8", "replace"), {}, received_at=now)
            if not found:
                raise ConfigurationError("the request holds no event", "paste one with an event in it")
            return replace(found[0].event, id=_PASTED_ID, seq=None)
        value = read_json(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(_unreadable(text), "paste the JSON of one event") from error
    if not isinstance(value, Mapping):
        raise ConfigurationError("this is no JSON object", "paste an event: {…}")
    made = made_event(
        {**value, "id": None}, unique=PASTED, source=_name(value.get("source")) or of or PASTED, now=now
    )
    return replace(made, id=_PASTED_ID, platform=_name(value.get("platform")) or made.platform)


def _unreadable(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError):
        pass
    return "this is not JSON that can be read"


def _name(value: object) -> str:
    return value[:250] if isinstance(value, str) else ""
