"""The tasks of a lead sync: ``submit``, or ``plan → approve → submit`` where a person has to approve."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import Param, TaskGroup

from airflow_outreach_provider.core.workflows.models import LeadSource, LeadSync
from airflow_outreach_provider.operators.outreach import SqlLeads, SubmitLeadsOperator
from airflow_outreach_provider.workflows.functions import calling

_DRY_RUN = "{{ params.dry_run }}"
_LIMIT = "{{ params.limit or '' }}"


def lead_sync_params(model: LeadSync) -> dict[str, Param]:
    """The trigger form: what one run may do differently."""
    params = {
        "dry_run": Param(
            model.dry_run,
            type="boolean",
            title="Dry run",
            description="Do everything but send: the log says what would have become of each row.",
        ),
        "limit": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Limit",
            description="Read no more rows than this, e.g. 10 for a first try.",
        ),
    }
    if model.leads.sql is None:
        params["leads"] = Param(
            None,
            type=["null", "string"],
            title="Other file",
            description="Path or URI of a .csv or .jsonl file to send instead of the workflow's own.",
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
    arguments = submit_arguments(model, file) | {"dry_run": _DRY_RUN, "max_rows": _LIMIT}
    if model.notify:
        arguments["on_outreach_event"] = [calling(path) for path in model.notify]
    if model.leads.sql is None:
        own = arguments["leads"]
        arguments["leads"] = f"{{% if params.leads %}}{{{{ params.leads }}}}{{% else %}}{own}{{% endif %}}"
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


def leads_of(leads: LeadSource, file: str) -> Any:
    """What an operator takes as ``leads``.

    :param file: the workflow file; a relative path starts in its folder.
    """
    if leads.sql is not None:
        return SqlLeads(leads.sql.conn_id, leads.sql.query)
    return beside(leads.csv or leads.jsonl or "", file)


def beside(uri: str, file: str) -> str:
    """A path or URI as it is meant in a workflow file: a relative one starts in the file's folder."""
    if "://" in uri or os.path.isabs(uri) or uri.lstrip().startswith("{{"):
        return uri
    # Where a worker starts is nobody's knowledge; where the file that says so stands is.
    return os.path.join(os.path.dirname(os.path.abspath(file)), uri)
