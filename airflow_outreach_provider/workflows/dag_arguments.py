"""Airflow's own knobs of a workflow → the arguments of its DAG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, AssetAny, CronTriggerTimetable, Param
from airflow.sdk.definitions.param import ParamsDict

from airflow_outreach_provider.assets import contact_events
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.following import followed_asset
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute
from airflow_outreach_provider.core.workflows.schedules import CONTINUOUS, ONCE, Schedule, ScheduleKind
from airflow_outreach_provider.workflows.functions import calling, import_function

# Named by Airflow as they are here, and left to Airflow where the workflow does not say.
_DAG_KNOBS = (
    "start_date",
    "end_date",
    "max_active_tasks",
    "dagrun_timeout",
    "is_paused_upon_creation",
    "dag_display_name",
    "owner_links",
)
_TASK_KNOBS = (
    "owner",
    "retries",
    "retry_delay",
    "retry_exponential_backoff",
    "max_retry_delay",
    "execution_timeout",
    "pool",
    "pool_slots",
    "priority_weight",
    "queue",
    "executor",
    "executor_config",
    "depends_on_past",
)
# A run that waits for its retry must not keep others waiting; what begins by a ring may go on beside it.
_RUNS_OF_EVENTS = 16
# Long past and for ever the same: without one, Airflow's @continuous has one logical date for all runs.
_START = datetime(2025, 1, 1, tzinfo=UTC)


def new_dag(workflow: Loaded[DagSettings], kind: str, params: Mapping[str, Param], file: str) -> DAG:
    """The DAG of a workflow, without its tasks.

    :param kind: what it is, for its tags: ``lead sync`` or ``event route``.
    :param params: the fields of the trigger form that every workflow of this kind has.
    :param file: the workflow's file, as its page tells it.
    """
    model = workflow.model
    defaults = {name: getattr(model, name) for name in _TASK_KNOBS if getattr(model, name) is not None}
    if model.on_retry_callback:
        defaults["on_retry_callback"] = [calling(path) for path in model.on_retry_callback]
    defaults |= _emails(model, defaults)
    knobs = {name: getattr(model, name) for name in _DAG_KNOBS if getattr(model, name) is not None}
    if isinstance(model, EventRoute) or model.schedule.cron == CONTINUOUS:
        knobs.setdefault("start_date", _START)
    if model.deadline is not None:
        from airflow_outreach_provider.workflows.deadlines import deadline_of

        knobs["deadline"] = deadline_of(model.deadline, model.on_deadline)
    by_events = model.schedule.kind is ScheduleKind.EVENTS and not model.depends_on
    return DAG(
        workflow.dag_id,
        description=model.description or _first_comment(workflow) or f"Outreach {kind} {workflow.name}",
        schedule=_schedule(workflow.name, model, by_events),
        catchup=model.catchup,
        max_active_runs=model.max_active_runs or (_RUNS_OF_EVENTS if by_events else 1),
        tags=["outreach", kind, *model.tags],
        params=params_of(model, params),
        default_args=defaults,
        on_failure_callback=[calling(path) for path in model.on_failure_callback or ()] or None,
        on_success_callback=[calling(path) for path in model.on_success_callback or ()] or None,
        doc_md=_page(workflow, file),
        **knobs,
    )


def after_workflow(name: str) -> Asset:
    """What has news when a workflow has run well."""
    asset, uri = followed_asset(name)
    return Asset(asset, uri=uri)


def _schedule(name: str, model: DagSettings, by_events: bool) -> Any:
    if model.depends_on:
        return [after_workflow(each) for each in model.depends_on]
    return _events_of(name, model) if by_events else schedule_of(model.schedule, model.timezone)


def _emails(model: DagSettings, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Whom a task writes to, by Airflow's notifier; its own e-mail arguments are leaving it.

    :raises ConfigurationError: Airflow's SMTP provider is not installed.
    """
    if not model.email:
        return {}
    try:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier
    except ImportError:
        raise ConfigurationError(
            "email needs Airflow's SMTP provider, which is not installed",
            "pip install apache-airflow-providers-smtp where DAGs are parsed and run",
        ) from None
    told: dict[str, Any] = {}
    if model.email_on_failure is not False:
        told["on_failure_callback"] = [SmtpNotifier(to=list(model.email))]
    if model.email_on_retry:
        told["on_retry_callback"] = [
            *defaults.get("on_retry_callback", ()),
            SmtpNotifier(to=list(model.email)),
        ]
    return told


def params_of(model: DagSettings, params: Mapping[str, Param]) -> ParamsDict:
    """The fields of the trigger form: those of every workflow of its kind, and its own."""
    return ParamsDict({**params, **{name: _param(spec) for name, spec in model.params.items()}})


def schedule_of(schedule: Schedule, timezone: str | None) -> Any:
    """What Airflow takes as ``schedule``."""
    match schedule.kind:
        case ScheduleKind.BY_HAND:
            return None
        case ScheduleKind.CRON:
            if schedule.cron == CONTINUOUS:
                from airflow_outreach_provider.workflows.timetables import ContinuousTimetable

                return ContinuousTimetable()
            zone = schedule.zone or timezone
            if zone is None or schedule.cron == ONCE:
                return schedule.cron
            return CronTriggerTimetable(schedule.cron, timezone=zone)
        case ScheduleKind.TIMETABLE:
            return import_function(schedule.timetable)(**schedule.arguments)
        case ScheduleKind.SPAN:
            return schedule.every
        case ScheduleKind.EVENTS:
            raise AssertionError("whose events, the route says")
        case ScheduleKind.ALL_ASSETS:
            return [Asset(uri) for uri in schedule.assets]
        case ScheduleKind.ANY_ASSET:
            return AssetAny(*(Asset(uri) for uri in schedule.assets))


def _events_of(name: str, model: DagSettings) -> list[Asset]:
    """What a route reads is all that its doorbell hears."""
    assert isinstance(model, EventRoute)
    return [
        contact_events(
            name, model.kinds, model.source, model.where,
            poll_interval=model.poll_interval.total_seconds(), routes=[name], own_filter=True,
        )
    ]  # fmt: skip


def _param(spec: Any) -> Param:
    return Param(**spec) if isinstance(spec, dict) else Param(spec)


def _page(workflow: Loaded[DagSettings], file: str) -> str:
    """The DAG's page: its own lines of YAML, and where they stand."""
    line = workflow.located.keys[(workflow.section, workflow.name)].line
    own = f"{workflow.model.doc_md.rstrip()}\n\n" if workflow.model.doc_md else ""
    where = f", in the environment `{workflow.environment}`" if workflow.environment else ""
    return f"{own}From `{file}`, line {line}{where}:\n\n```yaml\n{workflow.text}```\n"


def _first_comment(workflow: Loaded[DagSettings]) -> str:
    """What stands behind the workflow's name: ``website_leads: # every quarter of an hour``."""
    _, mark, comment = workflow.text.split("\n", 1)[0].partition(" # ")
    return comment.strip() if mark else ""
