"""Params that templates and expressions of a workflow name: one that the run will not have is misspelt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError

from airflow_outreach_provider.core.expressions.params import NamedParam, params_in
from airflow_outreach_provider.core.suggest import did_you_mean, nearest
from airflow_outreach_provider.core.workflows.problems import Path
from airflow_outreach_provider.core.workflows.texts import texts_in

_environment = Environment(autoescape=False)  # noqa: S701 - only its parser is used
# Where they stand: what Airflow renders, and what reads rows.
_RENDERED: tuple[Path, ...] = (
    ("leads",), ("outreach",), ("where",), ("map",), ("dry_run",), ("to",),
    ("deliver", "outreach", "conn_id"), ("deliver", "outreach", "configuration_id"), ("deliver", "outreach", "campaign"),
)  # fmt: skip


def named_params(template: str) -> list[NamedParam]:
    """The params that a template names; none where it cannot be read, which is told elsewhere."""
    if "params" not in template:
        return []
    try:
        return list(params_in(_environment.parse(template)))
    except (TemplateSyntaxError, RecursionError):
        return []


def unknown_param(template: str, known: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first param of a template that a workflow does not have: message and hint.

    One that may be missing is no mistake, unless its name resembles one that is there.
    """
    for each in named_params(template):
        if each.name in known or (each.optional and nearest(each.name, known) is None):
            continue
        hint = did_you_mean(each.name, known, f"write params: {{{each.name}: …}}, its default")
        return f"the workflow has no param {each.name!r}", hint
    return None


def unknown_params(data: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Each of a workflow, with where its text stands. :param known: by name, what the run has."""
    for above in _RENDERED:
        for path, text in texts_in(_under(data, above), above):
            found = unknown_param("{{ " + text + " }}" if path == ("where",) else text, known)
            if found is not None:
                yield path, *found


def _under(data: Any, path: Path) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data
