"""Which names an expression may use, and what is known of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_outreach_provider.core.events import CONTACT_FIELDS, EventKind
from airflow_outreach_provider.core.expressions.functions import Type


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One name: the type of its value and whether it is always there.

    :param choices: the only values it can have, when that is a closed set.
    :param fields: the names below it; the name itself is then no value.
    :param open: anything may be below it.
    """

    type: Type
    always: bool = False
    choices: frozenset[str] = frozenset()
    fields: Mapping[str, Field] = field(default_factory=dict)
    open: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """The names at the top of an expression.

    :param record: the name that stands for the whole record, if there is one (``row``).
    """

    name: str
    fields: Mapping[str, Field]
    record: str | None = None


ROW = Scope(
    "row", {"row": Field(Type.ANY, open=True, help="the row: `row.phone`, `row['First name']`")}, "row"
)

_TEXT = Field(Type.TEXT)

EVENT = Scope(
    "event",
    {
        "id": Field(Type.TEXT, always=True, help="the event's stable id"),
        "kind": Field(
            Type.TEXT,
            always=True,
            choices=frozenset(EventKind),
            help="what happened, the same word for every platform",
        ),
        "type": Field(Type.TEXT, always=True, help="what happened, in the platform's own word"),
        "source": Field(Type.TEXT, always=True, help="the connection id the event came through"),
        "platform": Field(Type.TEXT, always=True, help="the platform it came from"),
        "occurred_at": Field(Type.TIME, help="when it happened, UTC"),
        "received_at": Field(Type.TIME, always=True, help="when it was received, UTC"),
        "campaign_id": Field(Type.TEXT, help="the platform's campaign"),
        "contact": Field(
            Type.ANY,
            fields=dict.fromkeys(CONTACT_FIELDS, _TEXT),
            help="the person: `contact.email`, `contact.phone` (E.164)",
        ),
        "data": Field(Type.ANY, open=True, help="the raw event: `data.score`, `data['outcome_type']`"),
    },
)

SAVED = Field(
    Type.ANY, open=True, help="what `save:` kept of earlier answers about the contact: `saved.crm_id`"
)
REQUEST = Scope("event", {**EVENT.fields, "saved": SAVED})
"""Of the request to an endpoint."""
RESPONSE = Scope(
    "answer",
    {**REQUEST.fields, "response": Field(Type.ANY, open=True, help="the answer's JSON: `response.id`")},
)
"""Of what is kept of its answer."""
