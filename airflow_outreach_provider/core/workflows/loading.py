"""The text of workflow files → workflows, or every mistake in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.checks import CHECKS, Finding, empty_values
from airflow_outreach_provider.core.workflows.explain import explain
from airflow_outreach_provider.core.workflows.fields import NAME, kind_of
from airflow_outreach_provider.core.workflows.models import DagSettings
from airflow_outreach_provider.core.workflows.problems import Path, Problem, Spot, tidy
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.workflow_file import SECTION_MODELS, WorkflowFile
from airflow_outreach_provider.core.workflows.yaml_source import Located, read_yaml

DEFAULTS_FILE = "_defaults.yaml"
"""In a folder of workflow files, the one whose ``defaults`` hold for all of them."""

T = TypeVar("T", bound=DagSettings, covariant=True)


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """One workflow that is as it should be.

    :param text: its lines of the file, for the DAG's page.
    :param located: where everything in it stands; paths begin with section and name.
    """

    name: str
    model: T
    file: str
    text: str
    located: Located

    @property
    def section(self) -> str:
        return next(name for name, model in SECTION_MODELS.items() if isinstance(self.model, model))

    @property
    def dag_id(self) -> str:
        """``outreach_lead_sync__<name>``, ``outreach_event_route__<name>`` or ``outreach_export__<name>``."""
        return f"outreach_{self.section.removesuffix('s')}__{self.name}"

    def spot(self, *path: str | int, key: bool = False) -> Spot:
        """Where something of it stands."""
        return self.located.spot((self.section, self.name, *path), key)


@dataclass
class Workflows:
    """What a set of files holds.

    :param workflows: those without a mistake, from files without a mistake.
    :param problems: all mistakes; a file with one gives no workflow.
    :param doubts: what is no mistake and hardly meant; only ``lint`` looks for it.
    :param sources: file → its text, to show lines of it.
    """

    workflows: list[Loaded[DagSettings]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    doubts: list[Problem] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def problems_of(self, file: str) -> list[Problem]:
        return [problem for problem in self.problems if problem.file == file]


def load_texts(sources: Mapping[str, str]) -> Workflows:
    """Read workflow files.

    :param sources: name as it should be shown → text. A ``_defaults.yaml`` holds for the files beside it.
    """
    result = Workflows(sources=dict(sources))
    shared = {
        _folder(file): _read_file(file, text, result, defaults_only=True)
        for file, text in sorted(sources.items())
        if _is_defaults(file)
    }
    seen: dict[tuple[str, str], Spot] = {}
    for file, text in sorted(sources.items()):
        if not _is_defaults(file):
            _load_file(file, text, shared.get(_folder(file)), seen, result)
    _check_order(result, {name for _, name in seen})
    result.problems = tidy(result.problems)
    return result


def _check_order(result: Workflows, known: set[str]) -> None:
    """Workflows that wait for one that is not there, or for each other: they would never run."""
    after = {each.name: tuple(each.model.depends_on or ()) for each in result.workflows}
    for workflow in list(result.workflows):
        for at, name in enumerate(after[workflow.name]):
            message, hint = "", ""
            if name not in known:
                message, hint = f"there is no workflow {name!r}", did_you_mean(name, known - {workflow.name})
            elif _leads_to(name, workflow.name, after):
                message, hint = (
                    f"{workflow.name} and {name} wait for each other",
                    "let one of them run by itself",
                )
            if message:
                spot = workflow.spot("depends_on", at)
                path = (workflow.section, workflow.name, "depends_on", at)
                result.problems.append(Problem.at(spot, message, hint, path))
                result.workflows = [each for each in result.workflows if each.file != workflow.file]


def _leads_to(start: str, goal: str, after: Mapping[str, tuple[str, ...]]) -> bool:
    seen, todo = set[str](), [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += after.get(name, ())
    return False


def _load_file(
    file: str,
    text: str,
    shared: Located | None,
    seen: dict[tuple[str, str], Spot],
    result: Workflows,
) -> None:
    before = len(result.problems)
    located = _read_file(file, text, result)
    loaded: list[Any] = []
    for section, model in SECTION_MODELS.items() if located else ():
        assert located is not None
        workflows = located.data.get(section)
        if not isinstance(workflows, dict):
            continue
        for name, data in workflows.items():
            path: Path = (section, name)
            problems = _name_problems(path, located, seen)
            merged = _with_defaults(section, name, located, shared)
            problems += _located(empty_values(data, said=_nulls(located, path)), path, merged)
            if isinstance(data, dict):
                problems += _located(CHECKS[section](merged.data), path, merged)
            checked, mistakes = _validate(model, merged, path)
            result.problems += [*problems, *mistakes]
            if checked is not None:
                loaded.append(Loaded(name, checked, file, _lines_of(text, located, path), merged))
    if len(result.problems) == before:
        result.workflows += loaded


def _read_file(file: str, text: str, result: Workflows, defaults_only: bool = False) -> Located | None:
    """The data of one file; what is wrong with the file itself goes to ``result``."""
    located, problems = read_yaml(text, file)
    result.problems += problems
    if located is None:
        return None
    if located.data is None:
        result.problems.append(
            Problem(file, 1, 1, "the file is empty", "airflow outreach init writes one to start from")
        )
        return None
    if not isinstance(located.data, dict):
        result.problems.append(
            Problem(
                file,
                1,
                1,
                f"a workflow file is a mapping, not {kind_of(located.data)}",
                "begin with lead_syncs: or event_routes:",
            )
        )
        return None
    known = ["defaults"] if defaults_only else list(WorkflowFile.model_fields)
    for key, value in located.data.items():
        spot = located.spot((key,), key=True)
        if key not in known:
            moved = defaults_only and key in WorkflowFile.model_fields
            hint = "workflows go into another file" if moved else _meant_key(key, known)
            result.problems.append(Problem.at(spot, f"unknown key {key!r}", hint, (key,)))
        elif not isinstance(value, dict):
            result.problems.append(
                Problem.at(
                    spot,
                    f"{key} must be a mapping, not {kind_of(value)}",
                    "write name: and what it does below",
                    (key,),
                )
            )
    if not defaults_only and not set(located.data) - {"defaults"} and not problems:
        result.problems.append(
            Problem(file, 1, 1, "the file has no workflow", "begin with lead_syncs: or event_routes:")
        )
    result.problems += _defaults_problems(located)
    return located


def _meant_key(key: str, known: list[str]) -> str:
    if key == "default_args":
        return "write defaults:, below it lead_syncs: or event_routes:, below that the keys"
    return did_you_mean(key, known)


def _defaults_problems(located: Located) -> list[Problem]:
    defaults = located.data.get("defaults")
    if not isinstance(defaults, dict):
        return []
    problems: list[Problem] = []
    for section, data in defaults.items():
        path: Path = ("defaults", section)
        model = SECTION_MODELS.get(section)
        if model is None:
            hint = did_you_mean(section, SECTION_MODELS)
            problems.append(Problem.at(located.spot(path, key=True), f"unknown key {section!r}", hint, path))
        else:
            problems += _located(empty_values(data, said=_nulls(located, path)), path, located)
            problems += _located(_not_shared(data, model), path, located)
            problems += _validate(model, Located(data, located.keys, located.values), path, partial=True)[1]
    return problems


def _not_shared(data: object, model: type[DagSettings]) -> Iterator[Finding]:
    """What makes a workflow the one it is stands in the workflow."""
    for key, info in model.model_fields.items():
        if info.is_required() and isinstance(data, dict) and key in data:
            yield (key,), True, f"{key} cannot be a default", "write it into each workflow"


def _name_problems(path: Path, located: Located, seen: dict[tuple[str, str], Spot]) -> list[Problem]:
    section, name = str(path[0]), str(path[1])
    spot = located.spot(path, key=True)
    if not NAME.fullmatch(name):
        hint = "use letters, digits, _ - and ., at most 150"
        return [Problem.at(spot, f"{name!r} cannot be the name of a workflow", hint, path)]
    first = seen.setdefault((section, name), spot)
    if first is not spot:
        return [
            Problem.at(
                spot, f"{name!r} is the name of another workflow", f"it is in {first.file}:{first.line}", path
            )
        ]
    return []


def _located(findings: Iterable[Finding], path: Path, located: Located) -> list[Problem]:
    return [
        Problem.at(located.spot((*path, *below), key=on_key), message, hint, (*path, *below))
        for below, on_key, message, hint in findings
    ]


def _nulls(located: Located, path: Path) -> set[Path]:
    """Where null is written below a path, seen from there."""
    return {each[len(path) :] for each in located.nulls if each[: len(path)] == path}


def _validate(
    model: type[T], located: Located, path: Path, partial: bool = False
) -> tuple[T | None, list[Problem]]:
    try:
        return model.model_validate(located.data), []
    except ValidationError as error:
        return None, explain(error, model, located, path, partial)


def _with_defaults(section: str, name: str, own: Located, shared: Located | None) -> Located:
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


def _lines_of(text: str, located: Located, path: Path) -> str:
    """The lines of one workflow: from its key to the next thing that is no further in."""
    lines = text.split("\n")
    start = located.keys[path]
    end = start.line
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) < start.column:
            break
        end += 1
    return "\n".join(lines[start.line - 1 : end]).rstrip() + "\n"


def _folder(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[0]


def _is_defaults(file: str) -> bool:
    return file.replace("\\", "/").rpartition("/")[2] in {DEFAULTS_FILE, "_defaults.yml"}
