"""``deliver:`` of an event route: what becomes of an event."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator

from airflow_outreach_provider.core.request_form import CONTENT_TYPES, JSON, METHODS, PAYLOADS, POST
from airflow_outreach_provider.core.workflows.expression_fields import (
    EventPath,
    EventTexts,
    EventValue,
    Target,
)
from airflow_outreach_provider.core.workflows.fields import (
    ConnectionId,
    Flag,
    PythonPath,
    Shape,
    choice,
    choose,
    kind_of,
    mistake,
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
        raise mistake(
            f"this must be true, not {kind_of(value)}", "write suppress: true, or choose another way"
        )
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


class Deliver(Section):
    """What becomes of a matching event: exactly one of these."""

    one_of = ("endpoint", "outreach", "python", "suppress")

    endpoint: ConnectionId | None = Field(
        None, description="A signed webhook: connection of type `outreach_endpoint`."
    )
    outreach: EventOutreach | None = Field(None, description="A lead of an outreach campaign.")
    method: Annotated[str, *choice(METHODS)] = Field(POST, description="Of the request to the endpoint.")
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
    content_type: Annotated[str, *choice(CONTENT_TYPES)] = Field(
        JSON, description="How the payload is written: as JSON, or as the fields of a form."
    )
    python: PythonPath | None = Field(None, description="A function: package.module.function(event).")
    suppress: Annotated[bool, PlainValidator(_suppress), Shape({"const": True})] | None = Field(
        None,
        description="true: the contact goes on the do-not-contact list. Without kinds and where: of opt-outs and bounces only.",
    )

    def request(self) -> dict[str, Any]:
        """What it says of the request to an endpoint, under the names of :class:`RequestForm`."""
        return {name: value for name in REQUEST_KEYS if (value := getattr(self, name)) is not None}


REQUEST_KEYS = ("method", "path", "query", "headers", "payload", "omit_empty", "content_type")
"""What has no meaning without an endpoint."""
