"""Sections of lead syncs and event routes alike: which campaign, and whom to text when."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airflow_outreach_provider.core.phones import LineType
from airflow_outreach_provider.core.workflows.fields import (
    ONE_OR_MANY,
    Rate,
    Templated,
    TemplatedConnection,
    choice,
)
from airflow_outreach_provider.core.workflows.rule_fields import (
    PerPersonRule,
    QuietSpan,
    Region,
    ResubmitRule,
)
from airflow_outreach_provider.core.workflows.section import Section


class Outreach(Section):
    """Which campaign the leads go to."""

    conn_id: TemplatedConnection = Field(
        "outreach_default", description="Airflow connection of type `outreach`; templates allowed."
    )
    configuration_id: Templated | None = Field(
        None, description="The outreach configuration; the connection's own otherwise."
    )
    format: Annotated[str, *choice(["raw", "fixed"])] = Field(
        "raw", description="Payload format: raw is flat, fixed has contacts, applications, conversations."
    )
    campaign: Templated | None = Field(
        None, description="Within a campaign nobody is texted twice; the configuration id otherwise."
    )


class SendRules(Section):
    """Whom to text, when, and what to do with doubts."""

    default_region: Region | None = Field(
        None, description="Country of numbers without country code, e.g. US."
    )
    quiet_hours: QuietSpan | None = Field(
        None, description='Nobody is texted then, in their own time zone, e.g. "21:00-08:00".'
    )
    line_types: Annotated[list[Annotated[str, *choice(LineType)]], *ONE_OR_MANY] | None = Field(
        None, description="Kinds of line that may be texted."
    )
    on_unknown: Annotated[str, *choice(["hold", "resend"])] = Field(
        "hold", description="An answer that never came: hold (at most one text) or resend (at least one)."
    )
    resubmit: ResubmitRule = Field(
        "never",
        description="A person texted before: never again, when the row changed, or after a span such as 90d.",
    )
    per_person: PerPersonRule | None = Field(
        None,
        description='At most so many texts to a person in a span of time, of whatever campaign, e.g. "1 per 7d"; '
        "who has had them waits for the next run after it.",
    )
    requests_per_second: Rate | None = Field(None, description="At most so many requests a second.")
