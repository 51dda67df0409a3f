"""What a workflow file may say. Field descriptions are the reference page and the editors' hover texts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.mapping import SECTIONS
from airflow_outreach_provider.core.pacing import MOST_AT_ONCE
from airflow_outreach_provider.core.retry_schedule import MOST_PAUSES
from airflow_outreach_provider.core.workflows.dag_settings import DagSettings
from airflow_outreach_provider.core.workflows.deliver import Deliver
from airflow_outreach_provider.core.workflows.expression_fields import RowValue, RowWhere, Target, Where
from airflow_outreach_provider.core.workflows.fields import (
    ONE_OR_MANY,
    AtOnce,
    Column,
    ConnectionId,
    ConsentColumn,
    Count,
    DryRun,
    PlainText,
    Positive,
    choice,
)
from airflow_outreach_provider.core.workflows.lead_sources import LeadSource, SourceField, SqlSection
from airflow_outreach_provider.core.workflows.outreach_sections import Outreach, SendRules
from airflow_outreach_provider.core.workflows.rule_fields import (
    FewestRows,
    Pause,
    ShareOrCount,
    Span,
)
from airflow_outreach_provider.core.workflows.schedules import (
    EVENTS,
    RouteScheduleField,
)
from airflow_outreach_provider.core.workflows.section import Section

__all__ = ["DagSettings", "LeadSource", "Section", "SqlSection"]


class RulesSection(SendRules):
    """Whom to text, when, and what to do with doubts."""

    changed_on: Annotated[list[Column], *ONE_OR_MANY] | None = Field(
        None, description="Columns whose values alone count as a change; all that is sent otherwise."
    )
    consent: ConsentColumn | None = Field(
        None, description="Column that must say yes before a person is texted."
    )
    time_zone: Column | None = Field(
        None,
        description="Column with the person's time zone, e.g. Europe/Berlin; else their number's counts.",
    )
    several_phones: Annotated[str, *choice(["reject", "first"])] = Field(
        "reject",
        description="A cell with several numbers: reject its row, or take the first that can be read.",
    )
    unknown_ranges: Annotated[str, *choice(["reject", "allow"])] = Field(
        "reject", description="Numbers of the right length in no range known to be in use: reject or allow."
    )
    max_rejected: ShareOrCount = Field(
        "5%",
        description="More rejected rows than this fail the task, before anybody is texted where the source shows it: "
        "a share or a number.",
    )
    max_suppressed: ShareOrCount | None = Field(
        None,
        description="More suppressed rows than this fail the task, before anybody is texted: a share or a number.",
    )
    concurrency: AtOnce | None = Field(
        None, description=f"Requests in flight at once, up to {MOST_AT_ONCE:,}."
    )
    min_rows: FewestRows | None = Field(
        None,
        description="Fewer rows than this fail the task before anybody is texted: a number, or a share of those of the "
        'last successful run of this sync for the campaign, e.g. "50% of last run".',
    )
    approve_above: Count | None = Field(
        None,
        description="With more people than this to text, the run waits for a person's approval in Airflow's UI.",
    )
    approval_timeout: Span = Field(
        timedelta(days=1), description="No answer for so long: nothing is sent and the run fails."
    )
    approvers: Annotated[list[PlainText], *ONE_OR_MANY] | None = Field(
        None, description="Ids of the Airflow users who may approve; anybody with the right to otherwise."
    )


class LeadSync(DagSettings):
    """Rows of a source → leads of an outreach campaign."""

    as_written = frozenset({"leads", "map"})

    leads: SourceField = Field(description="Where the rows come from.")
    outreach: Outreach = Field(default_factory=Outreach, description="Which campaign the leads go to.")
    where: RowWhere | None = Field(
        None,
        description="Only rows whose columns meet this, e.g. title == 'Nurse'; the others are counted as filtered.",
    )
    order_by: Annotated[list[Column], *ONE_OR_MANY] | None = Field(
        None,
        description="Columns by which rows go out, e.g. [score desc, created_at]; as they come otherwise. Also says which "
        "rows a `limit` takes.",
    )
    unique: Annotated[list[Annotated[str, *choice(["email", "phone"])]], *ONE_OR_MANY] | None = Field(
        None,
        description="email: of leads of the campaign with one address one is texted, whatever their numbers. A number is "
        "texted once anyway.",
    )
    incremental: Column | None = Field(
        None,
        description="A column such as updated_at: only rows from where the last run came to that ended well and read its "
        "whole source; the others are counted as filtered.",
    )
    map: dict[Target, RowValue] | None = Field(
        None,
        min_length=1,
        description='Field of the lead → column, a template such as "{{ row.title | trim }}", or a value that is the same '
        "for everybody: 42, true, null, a list, an object, or a text in quotes of its own, \"'sms'\". "
        "Without it the usual column names are recognised and all other columns become custom properties.",
    )
    rules: RulesSection = Field(
        default_factory=RulesSection, description="Whom to text, when, and what to do with doubts."
    )
    outlets: Annotated[list[PlainText], *ONE_OR_MANY] | None = Field(
        None,
        description="Assets that have news when a run went well: names or URIs. The event's extra holds the rows by state.",
    )
    dry_run: DryRun = Field(
        False,
        description='Do everything but send: true, false, or a template such as "{{ var.value.dry_run }}".',
    )
    limit: Positive | None = Field(
        None, description="Read no more rows than this, unless the trigger form says otherwise."
    )


RETRY_KNOBS = ("retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay")
"""Airflow's own way to say when a task is retried."""


