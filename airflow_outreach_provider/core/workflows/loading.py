"""The text of workflow files → workflows, or every mistake in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from airflow_outreach_provider.core.arguments import says_nothing
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.suggest import did_you_mean, nearest
from airflow_outreach_provider.core.workflows.checks import CHECKS, empty_values
from airflow_outreach_provider.core.workflows.environments import KEY as ENVIRONMENTS
from airflow_outreach_provider.core.workflows.environments import (
    Chooser,
    Declared,
    declared_problems,
    environment_names,
    environments_of,
    own_problems,
)
from airflow_outreach_provider.core.workflows.fields import NAME, kind_of
from airflow_outreach_provider.core.workflows.models import DagSettings
from airflow_outreach_provider.core.workflows.problems import Path, Problem, Spot, tidy
from airflow_outreach_provider.core.workflows.shared_values import (
    located_findings,
    nulls_below,
    shared_problems,
    validated,
    with_defaults,
)
from airflow_outreach_provider.core.workflows.workflow_file import SECTION_MODELS, WorkflowFile
from airflow_outreach_provider.core.workflows.yaml_source import Located, read_yaml

_SHARED = {"defaults": None, ENVIRONMENTS: None}.keys()  # what stands beside the workflows, in this order
DEFAULTS_FILE = "_defaults.yaml"
"""In a folder of workflow files, the one whose ``defaults`` hold for all of them."""

T = TypeVar("T", bound=DagSettings, covariant=True)


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """One workflow that is as it should be.

    :param text: its lines of the file, for the DAG's page.
    :param located: where everything in it stands; paths begin with section and name.
    :param environment: in which it is as it is; None where none is declared.
    """

    name: str
    model: T
    file: str
    text: str
    located: Located
    environment: str | None = None

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
    :param elsewhere: the workflows as they are in the other environments, where all were looked at.
    """

    workflows: list[Loaded[DagSettings]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    doubts: list[Problem] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    elsewhere: list[Loaded[DagSettings]] = field(default_factory=list)

    def problems_of(self, file: str) -> list[Problem]:
        return [problem for problem in self.problems if problem.file == file]


def load_texts(sources: Mapping[str, str], chooser: Chooser | None = None) -> Workflows:
    """Read workflow files.

    :param sources: name as it should be shown → text. A ``_defaults.yaml`` holds for the files beside it.
    :param chooser: says which environment is the present one; None looks at all of them, for ``lint``.
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
            _load_file(file, text, shared.get(_folder(file)), seen, result, chooser)
    _check_order(result, [name for _, name in seen])
    result.problems = tidy(result.problems)
    return result


def _check_order(result: Workflows, known: Collection[str]) -> None:
    """Workflows that wait for one that is not there, or for each other: they would never run; or for two of one name.

    :param known: the name of each workflow, of whatever section.
    """
    shared = {name for name, count in Counter(known).items() if count > 1}
    after = {each.name: tuple(each.model.depends_on or ()) for each in result.workflows}
    for workflow in list(result.workflows):
        for at, name in enumerate(after[workflow.name]):
            message, hint = "", ""
            if name not in known:
                message, hint = (
                    f"there is no workflow {name!r}",
                    did_you_mean(name, others) if (others := {*known} - {workflow.name}) else "leave it out",
                )
            elif name in shared:
                message, hint = (
                    f"several workflows are called {name!r}: it would run after each of them",
                    "give the one that is meant a name of its own",
                )
            elif name == workflow.name:
                message, hint = f"{name} waits for itself", "leave it out"
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
    chooser: Chooser | None,
) -> None:
    before = len(result.problems)
    located = _read_file(file, text, result)
    if located is None:
        return
    found = environments_of(located, shared)
    result.problems += declared_problems(located, found)
    names = _chosen(found, chooser, located, shared, result)
    loaded: list[list[Any]] = []
    for section in SECTION_MODELS:
        workflows = located.data.get(section)
        for name, data in workflows.items() if isinstance(workflows, dict) else ():
            path: Path = (section, name)
            result.problems += _name_problems(path, located, seen)
            result.problems += located_findings(
                empty_values(data, said=nulls_below(located, path)), path, located
            )
            result.problems += own_problems(data, found, path, located)
            base = with_defaults(section, name, located, shared)
            read = _read_in_each(section, name, base, found, names, result)
            lines = _lines_of(text, located, path)
            loaded.append([Loaded(name, model, file, lines, spots, each) for each, model, spots in read])
    if len(result.problems) == before:
        result.workflows += [each[0] for each in loaded if each]
        result.elsewhere += [other for each in loaded for other in each[1:]]


def _chosen(
    found: Declared | None,
    chooser: Chooser | None,
    located: Located,
    shared: Located | None,
    result: Workflows,
) -> list[str | None]:
    """The environments to read a file's workflows for; the one that is shown first."""
    if found is None or not found.names:
        return [None]
    if chooser is None:
        first = [found.default] if found.default in found.names else []
        return list(dict.fromkeys([*first, *found.names]))
    try:
        return [chooser(found)]
    except ConfigurationError as error:
        source = located if environment_names(located) or shared is None else shared
        message = str(error).removesuffix(f" — {error.remedy}")
        spot = source.spot((ENVIRONMENTS,), key=True)
        result.problems.append(Problem.at(spot, message, error.remedy or "", (ENVIRONMENTS,)))
        return [None]


def _read_in_each(
    section: str,
    name: str,
    base: Located,
    found: Declared | None,
    names: list[str | None],
    result: Workflows,
) -> list[tuple[str | None, DagSettings, Located]]:
    """A workflow as it is in each environment; what is wrong with it in some alone says in which."""
    model, path = SECTION_MODELS[section], (section, name)
    read: list[tuple[str | None, DagSettings, Located]] = []
    wrong: dict[str | None, list[Problem]] = {}
    unchanged: tuple[DagSettings | None, list[Problem]] | None = None
    for each in names:
        inside = base if found is None or each is None else found.over(base, section, name, each, model)
        if inside is base:
            unchanged = unchanged or _checked(section, base, path)
        checked, wrong[each] = unchanged if inside is base and unchanged else _checked(section, inside, path)
        if checked is not None:
            read.append((each, checked, inside))
    everywhere = set.intersection(*map(set, wrong.values()))
    spots = {(each.file, each.line, each.column) for each in result.problems}
    for environment, problems in wrong.items():
        for each_problem in problems:
            if each_problem in everywhere:
                result.problems.append(each_problem)
            elif (each_problem.file, each_problem.line, each_problem.column) not in spots:
                said = f"{each_problem.message} (in {environment})"
                result.problems.append(replace(each_problem, message=said))
    return read


def _checked(section: str, data: Located, path: Path) -> tuple[DagSettings | None, list[Problem]]:
    problems = located_findings(CHECKS[section](data.data), path, data) if isinstance(data.data, dict) else []
    checked, mistakes = validated(SECTION_MODELS[section], data, path)
    return checked, [*problems, *mistakes]


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
    known = [*_SHARED] if defaults_only else list(WorkflowFile.model_fields)
    for key, value in located.data.items():
        spot = located.spot((key,), key=True)
        if key not in known:
            moved = defaults_only and key in WorkflowFile.model_fields
            hint = "workflows go into another file" if moved else _meant_key(key, value, known)
            result.problems.append(Problem.at(spot, f"unknown key {key!r}", hint, (key,)))
        elif not isinstance(value, dict):
            result.problems.append(
                Problem.at(
                    spot,
                    f"{key} must be a mapping, not {kind_of(value)}",
                    _named_meant(key, value),
                    (key,),
                )
            )
    if not defaults_only and not set(located.data) - _SHARED and not problems:
        result.problems.append(
            Problem(file, 1, 1, "the file has no workflow", "begin with lead_syncs: or event_routes:")
        )
    result.problems += shared_problems(located, ("defaults",))
    for name in environment_names(located):
        result.problems += shared_problems(located, (ENVIRONMENTS, name))
    if defaults_only:
        result.problems += declared_problems(located, environments_of(located, None))
    return located


def _named_meant(section: str, value: object) -> str:
    """How workflows, or environments, are written whose section is a list, as other tools have it, or empty."""
    if section == ENVIRONMENTS:
        return "write their names below it, e.g. dev:, and below each, indented, what differs there"
    first = value[0] if isinstance(value, list) and value else None
    name = first.get("name") if isinstance(first, dict) else None
    if isinstance(name, str) and NAME.fullmatch(name):
        return f"write {name}: in place of - name: {name}, and below it, indented, what it does"
    return "write a name of its own, e.g. website_leads:, and below it, indented, what it does"


def _meant_key(key: str, value: object, known: list[str]) -> str:
    if key == "default_args":
        return "write defaults:, below it lead_syncs: or event_routes:, below that the keys"
    for kind, makes in (("lead_syncs", "leads"), ("event_routes", "deliver")):
        if isinstance(value, dict) and makes in value:
            return f"it goes below {kind}:, indented"
    if isinstance(value, dict) and nearest(key, known) is None:
        return "what workflows share, an anchor too, goes below defaults: and there below lead_syncs: or event_routes:"
    return did_you_mean(key, known)


def _name_problems(path: Path, located: Located, seen: dict[tuple[str, str], Spot]) -> list[Problem]:
    section, name = str(path[0]), str(path[1])
    spot = located.spot(path, key=True)
    if not NAME.fullmatch(name):
        hint = "use letters, digits, _ - and ., at most 150"
        return [Problem.at(spot, f"{name!r} cannot be the name of a workflow", hint, path)]
    if section == "event_routes" and says_nothing(name):
        hint = "a template writes that where a value is not there: choose another"
        return [Problem.at(spot, f"{name!r} cannot be the name of an event route", hint, path)]
    first = seen.setdefault((section, name), spot)
    if first is not spot:
        return [
            Problem.at(
                spot, f"{name!r} is the name of another workflow", f"it is in {first.file}:{first.line}", path
            )
        ]
    return []


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
