"""``python -m airflow_outreach_provider.workflows``: ``lint`` and ``schema`` without starting Airflow, for pre-commit."""

from __future__ import annotations

import argparse
import sys

from airflow_outreach_provider.hooks.advice import logs_apart, with_advice
from airflow_outreach_provider.workflows.arguments import LINT_ARGUMENTS


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    codes: list[int] = []
    with_advice(lambda: codes.append(_run(arguments)))
    return codes[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_outreach_provider.workflows")
    commands = parser.add_subparsers(dest="command", required=True)
    lint_parser = commands.add_parser("lint", help="check workflow files; exit code 1 with mistakes")
    for flags, keywords in LINT_ARGUMENTS:
        lint_parser.add_argument(*flags, **keywords)
    commands.add_parser("schema", help="print the JSON Schema of workflow files")
    commands.add_parser("reference", help="print the reference page")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "schema":
        from airflow_outreach_provider.workflows.scaffold import schema_text

        sys.stdout.write(schema_text())
        return 0
    if arguments.command == "reference":
        from airflow_outreach_provider.core.workflows.reference import reference_text

        sys.stdout.write(reference_text())
        return 0
    from airflow_outreach_provider.workflows.lint import lint

    if arguments.connections or arguments.data:
        import airflow.settings  # noqa: F401 - which sets its log up
    with logs_apart():
        return lint(
            arguments.path,
            sys.stdout,
            connections=arguments.connections,
            data=arguments.data,
            as_json=arguments.output == "json",
        )


if __name__ == "__main__":
    raise SystemExit(main())
