"""What a workflow file may say. Field descriptions are the reference page and the editors' hover texts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.leads import SECTIONS
from airflow_outreach_provider.core.retry_schedule import MOST_PAUSES
from airflow_outreach_provider.core.workflows.deliver import Deliver
from airflow_outreach_provider.core.workflows.expression_fields import RowValue, Target, Where
from airflow_outreach_provider.core.workflows.fields import (
    ONE_OR_MANY,
    Column,
    ConnectionId,
    Count,
    Flag,
    PlainText,
    Positive,
    PythonPath,
    Shape,
    Templated,
    Text,
    choice,
    kind_of,
    mistake,
)
from airflow_outreach_provider.core.workflows.outreach_sections import Outreach, SendRules
from airflow_outreach_provider.core.workflows.rule_fields import (
    FewestRows,
    Moment,
    Pause,
    ShareOrCount,
    Span,
    Zone,
)
from airflow_outreach_provider.core.workflows.schedules import (
    BY_HAND,
    EVENTS,
    RouteScheduleField,
    ScheduleField,
)
from airflow_outreach_provider.core.workflows.section import Section


def _params(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise mistake(f"this must be a mapping, not {kind_of(value)}", "write name: default value")
    return value


Params = Annotated[dict[str, Any], PlainValidator(_params), Shape({"type": "object"})]


class DagSettings(Section):
    """What Airflow itself offers, under Airflow's own names."""

    description: Text | None = Field(None, description="One line, shown in the list of DAGs.")
    schedule: ScheduleField = Field(
        BY_HAND,
        description='When it runs: cron ("*/15 * * * *"), a preset ("@daily"), a span (15m), '
        "{assets: [uri, …]} or {any_asset: [uri, …]}; nothing: only by hand. Quote what begins with * or @.",
    )
    start_date: Moment | None = Field(
        None, description="No run before this, e.g. 2026-01-31; without a zone UTC."
    )
    end_date: Moment | None = Field(None, description="No run after this.")
    timezone: Zone | None = Field(
        None, description="The zone cron is read in, e.g. Europe/Berlin; UTC otherwise."
    )
    catchup: Flag = Field(False, description="Also run for the times missed since start_date.")
    enabled: Flag = Field(True, description="false: read and checked, but no DAG is made of it.")
    max_active_runs: Positive | None = Field(
        None,
        description="How many runs at once: 1 unless set, 16 for an event route with `schedule: events`.",
    )
    max_active_tasks: Positive | None = Field(None, description="How many of its tasks at once.")
    dagrun_timeout: Span | None = Field(None, description="A run that takes longer fails, e.g. 2h.")
    is_paused_upon_creation: Flag | None = Field(
        None, description="Whether it starts paused; Airflow's setting otherwise."
    )
    dag_display_name: Text | None = Field(None, description="The name the UI shows instead of the id.")
    tags: Annotated[list[PlainText], *ONE_OR_MANY] = Field([], description="In the UI, besides `outreach`.")
    owner: PlainText | None = Field(None, description="Who answers for it.")
    owner_links: dict[str, Text] | None = Field(None, description="Owner → link (https: or mailto:).")
    params: Params = Field(
        {},
        description="Fields of the trigger form: name: default, or name: {default, type, title, description, …} as in Airflow's Param.",
    )
    retries: Count | None = Field(
        None, description="How often a task is retried; 3 unless set here or in Airflow."
    )
    retry_delay: Span | None = Field(None, description="How long to wait before the first retry, e.g. 5m.")
    retry_exponential_backoff: Flag | None = Field(None, description="Wait longer before each further retry.")
    max_retry_delay: Span | None = Field(None, description="The longest wait before a retry.")
    execution_timeout: Span | None = Field(None, description="A task that takes longer fails, e.g. 1h.")
    pool: PlainText | None = Field(None, description="Airflow pool of the tasks.")
    pool_slots: Positive | None = Field(None, description="Slots a task takes of its pool.")
    priority_weight: Positive | None = Field(None, description="Tasks with more come first.")
    queue: PlainText | None = Field(None, description="Queue of the workers.")
    executor: PlainText | None = Field(None, description="Executor, where there are several.")
    depends_on_past: Flag | None = Field(None, description="A task runs only after its last run went well.")
    on_failure_callback: Annotated[list[PythonPath], *ONE_OR_MANY] | None = Field(
        None, description="Called when a run fails: package.module.function."
    )
    on_success_callback: Annotated[list[PythonPath], *ONE_OR_MANY] | None = Field(
        None, description="Called when a run goes well."
    )
    on_retry_callback: Annotated[list[PythonPath], *ONE_OR_MANY] | None = Field(
        None, description="Called when a task is retried."
    )
    notify: Annotated[list[PythonPath], *ONE_OR_MANY] | None = Field(
        None,
        description="Called once for each operational event: an endpoint rests, recovers or is disabled, deliveries "
        "are dead, leads held, a source refuses, events are not read.",
    )


