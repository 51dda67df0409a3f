"""The tasks of a lead sync: ``submit``, or ``plan → approve → submit`` where a person has to approve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Param, TaskGroup

from airflow_outreach_provider.core.workflows.models import LeadSource, LeadSync
from airflow_outreach_provider.operators.lead_source import FileLeads, SourceList, SqlLeads
from airflow_outreach_provider.operators.submit import SubmitLeadsOperator
from airflow_outreach_provider.workflows.beside import beside, query_of
from airflow_outreach_provider.workflows.functions import calling

_DRY_RUN = "{{ params.dry_run }}"
_LIMIT = "{{ params.limit or '' }}"
_OTHER_FILE = "{{ params.leads or '' }}"


def lead_sync_params(model: LeadSync) -> dict[str, Param]:
    """The trigger form: what one run may do differently."""
    params = {
        "dry_run": Param(
            model.dry_run is True,
            type="boolean",
            title="Dry run",
            description="Do everything but send: the log says what would have become of each row.",
        ),
        "limit": Param(
            model.limit,
            type=["null", "integer"],
            minimum=1,
            title="Limit",
            description="Read no more rows than this, e.g. 10 for a first try.",
        ),
    }
    if any(source.sql is None for source in model.leads):
        params["leads"] = Param(
            None,
            type=["null", "string"],
            title="Other file",
            description="Path or URI of a file (.csv, .jsonl, .json, .parquet, .xlsx) to send instead of the workflow's own.",
        )
    return params


def submit_arguments(model: LeadSync, file: str) -> dict[str, Any]:
    """The arguments of ``SubmitLeadsOperator`` that a lead sync stands for.

    :param file: the workflow file; a relative path of leads starts in its folder.
    """
    outreach, rules = model.outreach, model.rules
    return {
        "leads": leads_of(model.leads, file),
        "mapping": dict(model.map) if model.map is not None else None,
        "where": model.where,
        "order_by": model.order_by,
        "unique": model.unique,
        "incremental": model.incremental,
        "outreach_conn_id": outreach.conn_id,
        "configuration_id": outreach.configuration_id,
        "payload_format": outreach.format,
        "campaign": outreach.campaign,
        "default_region": rules.default_region,
        "quiet_hours": rules.quiet_hours,
        "require_consent": rules.consent,
        "line_types": rules.line_types,
        "time_zone": rules.time_zone,
        "several_phones": rules.several_phones,
        "unknown_ranges": rules.unknown_ranges,
        "on_unknown": rules.on_unknown,
        "resubmit": rules.resubmit,
        "changed_on": rules.changed_on,
        "per_person": rules.per_person,
        "max_rejected": rules.max_rejected,
        "max_suppressed": rules.max_suppressed,
        "concurrency": rules.concurrency,
        "requests_per_second": rules.requests_per_second,
        "min_rows": rules.min_rows,
    }


def build_lead_sync(model: LeadSync, file: str) -> None:
    """Make the tasks, in the DAG that is being built."""
    arguments = submit_arguments(model, file) | {"dry_run": dry_run_of(model), "max_rows": _LIMIT}
    if model.notify:
        arguments["on_outreach_event"] = [calling(path) for path in model.notify]
    if "leads" in lead_sync_params(model):
        own = arguments["leads"]
        if isinstance(own, str):
            own = f"{{% if params.leads %}}{_OTHER_FILE}{{% else %}}{own}{{% endif %}}"
        else:
            own = SourceList(own.sources if isinstance(own, SourceList) else [own], _OTHER_FILE)
        arguments["leads"] = own
    if model.rules.approve_above is None:
        SubmitLeadsOperator(task_id="submit", **arguments)
        return
    from airflow_outreach_provider.workflows.approval import (
        ApproveLeadsOperator,
        PlanLeadsOperator,
        SubmitApprovedLeadsOperator,
    )

    with TaskGroup("approval", tooltip="Count who would be texted; above the limit a person approves"):
        plan = PlanLeadsOperator(task_id="plan", **arguments | {"dry_run": True})
        approve = ApproveLeadsOperator(
            task_id="approve",
            plan_task_id=plan.task_id,
            approve_above=model.rules.approve_above,
            dry_run=arguments["dry_run"],
            response_timeout=model.rules.approval_timeout,
            assigned_users=[{"id": each, "name": each} for each in model.rules.approvers or ()] or None,
        )
    submit = SubmitApprovedLeadsOperator(
        task_id="submit",
        plan_task_id=plan.task_id,
        approve_above=model.rules.approve_above,
        **arguments,
    )
    plan >> approve >> submit


def dry_run_of(model: LeadSync) -> str:
    """Whether a run only looks: as its form says, or as the workflow's own template does."""
    if isinstance(model.dry_run, bool):
        return _DRY_RUN
    return f"{{% if params.dry_run %}}true{{% else %}}{model.dry_run}{{% endif %}}"


def leads_of(leads: Sequence[LeadSource], file: str) -> Any:
    """What an operator takes as ``leads``.

    :param file: the workflow file; a relative path starts in its folder.
    :raises ConfigurationError: a file that holds a query cannot be read.
    """
    sources = [each for source in leads for each in _sources_of(source, file)]
    return sources[0] if len(sources) == 1 else SourceList(sources)


def _sources_of(source: LeadSource, file: str) -> list[Any]:
    if source.sql is not None:
        return [SqlLeads(source.sql.conn_id, query_of(source.sql, file))]
    said = {"delimiter": source.delimiter, "encoding": source.encoding, "sheet": source.sheet}
    paths = [beside(path, file) for path in (source.files[1] if source.files is not None else ())]
    return [FileLeads(path, **said) for path in paths] if any(said.values()) else [*paths]
