"""Which names an expression may use, and what is known of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_outreach_provider.core.events import CONTACT_FIELDS, EventKind
from airflow_outreach_provider.core.expressions.functions import Type, concatenate, concatenate_whole
from airflow_outreach_provider.core.suggest import did_you_mean

NULLS = frozenset({"null", "nil", "NULL", "Null", "NONE", "undefined"})
"""What none is called elsewhere; a column of that name is ``row['null']``."""
YES_NO = frozenset({"TRUE", "FALSE"})
"""What SQL calls true and false: as a column that is not there nothing would equal it, and everybody differ from it."""


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
    :param given: the names whose values come with the run, the same for every record.
    :param bare: whether any other name is a column of the record.
    :param texts: whether all columns are texts, as those of a CSV file.
    :param join: what makes one text of several parts.
    """

    name: str
    fields: Mapping[str, Field]
    record: str | None = None
    given: frozenset[str] = frozenset()
    bare: bool = False
    texts: bool = False
    join: Callable[[Sequence[object]], str | None] = concatenate

    def over_texts(self) -> Scope:
        """The same where all columns are texts."""
        return _OVER_TEXTS[self]

    @property
    def column(self) -> Field:
        """What is known of a column. In a value what cannot be computed of a text is none; a condition asks of everybody."""
        return Field(Type.TEXT if self.texts and self.bare else Type.ANY, open=True)


_OPEN = Field(Type.ANY, open=True)
RUN_FIELDS = {
    "ds": Field(Type.TEXT, help="the day the run is for, e.g. 2026-01-31"),
    "data_interval_start": Field(Type.TIME, help="the beginning of the run's data interval"),
    "data_interval_end": Field(Type.TIME, help="its end"),
    "params": Field(Type.ANY, open=True, help="the run's params: `params.region`"),
    "var": Field(
        Type.ANY, fields={"value": _OPEN, "json": _OPEN}, help="Airflow's variables: `var.value.name`"
    ),
}
"""What a run knows, under the names that Airflow's templates have for it."""

_ROW_FIELDS = {
    "row": Field(Type.ANY, open=True, help="the row: `row.phone`, `row['First name']`"),
    **RUN_FIELDS,
}
ROW = Scope("row", _ROW_FIELDS, "row", given=frozenset(RUN_FIELDS))
"""Of a template in ``map``: a column is written ``row.title``."""
ROW_CONDITION = Scope("row", _ROW_FIELDS, "row", given=frozenset(RUN_FIELDS), bare=True)
"""Of ``where`` over rows: ``title == 'Nurse'``, as an event's fields are written."""
_OVER_TEXTS = {each: replace(each, texts=True) for each in (ROW, ROW_CONDITION)}


def advice_for_name(name: str, scope: Scope) -> str:
    """What was meant by a name that is none."""
    known = scope.fields
    if name in NULLS:
        return "did you mean none?"
    if name == "event" and "contact" in known:
        return "leave out event. before its fields, e.g. contact.email"
    if scope.record and name not in known:
        return did_you_mean(name, known, f"a column is written {scope.record}.{name}")
    for parent, below in known.items():
        if name in below.fields:
            return f"did you mean {parent}.{name}?"
    return did_you_mean(name, known)


def written_column(column: str) -> str:
    """How an expression names a column: ``row.title``, ``row['First name']``."""
    return f"row.{column}" if column.isidentifier() and column.isascii() else f"row[{column!r}]"


BODY = Scope(
    "body",
    {
        "body": Field(
            Type.ANY, open=True, help="what the platform sent: `body.email`, `body.answers[0].text`"
        ),
        "headers": Field(Type.ANY, open=True, help="of its request: `headers['X-Topic']`"),
    },
)

IDENTITY = replace(BODY, join=concatenate_whole)
"""Of what tells one event from all others: half of an id is that of many."""

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