class SqlSection(Section):
    """Rows of a query."""

    conn_id: ConnectionId = Field(description="Airflow connection of the database.")
    query: Templated = Field(
        description="SELECT …; Airflow's templates allowed, e.g. {{ data_interval_start }}."
    )


class LeadSource(Section):
    """Where the rows come from: exactly one of these."""

    one_of = ("csv", "jsonl", "sql")

    csv: Templated | None = Field(
        None, description="Path or URI of a CSV file, .gz allowed; * in the name takes every match."
    )
    jsonl: Templated | None = Field(
        None, description="Path or URI of a file with one JSON object a line, .gz allowed."
    )
    sql: SqlSection | None = Field(None, description="A query of a database.")


class RulesSection(SendRules):
    """Whom to text, when, and what to do with doubts."""

    changed_on: Annotated[list[Column], *ONE_OR_MANY] | None = Field(
        None, description="Columns whose values alone count as a change; all that is sent otherwise."
    )
    consent: Column | None = Field(None, description="Column that must say yes before a person is texted.")
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
    concurrency: Positive | None = Field(None, description="Requests in flight at once.")
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

    leads: LeadSource = Field(description="Where the rows come from.")
    outreach: Outreach = Field(default_factory=Outreach, description="Which campaign the leads go to.")
    map: dict[Target, RowValue] | None = Field(
        None,
        min_length=1,
        description='Field of the lead → column, or a template such as "{{ row.title | trim }}". '
        "Without it the usual column names are recognised and all other columns become custom properties.",
    )
    rules: RulesSection = Field(
        default_factory=RulesSection, description="Whom to text, when, and what to do with doubts."
    )
    dry_run: Flag = Field(False, description="Do everything but send.")


RETRY_KNOBS = ("retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay")
"""Airflow's own way to say when a task is retried."""


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
    kinds: Annotated[list[Annotated[str, *choice(EventKind)]], *ONE_OR_MANY] | None = Field(
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


class Defaults(Section):
    """Values shared by the workflows of the file, or, in `_defaults.yaml`, of the folder."""

    lead_syncs: LeadSync | None = Field(None, description="For every lead sync.")
    event_routes: EventRoute | None = Field(None, description="For every event route.")


class WorkflowFile(Section):
    """A workflow file."""

    defaults: Defaults | None = Field(None, description="Values shared by the workflows of this file.")
    lead_syncs: dict[str, LeadSync] = Field({}, description="Name → lead sync.")
    event_routes: dict[str, EventRoute] = Field({}, description="Name → event route.")


Workflow = LeadSync | EventRoute
SECTION_MODELS: dict[str, type[LeadSync] | type[EventRoute]] = {
    "lead_syncs": LeadSync,
    "event_routes": EventRoute,
}
NESTED_TARGETS = tuple(f"{section}." for section in SECTIONS if section != "contacts")
