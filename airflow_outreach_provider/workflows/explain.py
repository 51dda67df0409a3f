"""``explain NAME``: the DAG and the tasks a workflow becomes."""

from __future__ import annotations

import json
from os import PathLike
from typing import TYPE_CHECKING, Any, TextIO

from airflow_outreach_provider.core import retry_schedule
from airflow_outreach_provider.core.arguments import as_written
from airflow_outreach_provider.core.request_form import POST
from airflow_outreach_provider.core.times import span_words
from airflow_outreach_provider.core.workflows.deliver import Deliver
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSource, LeadSync
from airflow_outreach_provider.core.workflows.said_rules import said_rules, said_settings
from airflow_outreach_provider.core.workflows.workflow_file import Export
from airflow_outreach_provider.hooks.retry_policy import OutreachRetryPolicy
from airflow_outreach_provider.workflows.build import build_dag
from airflow_outreach_provider.workflows.files import find_workflow

if TYPE_CHECKING:
    from airflow.sdk import DAG


def explain_workflow(name: str, path: str | PathLike[str], out: TextIO, *, as_json: bool = False) -> None:
    """Print what a workflow becomes; nothing runs.

    :raises ConfigurationError: there is no such workflow.
    """
    workflow = find_workflow(name, path)
    dag = build_dag(workflow)
    described = describe(workflow, dag)
    if as_json:
        print(json.dumps(described, indent=2, ensure_ascii=False), file=out)
        return
    print(f"{dag.dag_id}   ({described['file']}:{described['line']})", file=out)
    print(f"  {described['sentence']}", file=out)
    if workflow.environment:
        print(f"  in the environment {workflow.environment}", file=out)
    for key in ("schedule", "retries", "params", "tags"):
        value = described[key]
        print(f"  {key:<10}{', '.join(value) if isinstance(value, list) else value}", file=out)
    for setting in said_settings(workflow.model):
        print(f"  {setting.name:<12}{setting.value:<20}   {setting.means}", file=out)
    if described["rules"]:
        print("  rules", file=out)
    for rule in said_rules(workflow.model):
        print(f"    {rule.name:<24}{rule.value:<20}   {rule.means}", file=out)
    print("  tasks", file=out)
    for task in described["tasks"]:
        after = f"   after {', '.join(task['after'])}" if task["after"] else ""
        mapped = "   one instance a batch" if task["mapped"] else ""
        print(f"    {task['task_id']:<24}{task['operator']}{after}{mapped}", file=out)


def describe(workflow: Loaded[DagSettings], dag: DAG) -> dict[str, Any]:
    """The same as plain data."""
    spot = workflow.located.keys[(workflow.section, workflow.name)]
    return {
        "dag_id": dag.dag_id,
        "environment": workflow.environment,
        "file": workflow.file,
        "line": spot.line,
        "sentence": sentence(workflow.model),
        "schedule": str(workflow.model.schedule),
        "retries": _retries(dag),
        "params": list(dag.params),
        "tags": sorted(dag.tags),
        "settings": {each.name: each.value for each in said_settings(workflow.model)},
        "rules": {rule.name: rule.value for rule in said_rules(workflow.model)},
        "tasks": [
            {
                "task_id": task.task_id,
                "operator": task.task_type,
                "after": sorted(task.upstream_task_ids),
                "mapped": bool(task.is_mapped),
            }
            for task in dag.topological_sort()
        ],
    }


def _retries(dag: DAG) -> str:
    """When the task that sends is retried, which is the last one."""
    task = dag.topological_sort()[-1]
    said = as_written(task)
    policy, retries = said.get("retry_policy"), said.get("retries") or 0
    if isinstance(policy, OutreachRetryPolicy) and policy.schedule:
        return retry_schedule.words(policy.schedule)
    times = "1 retry" if retries == 1 else f"{retries or 'no'} retries"
    first = f", the first after {span_words(task.retry_delay.total_seconds())}" if retries else ""
    return times + first


def sentence(model: DagSettings) -> str:
    """What a workflow does, in one line."""
    if isinstance(model, LeadSync):
        source = ", ".join(_said_source(each) for each in model.leads)
        goal = model.outreach.configuration_id or "its configuration"
        where = f" where {model.where}" if model.where is not None else ""
        return f"leads of {source}{where} → {goal} through {model.outreach.conn_id}"
    if isinstance(model, Export):
        to = model.to
        place = (
            f"tables of {to.sql.conn_id}"
            if to.sql
            else f"{'Parquet' if to.parquet else 'CSV'} in {to.parquet or to.csv}"
        )
        return f"changed {', '.join(model.data)}, people {model.personal} → {place}"
    assert isinstance(model, EventRoute)
    what = ", ".join(model.kinds) if model.kinds else "events"
    chosen = [
        what,
        *([f"of {model.source}"] if model.source else []),
        *([f"where {model.where}"] if model.where else []),
    ]
    return f"{' '.join(chosen)} → {_destination(model)}"


def _said_source(source: LeadSource) -> str:
    if source.sql is not None:
        return f"a query on {source.sql.conn_id}"
    return ", ".join(source.files[1]) if source.files is not None else ""


def _destination(model: EventRoute) -> str:
    deliver = model.deliver
    if deliver.endpoint is not None:
        plain = deliver.method in (None, POST) and not deliver.path
        return f"{'signed webhook' if plain else _address(deliver)} to {deliver.endpoint}"
    if deliver.python is not None:
        return f"{deliver.python}(event)"
    if deliver.notifier is not None:
        return f"told by {deliver.notifier.name.rpartition('.')[2]}"
    if deliver.trigger_dag is not None:
        conf = deliver.trigger_dag.conf
        told = "ids and masked fields" if conf is None else ", ".join(conf)
        return f"a run of DAG {deliver.trigger_dag.dag_id} for each, with {told} for its conf"
    if deliver.outreach is not None:
        return f"lead for {deliver.outreach.configuration_id or 'its configuration'} through {deliver.outreach.conn_id}"
    return "do-not-contact list"


def _address(deliver: Deliver) -> str:
    method = deliver.method or POST
    return f"{method} /{deliver.path.lstrip('/')}" if deliver.path else method
