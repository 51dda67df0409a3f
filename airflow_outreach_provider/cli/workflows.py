"""``airflow outreach init | lint | schema | plan | explain``. Imported on every ``airflow`` call: nothing heavy here."""

from __future__ import annotations

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
    """Write a commented starter that passes lint; leaves alone what is there."""
    from airflow_outreach_provider.workflows.scaffold import write_starter

    folder = Path(args.folder) if args.folder else _dags_folder()
    for path, written in write_starter(folder):
        print(f"{'wrote  ' if written else 'is there'} {path}")
    print(
        f"\nnext: airflow outreach lint {folder / 'workflows'}\n"
        f"      airflow outreach simulate       # a stand-in that texts nobody\n"
        f"      airflow outreach plan website_leads --path {folder / 'workflows'}"
    )


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
        args.path or _dags_folder(),
        sys.stdout,
        limit=args.limit,
        as_json=args.output == "json",
    )


@exit_with_advice
def explain(args: Namespace) -> None:
    """Say which DAG and tasks a workflow becomes."""
    from airflow_outreach_provider.workflows.explain import explain_workflow

    explain_workflow(args.name, args.path or _dags_folder(), sys.stdout, as_json=args.output == "json")


def _dags_folder() -> Path:
    from airflow.configuration import conf

    return Path(conf.get_mandatory_value("core", "dags_folder"))


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