# What other platforms call it.
_KIND_WORDS = {
    "reply": "replied",
    "opt_out": "unsubscribed",
    "optout": "unsubscribed",
    "stop": "unsubscribed",
    "booked": "appointment_booked",
    "meeting_booked": "appointment_booked",
    "positive": "interested",
}


class EventRoute(DagSettings):
    """Events of the platforms → one place each."""

    as_written = frozenset({"deliver", "source", "kinds"})
    instead_of: ClassVar = {"retry_schedule": frozenset(RETRY_KNOBS)} | dict.fromkeys(
        RETRY_KNOBS, frozenset({"retry_schedule"})
    )

    schedule: RouteScheduleField = Field(
        EVENTS,
        description="When it runs: `events` (default) begins a run whenever there is something to deliver, beside "
        'those that still retry; "@continuous" has one run that waits, cron and spans look now and then.',
    )
    source: ConnectionId | None = Field(
        None, description="Only events of this connection of type `outreach_source`; all otherwise."
    )
    kinds: Annotated[list[Annotated[str, *choice(EventKind, _KIND_WORDS)]], *ONE_OR_MANY] | None = Field(
        None, description="Only these kinds of event."
    )
    where: Where | None = Field(
        None, description="Only events for which this is true, e.g. kind == 'interested'."
    )
    deliver: Deliver = Field(description="What becomes of a matching event.")
    max_events: Positive = Field(1000, description="At most so many events a run.")
    poll_interval: Span = Field(
        timedelta(seconds=5), description="How often to look for new events, e.g. 5s."
    )
    retry_schedule: Annotated[list[Pause], Field(max_length=MOST_PAUSES), *ONE_OR_MANY] | None = Field(
        None,
        description="The pause before each retry of a failed delivery, and so how many there are, e.g. [5s, 30s, 2m, 10m]; "
        "5s, 30s, 2m, 10m, 30m, 2h, 5h, 10h unless set here. Not beside `retries` and `retry_delay`, which are Airflow's way.",
    )
    wait: Span | None = Field(
        None,
        description="How long a run waits for events before it ends as skipped, a day otherwise; with "
        "`schedule: events` none waits.",
    )


NESTED_TARGETS = tuple(f"{section}." for section in SECTIONS if section != "contacts")
