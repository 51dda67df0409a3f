"""``deliver:`` of an event route: what becomes of an event."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator

from airflow_outreach_provider.core.batch_form import RESULT
from airflow_outreach_provider.core.dag_runs import DAG_ID
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_where
from airflow_outreach_provider.core.request_form import CONTENT_TYPES, METHODS, PAYLOADS
from airflow_outreach_provider.core.workflows.expression_fields import (
    EventPath,
    EventTexts,
    EventValue,
    Target,
)
from airflow_outreach_provider.core.workflows.fields import (
    TEXT_SCHEMA,
    ConnectionId,
    Flag,
    PlainText,
    Positive,
    PythonPath,
    Shape,
    annotated,
    choice,
    choose,
    kind_of,
    mistake,
    plain,
    text,
)
from airflow_outreach_provider.core.workflows.outreach_sections import Outreach, SendRules
from airflow_outreach_provider.core.workflows.section import Section


class EventOutreach(Outreach):
    """An event becomes a lead of a campaign."""

    map: dict[Target, EventValue] = Field(
        default_factory=lambda: {
            "phoneNumber": "contact.phone",
            "firstName": "contact.first_name",
            "lastName": "contact.last_name",
            "email": "contact.email",
        },
        min_length=1,
        description='Field of the lead → field of the event, or a template such as "{{ data.title | trim }}".',
    )
    rules: SendRules = Field(
        default_factory=SendRules, description="Whom to text, when, and what to do with doubts."
    )


def _suppress(value: object) -> bool:
    if value is not True:
        raise mistake(f"this must be true, not {kind_of(value)}", "write suppress: true, or another way")
    return True


def _payload(value: object) -> Any:
    return value if isinstance(value, dict | list) else choose(value, PAYLOADS)


Payload = Annotated[
    str | dict[str, Any] | list[Any],
    PlainValidator(_payload),
    Shape(
        {
            "anyOf": [
                {"type": "string", "enum": list(PAYLOADS)},
                {"type": "array", "minItems": 1},
                {"type": "object", "minProperties": 1},
            ]
        }
    ),
]


def _ok(value: object) -> str:
    read = text(value)
    try:
        compile_where(read, RESULT)
    except ExpressionError as error:
        raise mistake(error.problem, error.remedy, error.offset) from None
    return read


class EventBatch(Section):
    """Events of several contacts in one request; `payload` is one event's part of it."""

    size: Positive = Field(description="At most so many events in a request, up to 1,000.")
    items: PlainText | None = Field(
        None, description="The name of their list in the body; without it the body is the list."
    )
    body: EventTexts | None = Field(None, description="What else is in the body, as it stands.")
    results: PlainText | None = Field(
        None,
        description="The name of the answer's list, in the order of the items; without it the answer is that list.",
    )
    ok: Annotated[str, *annotated(_ok, TEXT_SCHEMA)] | None = Field(
        None,
        description="An event is taken when this is true of its `result`, e.g. result.success. Without it the answer's status is for all.",
    )


class EventNotifier(Section):
    """An Airflow notifier, told of each event by itself."""

    name: PythonPath = Field(description="Its class: package.module.Notifier.")
    arguments: EventTexts | None = Field(
        None,
        description="Its arguments; where its own are templates, they have the event as {{ event.contact.email }}.",
    )


def _dag_id(value: object) -> str:
    read = plain(value)
    if not DAG_ID.fullmatch(read):
        raise mistake(f"{read[:80]!r} is no DAG id", "use letters, digits, dashes, dots and underscores")
    return read


class TriggeredDag(Section):
    """A run of another DAG for each event, once: its id is made of the event's."""

    dag_id: Annotated[str, *annotated(_dag_id, {**TEXT_SCHEMA, "pattern": f"^{DAG_ID.pattern}$"})] = Field(
        description="The DAG. Where it is paused, its runs wait; where there is none, the task fails and the events wait."
    )
    conf: EventTexts | None = Field(
        None,
        description='Of the run: name → template over the event, e.g. {email: "{{ contact.email }}"}. Airflow shows it to '
        "everybody who may see the DAG, so without it there are ids and masked fields only.",
    )


class Deliver(Section):
    """What becomes of a matching event: exactly one of these."""

    one_of = ("endpoint", "outreach", "python", "notifier", "trigger_dag", "suppress")

    endpoint: ConnectionId | None = Field(
        None,
        description="A request to a connection of type `outreach_endpoint`, signed as it says, or of Airflow's type `http`.",
    )
    outreach: EventOutreach | None = Field(None, description="A lead of an outreach campaign.")
    method: Annotated[str, *choice(METHODS)] | None = Field(
        None, description="Of the request to the endpoint; what its connection says otherwise, else POST."
    )
    path: EventPath | None = Field(
        None,
        description="Below the endpoint's URL, e.g. contacts/{{ contact.email }}. What an event brings is encoded and "
        "stays in its place; an event that has nothing for it is refused.",
    )
    query: EventTexts | None = Field(None, description="After the ?: name → template; none leaves it out.")
    headers: EventTexts | None = Field(
        None, description="Header → template, besides those of the connection."
    )
    payload: Payload | None = Field(
        None,
        description="Body of the request: canonical (the same JSON for every platform; the default), received (as it came), "
        "none (no body; the default of DELETE), or a mapping or list whose texts are templates over the event, however "
        'deep, e.g. {email: "{{ contact.email }}"}.',
    )
    omit_empty: Flag = Field(
        False, description="Leave out of the payload what is none or an empty text, list or mapping."
    )
    content_type: Annotated[str, *choice(CONTENT_TYPES)] | None = Field(
        None,
        description="How the payload is written: as JSON, or as the fields of a form; what the endpoint's connection says "
        "otherwise, else json.",
    )
    save: EventTexts | None = Field(
        None,
        description="Kept of the answer, about the event's contact: name → template over `response`, the answer's JSON, e.g. "
        '{crm_id: "{{ response.id }}"}. Requests for later events of the contact to this endpoint have it as {{ saved.crm_id }}.',
    )
    batch: EventBatch | None = Field(
        None, description="Events of several contacts in one request, each judged by the answer."
    )
    python: PythonPath | None = Field(None, description="A function: package.module.function(event).")
    notifier: EventNotifier | None = Field(
        None,
        description="An Airflow notifier (Slack, Teams, e-mail, PagerDuty, …) with the event in its context.",
    )
    trigger_dag: TriggeredDag | None = Field(None, description="A run of another DAG, with the event's id.")
    suppress: Annotated[bool, PlainValidator(_suppress), Shape({"const": True})] | None = Field(
        None,
        description="true: the contact goes on the do-not-contact list. Without kinds and where: of opt-outs and bounces only.",
    )

    def request(self) -> dict[str, Any]:
        """What it says of the request to an endpoint, under the names of :class:`RequestForm`."""
        said = {name: value for name in REQUEST_KEYS if (value := getattr(self, name)) is not None}
        batch = said.pop("batch", None)
        return said if batch is None else {**said, "batching": batch.model_dump(exclude_none=True)}


REQUEST_KEYS = (
    "method",
    "path",
    "query",
    "headers",
    "payload",
    "omit_empty",
    "content_type",
    "save",
    "batch",
)
"""What has no meaning without an endpoint."""
