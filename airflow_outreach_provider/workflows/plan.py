"""``plan NAME``: what the next run of a lead sync would do. Sends nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, TextIO

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.core.workflows.models import LeadSync
from airflow_outreach_provider.core.workflows.said_rules import said_rules, said_settings
from airflow_outreach_provider.hooks.advice import advice_on
from airflow_outreach_provider.workflows.files import find_workflow

if TYPE_CHECKING:
    from airflow_outreach_provider.core.workflows.loading import Loaded
    from airflow_outreach_provider.core.workflows.models import DagSettings
    from airflow_outreach_provider.services.submit.run import SubmitRun
    from airflow_outreach_provider.services.submit.tally import Tally

# In the order a person asks: who would be texted, who not, and why.
WORDS: Mapping[RowState, str] = {
    RowState.PLANNED: "new",
    RowState.UNCHANGED: "already texted",
    RowState.SUPPRESSED: "suppressed",
    RowState.FILTERED: "not for it",
    RowState.REJECTED: "invalid",
    RowState.DEFERRED: "deferred",
    RowState.HELD: "held",
    RowState.DUPLICATE: "duplicate",
    RowState.ELSEWHERE: "in another run",
    RowState.ACCEPTED: "accepted",
}


def plan_workflow(
    name: str,
    path: str | PathLike[str],
    out: TextIO,
    *,
    limit: int | None = None,
    as_json: bool = False,
) -> None:
    """Print what the next run would do with each row, with masked samples.

    :param limit: read no more rows than this; the workflow's own limit where None.
    :raises ConfigurationError: no such lead sync, or it cannot run.
    :raises OutreachError: the run would fail; told after the plan.
    """
    workflow = find_workflow(name, path)
    if not isinstance(workflow.model, LeadSync):
        raise ConfigurationError(
            f"{workflow.name} is an {workflow.section.removesuffix('s').replace('_', ' ')}",
            "plan a lead sync; airflow outreach explain shows any workflow",
        )
    from airflow_outreach_provider.services.submit.runner import run_to_the_end

    run = dry_run(workflow, limit)
    failure: OutreachError | None = None
    try:
        run_to_the_end(run)
    except OutreachError as error:
        failure = error
    if as_json:
        data = _as_data(workflow, run.tally, failure)
        print(json.dumps(data, indent=2, ensure_ascii=False), file=out)
    else:
        print(_as_text(workflow, run.tally, failure), file=out)
    if failure is not None:
        raise failure


def dry_run(workflow: Loaded[DagSettings], limit: int | None) -> SubmitRun:
    """A run of the workflow that sends nothing, set up as its task would be.

    :param limit: read no more rows than this; the workflow's own limit where None, as its form has it.
    """
    from airflow_outreach_provider.core.owner import Owner
    from airflow_outreach_provider.hooks.outreach import OutreachHook
    from airflow_outreach_provider.hooks.settings import lease, open_store
    from airflow_outreach_provider.operators.given import given_by
    from airflow_outreach_provider.operators.lead_source import open_source
    from airflow_outreach_provider.services.submit.options import SubmitArguments
    from airflow_outreach_provider.services.submit.runner import start
    from airflow_outreach_provider.workflows.dag_arguments import params_of
    from airflow_outreach_provider.workflows.lead_sync import lead_sync_params, submit_arguments

    model = workflow.model
    assert isinstance(model, LeadSync)
    now = datetime.now(UTC)
    params = params_of(model, lead_sync_params(model)).dump()
    limit = model.limit if limit is None else limit
    asked = submit_arguments(model, workflow.file) | {"dry_run": True, "max_rows": limit}
    context = _context({**params, "dry_run": True, "limit": limit}, now)
    asked = _rendered(asked, context, workflow.name) | {"given": given_by(context)}
    leads, hook = asked.pop("leads"), OutreachHook(asked.pop("outreach_conn_id"))
    owner = Owner(workflow.dag_id, "plan", f"cli__{now.isoformat(timespec='seconds')}")
    return start(
        SubmitArguments.of(asked), hook, partial(open_source, leads), owner, store=open_store(), lease=lease()
    )


def _rendered(arguments: dict[str, Any], context: Any, name: str) -> dict[str, Any]:
    """The arguments with the task's templates filled in.

    :raises ConfigurationError: a template fails, or what it names is not there.
    """
    from airflow.sdk.definitions._internal.templater import SandboxedEnvironment, Templater
    from jinja2 import StrictUndefined

    from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator

    environment = SandboxedEnvironment(cache_size=0, undefined=StrictUndefined)
    templater = Templater()
    templater.template_ext = ()  # what a workflow says of files was read when it was built
    # The reason is ours to tell, once.
    log = logging.getLogger("airflow.sdk.definitions._internal.templater")
    before, log.disabled = log.disabled, True
    try:
        return arguments | {
            field: templater.render_template(arguments[field], context, environment)
            for field in SubmitLeadsOperator.template_fields
            if arguments.get(field)
        }
    except Exception as error:
        said = advice_on(error) or f"{type(error).__name__}: {mask_text(str(error))} — correct the template"
        raise ConfigurationError(f"a template of {name} fails: {said}") from error
    finally:
        log.disabled = before


def _context(params: Mapping[str, Any], now: datetime) -> Any:
    """What templates may use outside a run: params, variables, connections, the time now."""
    from airflow.sdk.execution_time.context import ConnectionAccessor, MacrosAccessor, VariableAccessor

    return {
        "params": params,
        "var": {
            "value": VariableAccessor(deserialize_json=False),
            "json": VariableAccessor(deserialize_json=True),
        },
        "conn": ConnectionAccessor(),
        "macros": MacrosAccessor(),
        "logical_date": now,
        "data_interval_start": now,
        "data_interval_end": now,
        "ds": now.strftime("%Y-%m-%d"),
        "ds_nodash": now.strftime("%Y%m%d"),
        "ts": now.isoformat(),
    }


def _as_text(workflow: Loaded[DagSettings], tally: Tally, failure: OutreachError | None) -> str:
    name = workflow.name
    people, left = tally.counts[RowState.PLANNED], tally.carried[RowState.PLANNED.value]
    first = f"{name}: {people:,} of {tally.read:,} rows would be texted"
    if left:
        first = f"{name}: {people + left:,} people would be texted: {people:,} of {tally.read:,} rows, {left:,} left by earlier runs"
    if failure is not None:
        first = f"{name}: nobody would be texted, for the run would fail"
    if workflow.environment:
        first = f"in {workflow.environment}: {first}"
    lines = [f"{first}; nothing was sent", ""]
    where = workflow.model.where if isinstance(workflow.model, LeadSync) else None
    lines += [f"  left by {run}: {number:,}" for run, number in tally.by_run().items()]
    for state, word in WORDS.items():
        if not tally.counts[state] and state is not RowState.PLANNED:
            continue
        lines.append(f"  {word:<16}{tally.counts[state]:>9,}")
        for (of_state, reason), number in tally.reasons.most_common():
            if of_state == state.value:
                samples = "; ".join(tally.examples.get((of_state, reason), ()))
                lines.append(f"    {reason:<28}{number:>7,}" + (f"   e.g. {samples}" if samples else ""))
    rules = ", ".join(f"{rule.name} {rule.value}" for rule in said_rules(workflow.model))
    lines += [*tally.notes, *([f"rows where {where}"] if where else [])]
    settings = ", ".join(f"{setting.name} {setting.value}" for setting in said_settings(workflow.model))
    lines += [f"as the workflow says: {settings}"] if settings else []
    return "\n".join([*lines, *([f"by its rules: {rules}"] if rules else [])])


def _as_data(workflow: Loaded[DagSettings], tally: Tally, failure: OutreachError | None) -> dict[str, Any]:
    return {
        "workflow": workflow.name,
        "environment": workflow.environment,
        "rows": tally.read,
        "where": workflow.model.where if isinstance(workflow.model, LeadSync) else None,
        "people": 0 if failure else tally.to_text,
        "left_by_earlier_runs": tally.by_run(),
        "states": {word.replace(" ", "_"): tally.counts[state] for state, word in WORDS.items()},
        "reasons": tally.by_reason(),
        "samples": {f"{state}/{reason}": shown for (state, reason), shown in tally.examples.items()},
        "notes": tally.notes,
        "settings": {each.name: each.value for each in said_settings(workflow.model)},
        "rules": {rule.name: rule.value for rule in said_rules(workflow.model)},
        "would_fail": str(failure) if failure else None,
    }
