"""``airflow outreach init | lint | schema | plan | explain``. Imported on every ``airflow`` call: nothing heavy here."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from pathlib import Path

from airflow.cli.cli_config import ActionCommand, Arg

from airflow_outreach_provider.cli.common import exit_with_advice
from airflow_outreach_provider.workflows.arguments import (
    EXPLAIN_ARGUMENTS,
    INIT_ARGUMENTS,
    LINT_ARGUMENTS,
    PLAN_ARGUMENTS,
    Argument,
)


@exit_with_advice
def init(args: Namespace) -> None:
    """Write all DAGs and a commented starter that passes lint; leaves alone what is there."""
    from airflow_outreach_provider.workflows.dag_folders import dags_folder
    from airflow_outreach_provider.workflows.scaffold import passed_over, write_starter

    folder = Path(args.folder) if args.folder else dags_folder()
    for path, written in write_starter(folder, args.loader):
        print(f"{'wrote  ' if written else 'is there'} {path}")
        if path.name == args.loader and not written and (warning := passed_over(path)):
            print(f"warning: {warning}", file=sys.stderr)
    print(_next_steps(folder))


def _next_steps(folder: Path) -> str:
    """What leads from the files to the first run that texts nobody, each line as it is to be typed."""
    from airflow_outreach_provider.simulator.options import usual_connection
    from airflow_outreach_provider.workflows.dag_folders import dag_folders

    workflows = shlex.quote(str(folder / "workflows"))
    read = dag_folders()
    move = "" if read else _COMMIT
    if read and not any(folder.resolve().is_relative_to(each.resolve()) for each in read):
        move = _MOVE.format(folder=shlex.quote(str(folder)), dags=shlex.quote(str(read[0])))
    return _NEXT.format(workflows=workflows, connection=shlex.quote(usual_connection()), move=move)


_NEXT = """
next, with a stand-in for the outreach API that texts nobody:

airflow outreach lint {workflows}
airflow outreach simulate    # in another terminal; needs airflow-provider-outreach[demo]
export AIRFLOW_CONN_OUTREACH_DEFAULT={connection}
airflow outreach plan website_leads --path {workflows}
{move}airflow dags test outreach_lead_sync__website_leads
airflow outreach leads list

then, with the real one: a connection outreach_default with its host and key (without the line above), and what is
still missing:

airflow outreach doctor
"""
_MOVE = "cp -R {folder}/. {dags}    # into a folder that Airflow reads\n"
_COMMIT = "# commit the folder to where Airflow's DAG bundle reads it\n"


@exit_with_advice
def lint(args: Namespace) -> None:
    """Check workflow files; exit code 0 without, 1 with mistakes, 2 where there is nothing to check."""
    from airflow_outreach_provider.workflows.lint import lint as run

    code = run(
        args.path,
        sys.stdout,
        connections=args.connections,
        data=args.data,
        as_json=args.output == "json",
    )
    if code:
        raise SystemExit(code)


@exit_with_advice
def schema(_args: Namespace) -> None:
    """Print the JSON Schema of workflow files."""
    from airflow_outreach_provider.workflows.scaffold import schema_text

    sys.stdout.write(schema_text())


@exit_with_advice
def plan(args: Namespace) -> None:
    """Say what the next run of a lead sync would do; sends nothing."""
    from airflow_outreach_provider.workflows.plan import plan_workflow

    plan_workflow(
        args.name,
        _place(args),
        sys.stdout,
        limit=args.limit,
        as_json=args.output == "json",
    )


@exit_with_advice
def explain(args: Namespace) -> None:
    """Say which DAG and tasks a workflow becomes."""
    from airflow_outreach_provider.workflows.explain import explain_workflow

    explain_workflow(args.name, _place(args), sys.stdout, as_json=args.output == "json")


def _place(args: Namespace) -> str | Path:
    """Where workflows are looked for."""
    from airflow_outreach_provider.workflows.dag_folders import dags_folder

    return args.path or dags_folder()


def _arguments(table: tuple[Argument, ...]) -> tuple[Arg, ...]:
    return tuple(Arg(flags=flags, **keywords) for flags, keywords in table)


INIT = ActionCommand(
    name="init",
    help="Write a commented starter workflow that passes lint",
    func=init,
    args=_arguments(INIT_ARGUMENTS),
)
LINT = ActionCommand(
    name="lint",
    help="Check workflow files: every mistake with its line and what was meant",
    func=lint,
    args=_arguments(LINT_ARGUMENTS),
    epilog="python -m airflow_outreach_provider.workflows lint does the same without starting Airflow.",
)
SCHEMA = ActionCommand(
    name="schema", help="Print the JSON Schema of workflow files, for editors", func=schema, args=()
)
PLAN = ActionCommand(
    name="plan",
    help="Say what the next run of a lead sync would do; sends nothing",
    func=plan,
    args=_arguments(PLAN_ARGUMENTS),
)
EXPLAIN = ActionCommand(
    name="explain",
    help="Show the DAG and tasks a workflow becomes",
    func=explain,
    args=_arguments(EXPLAIN_ARGUMENTS),
)
COMMANDS = (INIT, LINT, SCHEMA, PLAN, EXPLAIN)
