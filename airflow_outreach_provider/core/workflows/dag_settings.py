"""What a workflow may say of its DAG."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator

from airflow_outreach_provider.core.workflows.fields import (
    NAME,
    ONE_OR_MANY,
    TEXT_SCHEMA,
    Flag,
    PlainText,
    Positive,
    PythonPath,
    Shape,
    Text,
    annotated,
    choice,
    kind_of,
    mistake,
    number,
    text,
)
from airflow_outreach_provider.core.workflows.rule_fields import Moment, Span, Zone
from airflow_outreach_provider.core.workflows.schedules import BY_HAND, ScheduleField
from airflow_outreach_provider.core.workflows.section import Section

# Airflow's, airflow/task/trigger_rule.py, 3.3.
TRIGGER_RULES = (
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success", "one_success",
    "one_failed", "one_done", "none_failed", "none_skipped", "always", "none_failed_min_one_success", "all_skipped",
)  # fmt: skip


def _name(value: object) -> str:
    read = text(value)
    if not NAME.fullmatch(read):
        raise mistake(f"{read!r} cannot be the name of a workflow", "name one of this folder")
    return read


WorkflowName = Annotated[str, *annotated(_name, TEXT_SCHEMA)]


def _params(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise mistake(f"this must be a mapping, not {kind_of(value)}", "write name: default value")
    return value


_OF_RETRIES = {
    **dict.fromkeys(
        ("count", "times", "max", "number", "max_retries", "attempts", "limit", "max_attempts"), "retries"
    ),
    **dict.fromkeys(
        ("delay", "wait", "interval", "retry_delay", "backoff_delay", "every", "pause"), "retry_delay"
    ),
    **dict.fromkeys(("max_delay", "max_retry_delay"), "max_retry_delay"),
    **dict.fromkeys(("backoff", "exponential", "exponential_backoff"), "retry_exponential_backoff"),
}


def _retries(value: object) -> int:
    if isinstance(value, dict) and value:
        meant = {_OF_RETRIES[key]: each for key, each in value.items() if key in _OF_RETRIES}
        lines = ", ".join(
            f"{key}: {each}" for key, each in meant.items() if not isinstance(each, dict | list)
        )
        raise mistake(
            "this must be a whole number, not a mapping",
            f"write {lines or 'retries: 3, retry_delay: 5m'}, each a key of its own",
        )
    return int(number(value, 0, whole=True))


Retries = Annotated[int, *annotated(_retries, {"type": "integer", "minimum": 0})]

Params = Annotated[dict[str, Any], PlainValidator(_params), Shape({"type": "object"})]


class DagSettings(Section):
    """What Airflow itself offers, under Airflow's own names."""

    description: Text | None = Field(None, description="One line, shown in the list of DAGs.")
    doc_md: Text | None = Field(
        None, description="Markdown for the DAG's page, above its lines of this file."
    )
    schedule: ScheduleField = Field(
        BY_HAND,
        description='When it runs: cron ("*/15 * * * *"), a preset ("@daily"), a span (15m), '
        "{cron: …, timezone: …}, {assets: [uri, …]}, {any_asset: [uri, …]} or {timetable: package.module.Class, "
        "arguments: {…}}; nothing: only by hand. Quote what begins with * or @.",
    )
    depends_on: Annotated[list[WorkflowName], *ONE_OR_MANY] | None = Field(
        None,
        description="Names of other workflows of the folder: it runs when each of them has run well since, dry runs aside; in place of "
        "a schedule.",
    )
    environments: Params | None = Field(
        None,
        description="Environment → values of this workflow that hold in it alone, e.g. {dev: {limit: 10}}; the file or the "
        "folder declares the [environments](#environments).",
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
    deadline: Span | None = Field(
        None,
        description="A run that is not done so long after it was queued is late: `on_deadline` is called.",
    )
    on_deadline: PythonPath | None = Field(
        None,
        description="Called when a run is late: package.module.function, in the triggerer where it is `async`; the log "
        "says so otherwise.",
    )
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
    retries: Retries | None = Field(
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
    executor_config: Params | None = Field(
        None, description="Passed to the executor as it is, e.g. {pod_override: …}."
    )
    trigger_rule: Annotated[str, *choice(TRIGGER_RULES)] | None = Field(
        None,
        description="Airflow's rule for its first task, where a DAG file puts tasks of its own before it.",
    )
    depends_on_past: Flag | None = Field(None, description="A task runs only after its last run went well.")
    email: Annotated[list[PlainText], *ONE_OR_MANY] | None = Field(
        None, description="Addresses that are written to, through Airflow's connection `smtp_default`."
    )
    email_on_failure: Flag | None = Field(
        None, description="When a task fails; yes unless set, where there is `email`."
    )
    email_on_retry: Flag | None = Field(None, description="When a task is to be retried; no unless set.")
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
