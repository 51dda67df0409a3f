"""``lint``: read workflow files, say what is wrong. Starts without Airflow; ``--connections`` and ``--data`` need it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.airflow_limits import refused_by_airflow
from airflow_outreach_provider.core.workflows.doubts import doubts_about
from airflow_outreach_provider.core.workflows.loading import Workflows
from airflow_outreach_provider.core.workflows.problems import dotted, render, tidy
from airflow_outreach_provider.hooks.advice import advice_on
from airflow_outreach_provider.workflows.beside import check_query_files
from airflow_outreach_provider.workflows.environment import present_environment
from airflow_outreach_provider.workflows.files import load_files

CLEAN, MISTAKES, UNUSABLE = 0, 1, 2
"""Exit codes."""


def lint(
    paths: Sequence[str],
    out: TextIO,
    *,
    connections: bool = False,
    data: bool = False,
    as_json: bool = False,
) -> int:
    """Check workflow files and print every mistake, and what is none and hardly meant as a warning.

    :param connections: also ask Airflow whether the connections exist and are of the right type, and whether
        the functions can be imported, and, where nothing else is wrong, whether Airflow takes the DAGs.
    :param data: also open the sources and look whether the columns are there; reads a few rows, sends nothing.
    :param as_json: print one JSON object instead of text.
    :return: the exit code.
    """
    try:
        loaded = _look(paths, connections, data)
    except Exception as error:
        advice = advice_on(error)
        if advice is None:
            raise
        print(json.dumps({"error": advice}) if as_json else advice, file=out)
        return UNUSABLE
    print(_as_json(loaded) if as_json else _as_text(loaded), file=out)
    return MISTAKES if loaded.problems else CLEAN


def _look(paths: Sequence[str], connections: bool, data: bool) -> Workflows:
    """Every mistake there is to find; what keeps from looking is raised."""
    loaded = load_files(paths)
    if not loaded.sources and not loaded.problems:
        raise ConfigurationError(
            f"there is no workflow file under {', '.join(paths)}",
            "name a file, or a folder with .yaml files in it",
        )
    every = [*loaded.workflows, *loaded.elsewhere]
    loaded.problems += [*check_query_files(every), *refused_by_airflow(every)]
    if (connections or data) and any(each.environment for each in every):
        # What this Airflow has is what the present environment needs.
        present = load_files(paths, present_environment())
        loaded.problems += present.problems
        loaded.workflows = present.workflows
    if connections:
        from airflow_outreach_provider.workflows.lint_connections import (
            check_builds,
            check_connections,
            check_functions,
        )

        loaded.problems += check_connections(loaded.workflows)
        loaded.problems += check_functions(loaded.workflows)
        loaded.problems += check_builds(loaded.workflows) if not loaded.problems else []
    if data:
        from airflow_outreach_provider.workflows.lint_data import check_data

        loaded.problems += check_data(loaded.workflows, doubts=loaded.doubts)
    loaded.problems = tidy(loaded.problems)
    loaded.doubts = tidy([*loaded.doubts, *doubts_about(every)])
    return loaded


def _as_json(loaded: Workflows) -> str:
    return json.dumps(
        {
            "files": len(loaded.sources),
            "workflows": _clean(loaded),
            "environments": _environments(loaded),
            "problems": [problem.as_dict() for problem in loaded.problems],
            "warnings": [problem.as_dict() for problem in loaded.doubts],
        },
        indent=2,
        ensure_ascii=False,
    )


def _as_text(loaded: Workflows) -> str:
    shown = [render(problem, loaded.sources.get(problem.file, "")) for problem in loaded.problems]
    shown += [render(problem, loaded.sources.get(problem.file, ""), "warning: ") for problem in loaded.doubts]
    found = f"{_count(len(loaded.problems), 'mistake')}" if loaded.problems else "no mistakes"
    found += f", {_count(len(loaded.doubts), 'warning')}" if loaded.doubts else ""
    files, workflows = _count(len(loaded.sources), "file"), _count(_clean(loaded), "workflow")
    each = f", in each of {', '.join(names)}" if (names := _environments(loaded)) else ""
    return "\n\n".join([*shown, f"{files}, {workflows} without a mistake{each}, {found}"])


def _environments(loaded: Workflows) -> list[str]:
    every = [*loaded.workflows, *loaded.elsewhere]
    return sorted({each.environment for each in every if each.environment})


def _clean(loaded: Workflows) -> int:
    """How many workflows have no mistake; those with one that only Airflow or the data show are loaded all the same."""
    wrong = [each.path for each in loaded.problems]
    names = [dotted((each.section, each.name)) for each in loaded.workflows]
    return sum(
        not any(path == name or path.startswith((f"{name}.", f"{name}[")) for path in wrong) for name in names
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
