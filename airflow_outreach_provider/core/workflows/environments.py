"""``environments``: what differs from one Airflow to another, over what the workflows say themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.deliver import Deliver
from airflow_outreach_provider.core.workflows.fields import kind_of
from airflow_outreach_provider.core.workflows.models import LeadSource
from airflow_outreach_provider.core.workflows.problems import Path, Problem
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.workflow_file import VARIABLE, ExportTarget
from airflow_outreach_provider.core.workflows.yaml_source import Located

KEY = "environments"
_OWN = frozenset({"variable", "default"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
_ONE_OF = {"leads": LeadSource.one_of, "deliver": Deliver.one_of, "to": ExportTarget.one_of}


@dataclass(frozen=True)
class Declared:
    """What holds for a file: its own ``environments`` over those of the folder.

    :param variable: the Airflow variable that names the present one. :param default: without that variable.
    :param sources: the folder's and the file's own, the one that wins last.
    """

    variable: str = VARIABLE
    default: str | None = None
    names: tuple[str, ...] = ()
    sources: tuple[Located, ...] = field(default=(), repr=False)

    def over(self, base: Located, section: str, name: str, environment: str, model: type[Section]) -> Located:
        """A workflow as it is in an environment; ``base`` itself where nothing differs.

        :param base: its data, and the spots of the file.
        """
        path: Path = (section, name)
        layers: list[tuple[Located, Path]] = [(each, (KEY, environment, section)) for each in self.sources]
        layers.append((base, (*path, KEY, environment)))
        result = base
        for source, below in layers:
            values = _at(source if source is not base else Located({section: {name: base.data}}), below)
            if isinstance(values, dict) and values and isinstance(base.data, dict):
                made = Located(result.data, dict(result.keys), dict(result.values), base.nulls)
                made.data = _put(made.data, values, path, below, made, source, model)
                result = made
        return result


Chooser = Callable[[Declared], str]
"""Which environment is the present one. :raises ConfigurationError: nobody knows."""


def environments_of(own: Located, shared: Located | None) -> Declared | None:
    """None where no environments are declared."""
    sources = tuple(
        each for each in (shared, own) if each is not None and isinstance(_at(each, (KEY,)), dict)
    )
    if not sources:
        return None
    said: dict[str, Any] = {}
    for each in sources:
        said |= each.data[KEY]
    variable, default = said.get("variable", VARIABLE), said.get("default")
    names = tuple(name for name in said if name not in _OWN)
    return Declared(
        variable if isinstance(variable, str) else VARIABLE,
        default if isinstance(default, str) else None,
        names,
        sources,
    )


def environment_names(located: Located) -> list[str]:
    """Those that a file declares."""
    declared = _at(located, (KEY,))
    return [name for name in declared if name not in _OWN] if isinstance(declared, dict) else []


def declared_problems(located: Located, found: Declared | None) -> Iterator[Problem]:
    """What is wrong with the names; what stands below each is looked at as defaults are."""
    declared = _at(located, (KEY,))
    if not isinstance(declared, dict) or found is None:
        return
    for key in _OWN & declared.keys():
        value, path = declared[key], (KEY, key)
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            hint = (
                "write its name" if not isinstance(value, str) else "it cannot be a template: write its name"
            )
            yield Problem.at(located.spot(path), f"{key} must be a name, not {_said(value)}", hint, path)
        elif key == "default" and value not in found.names:
            yield Problem.at(
                located.spot(path),
                f"there is no environment {value!r}",
                did_you_mean(value, found.names),
                path,
            )
    if not found.names:
        hint = "write their names below, e.g. dev: {lead_syncs: {dry_run: true}} and prod: {}"
        yield Problem.at(located.spot((KEY,), key=True), "environments has no environment", hint, (KEY,))
    for name in environment_names(located):
        path = (KEY, name)
        if not _NAME.fullmatch(name):
            yield Problem.at(
                located.spot(path, key=True),
                f"{name!r} cannot be the name of an environment",
                "use letters, digits, _ - and .",
                path,
            )
        elif not isinstance(declared[name], dict):
            hint = "write {} for one that changes nothing"
            yield Problem.at(
                located.spot(path), f"{name} must be a mapping, not {kind_of(declared[name])}", hint, path
            )


def own_problems(data: object, found: Declared | None, path: Path, located: Located) -> Iterator[Problem]:
    """What is wrong with the ``environments`` of one workflow."""
    declared = data.get(KEY) if isinstance(data, dict) else None
    if not isinstance(declared, dict):
        return
    for name, values in declared.items():
        where = (*path, KEY, name)
        if found is None or name not in found.names:
            names = found.names if found is not None else ()
            hint = (
                did_you_mean(name, names)
                if names
                else "declare it: environments: at the top of the file, or in _defaults.yaml"
            )
            yield Problem.at(located.spot(where, key=True), f"there is no environment {name!r}", hint, where)
        elif isinstance(values, dict) and KEY in values:
            yield Problem.at(
                located.spot((*where, KEY), key=True),
                "environments cannot hold others",
                "leave it out",
                where,
            )


def _at(located: Located, path: Path) -> Any:
    value = located.data
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _said(value: object) -> str:
    return repr(value) if isinstance(value, str) else kind_of(value)


def _put(
    below: Mapping[str, Any], over: Mapping[str, Any], path: Path, source_path: Path, result: Located, source: Located,
    model: type[Section],
) -> dict[str, Any]:  # fmt: skip
    """Mappings key by key; what is one of several ways as a whole, unless it is the same way."""
    data = {
        key: value for key, value in below.items() if over.keys().isdisjoint(model.instead_of.get(key, ()))
    }
    for key, value in over.items():
        there, inner, source_inner = data.get(key), (*path, key), (*source_path, key)
        if isinstance(value, dict) and isinstance(there, dict) and _merges(key, there, value, model):
            data[key] = _put(there, value, inner, source_inner, result, source, Section)
        else:
            data[key] = value
            _move_spots(source_inner, inner, source, result)
    return data


def _merges(key: str, there: Mapping[str, Any], value: Mapping[str, Any], model: type[Section]) -> bool:
    if key in _ONE_OF and key in model.model_fields:
        ways = {each for each in _ONE_OF[key] if each in value}
        return ways <= there.keys()
    return key not in model.as_written


def _move_spots(source_path: Path, path: Path, source: Located, result: Located) -> None:
    depth, own = len(source_path), len(path)
    for places, target in ((source.keys, result.keys), (source.values, result.values)):
        moved = {path + each[depth:]: spot for each, spot in places.items() if each[:depth] == source_path}
        for each in [each for each in target if each[:own] == path]:
            del target[each]
        target.update(moved)
