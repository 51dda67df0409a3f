"""Data of a workflow file → models, and the mistakes in them where they stand; what workflows share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.checks import empty_values
from airflow_outreach_provider.core.workflows.environments import KEY as ENVIRONMENTS
from airflow_outreach_provider.core.workflows.explain import explain
from airflow_outreach_provider.core.workflows.models import DagSettings
from airflow_outreach_provider.core.workflows.problems import Finding, Path, Problem
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.workflow_file import SECTION_MODELS
from airflow_outreach_provider.core.workflows.yaml_source import Located

T = TypeVar("T", bound=DagSettings, covariant=True)


def shared_problems(located: Located, base: Path) -> list[Problem]:
    """What is wrong with values that several workflows share. :param base: where they stand, by section."""
    shared = located.data
    for part in base:
        shared = shared.get(part) if isinstance(shared, dict) else None
    if not isinstance(shared, dict):
        return []
    problems: list[Problem] = []
    for section, data in shared.items():
        path: Path = (*base, section)
        model = SECTION_MODELS.get(section)
        if model is None:
            problems.append(
                Problem.at(
                    located.spot(path, key=True), f"unknown key {section!r}", _meant_section(section), path
                )
            )
        else:
            problems += located_findings(empty_values(data, said=nulls_below(located, path)), path, located)
            problems += located_findings(_not_shared(data, model), path, located)
            problems += validated(model, Located(data, located.keys, located.values), path, partial=True)[1]
    return problems


def _meant_section(key: str) -> str:
    sections = [name for name, model in SECTION_MODELS.items() if key in model.model_fields]
    return (
        f"write it below {' or '.join(f'{each}:' for each in sections)}"
        if sections
        else did_you_mean(key, SECTION_MODELS)
    )


def _not_shared(data: object, model: type[DagSettings]) -> Iterator[Finding]:
    """What makes a workflow the one it is stands in the workflow."""
    for key, info in model.model_fields.items():
        if info.is_required() and isinstance(data, dict) and key in data:
            yield (key,), True, f"{key} cannot be a default", "write it into each workflow"
        elif key == ENVIRONMENTS and isinstance(data, dict) and key in data:
            yield (key,), True, f"{key} cannot be a default", "write it at the top of the file"


def located_findings(findings: Iterable[Finding], path: Path, located: Located) -> list[Problem]:
    """Findings as problems, where they stand. :param path: of what was looked at."""
    return [
        Problem.at(located.spot((*path, *below), key=on_key), message, hint, (*path, *below))
        for below, on_key, message, hint in findings
    ]


def nulls_below(located: Located, path: Path) -> set[Path]:
    """Where null is written below a path, seen from there."""
    return {each[len(path) :] for each in located.nulls if each[: len(path)] == path}


def validated(
    model: type[T], located: Located, path: Path, partial: bool = False
) -> tuple[T | None, list[Problem]]:
    """The model of the data, or what is wrong with them. :param partial: defaults, which lack what is required."""
    try:
        return model.model_validate(located.data), []
    except ValidationError as error:
        return None, explain(error, model, located, path, partial)


def with_defaults(section: str, name: str, own: Located, shared: Located | None) -> Located:
    """A workflow's data over the file's defaults over the folder's, with the spots of what was taken."""
    path: Path = (section, name)
    model = SECTION_MODELS[section]
    result = Located(own.data[section][name], dict(own.keys), dict(own.values))
    for source in (own, shared):
        defaults = source.data.get("defaults") if source is not None else None
        given = defaults.get(section) if isinstance(defaults, dict) else None
        if isinstance(given, dict) and isinstance(result.data, dict) and source is not None:
            result.data = _merge(result.data, given, path, ("defaults", section), result, source, model)
    return result


def _merge(
    own: Mapping[str, Any],
    given: Mapping[str, Any],
    path: Path,
    source_path: Path,
    result: Located,
    source: Located,
    model: type[Section],
) -> dict[str, Any]:
    merged = dict(own)
    for key, value in given.items():
        below, source_below = (*path, key), (*source_path, key)
        if not own.keys().isdisjoint(model.instead_of.get(key, ())):
            continue
        if key not in merged:
            merged[key] = value
            _copy_spots(source_below, below, source, result)
        elif isinstance(merged[key], dict) and isinstance(value, dict) and key not in model.as_written:
            merged[key] = _merge(merged[key], value, below, source_below, result, source, Section)
    return merged


def _copy_spots(source_path: Path, path: Path, source: Located, result: Located) -> None:
    depth = len(source_path)
    for places, target in ((source.keys, result.keys), (source.values, result.values)):
        for each, spot in list(places.items()):
            if each[:depth] == source_path:
                target[path + each[depth:]] = spot
