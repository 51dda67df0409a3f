"""What Airflow refuses a DAG for, as far as it shows without one.

Told by ``lint``. Where DAGs are built such a workflow is an import error of its own, and all others of its file stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, LeadSync
from airflow_outreach_provider.core.workflows.problems import Path, Problem

# Airflow's, airflow/sdk/definitions/dag.py and asset, 3.3.
_LONGEST_TAG, _LONGEST_ASSET = 100, 1500
_NO_ASSETS = frozenset({"self", "context"})

Refused = tuple[Path, str, str]
"""Where it stands in the workflow, what is wrong, what to write."""


def refused_by_airflow(workflows: Iterable[Loaded[DagSettings]]) -> list[Problem]:
    """The mistakes of all of them, where they stand."""
    return [
        Problem.at(workflow.spot(*path), message, hint, (workflow.section, workflow.name, *path))
        for workflow in workflows
        for path, message, hint in _refused(workflow.model)
    ]


def _refused(model: DagSettings) -> Iterator[Refused]:
    for at, tag in enumerate(model.tags):
        if len(tag) > _LONGEST_TAG:
            message = f"a tag has at most {_LONGEST_TAG} characters, not {len(tag)}"
            yield ("tags", at), message, "write a shorter one"
    for owner, link in (model.owner_links or {}).items():
        if not _is_link(link):
            yield ("owner_links", owner), f"{link[:80]!r} is no link", "write https://… or mailto:…"
    yield from _dates(model)
    for path, uri in _assets(model):
        yield from _asset(path, uri)
    for name, spec in model.params.items():
        if isinstance(spec, dict):
            yield from _param(spec, ("params", name))


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.path if parts.scheme == "mailto" else parts.scheme and parts.netloc)


def _dates(model: DagSettings) -> Iterator[Refused]:
    for key in ("start_date", "end_date"):
        moment = getattr(model, key)
        try:
            if moment is not None:
                moment.astimezone(UTC)
        except OverflowError:
            yield (key,), "this is no date in UTC", "write a nearer one"


def _assets(model: DagSettings) -> Iterator[tuple[Path, str]]:
    if isinstance(model, LeadSync):
        yield from ((("outlets", at), each) for at, each in enumerate(model.outlets or ()))
    yield from ((("schedule",), each) for each in model.schedule.assets)


def _asset(path: Path, uri: str) -> Iterator[Refused]:
    if uri.partition("://")[0].lower() == "airflow" and "://" in uri:
        yield path, "Airflow keeps the scheme airflow: for itself", "take another one, e.g. x://done"
    elif len(uri) > _LONGEST_ASSET:
        message = f"an asset has at most {_LONGEST_ASSET} characters, not {len(uri)}"
        yield path, message, "write a shorter name"
    elif uri in _NO_ASSETS:
        yield path, f"Airflow has no asset called {uri!r}", "take another name"


_TYPES: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool) and (isinstance(value, int) or value == _whole(value))
    ),
    "number": lambda value: not isinstance(value, bool) and isinstance(value, int | float),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _param(spec: Mapping[str, Any], path: Path) -> Iterator[Refused]:
    """JSON Schema's words, as far as a trigger form has them: what they mean, and whether the default keeps to them."""
    said = spec.get("type")
    types = said if isinstance(said, list) else [said] if said is not None else []
    unknown = [each for each in types if each not in _TYPES]
    for each in unknown:
        yield (*path, "type"), f"{each!r} is no type of a param", did_you_mean(str(each), _TYPES)
    if unknown or spec.get("default") is None:
        return
    default, why = spec["default"], ""
    if types and not any(_TYPES[each](default) for each in types):
        why = f"is no {' or '.join(types)}"
    elif isinstance(spec.get("enum"), list) and default not in spec["enum"]:
        why = f"is none of {', '.join(map(str, spec['enum']))}"
    elif "const" in spec and default != spec["const"]:
        why = f"is not {spec['const']!r}"
    else:
        why = _out_of_bounds(default, spec)
    if why:
        yield (
            (*path, "default"),
            f"the default {default!r} {why}",
            "write one that the form would take",
        )


_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("minimum", lambda value, bound: value >= bound, "is below {}"),
    ("maximum", lambda value, bound: value <= bound, "is above {}"),
    ("minLength", lambda value, bound: len(value) >= bound, "is shorter than {} characters"),
    ("maxLength", lambda value, bound: len(value) <= bound, "is longer than {} characters"),
    ("pattern", lambda value, bound: re.search(bound, value) is not None, "does not match {}"),
)


def _out_of_bounds(default: object, spec: Mapping[str, Any]) -> str:
    for key, keeps, words in _BOUNDS:
        try:
            if key in spec and not keeps(default, spec[key]):
                return words.format(spec[key])
        except (TypeError, re.error):  # a bound of texts says nothing of numbers
            continue
    return ""
