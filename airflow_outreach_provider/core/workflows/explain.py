"""Pydantic's errors → sentences for the person who wrote the file, with the spot and what was meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from airflow_outreach_provider.core.lead_files import FILE_ENDINGS, kind_of_file
from airflow_outreach_provider.core.suggest import did_you_mean, nearest
from airflow_outreach_provider.core.workflows.fields import MISTAKE, kind_of
from airflow_outreach_provider.core.workflows.habits import where_it_goes
from airflow_outreach_provider.core.workflows.problems import Path, Problem, parted_number
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.yaml_source import Located, spot_within

_MANY = 15
REFERENCE = "airflow_outreach_provider/docs/reference.md"


def explain(
    error: ValidationError, model: type[BaseModel], located: Located, base: Path, partial: bool = False
) -> list[Problem]:
    """Every error of a validation, located.

    :param base: where the validated data stand in the file.
    :param partial: defaults: what is missing may come later.
    """
    problems = []
    for each in error.errors(include_url=False):
        path = base + _written(each["loc"], located.data)
        on_key = each["loc"][-1:] == ("[key]",)
        section = _model_at(model, each["loc"])
        if each["type"] == "missing":
            if not partial:
                problems.append(_missing(str(each["loc"][-1]), path[:-1], located, section))
        elif each["type"] == "extra_forbidden":
            beside = _beside(each["loc"], located.data)
            problems.append(_unknown_key(str(each["loc"][-1]), path, located, section, beside))
        elif each["input"] is None:
            continue  # empty values are found by the checks, optional ones too
        elif each["type"] == MISTAKE:
            context: Mapping[str, Any] = each.get("ctx", {})
            spot = located.spot(path, key=on_key)
            if context["offset"] is not None and isinstance(each["input"], str):
                spot = spot_within(spot, each["input"], context["offset"])
            problems.append(Problem.at(spot, context["message"], context["hint"], path))
        else:
            problems.append(_ordinary(each, path, located))
    return problems


def _written(loc: tuple[int | str, ...], data: Any) -> Path:
    """Where it stands in the file: one item alone may stand without brackets, and has no position then."""
    path: list[int | str] = []
    for part in loc:
        if part == "[key]" or (isinstance(part, int) and not isinstance(data, list)):
            continue
        path.append(part)
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            data = None
    return tuple(path)


def _beside(loc: tuple[int | str, ...], data: Any) -> Any:
    """The mapping in which the last part of ``loc`` stands."""
    for part in loc[:-1]:
        if not isinstance(part, int) or isinstance(data, list):
            data = data[part]
    return data


def _unknown_key(
    key: str, path: Path, located: Located, section: type[BaseModel] | None, beside: Any
) -> Problem:
    if (parted := parted_number(beside, key)) is not None:
        return Problem.at(located.spot(path, key=True), *parted, path)
    hint = _meant_key(key, path, section, beside)
    return Problem.at(located.spot(path, key=True), f"unknown key {key!r}", hint, path)


def _meant_key(key: str, path: Path, section: type[BaseModel] | None, beside: Any) -> str:
    known = [field.alias or name for name, field in section.model_fields.items()] if section else []
    above = [part for part in path[:-1] if isinstance(part, str)]
    here = above[-1] if above else ""
    elsewhere = where_it_goes(key, above) or where_it_goes(_snake(key), above)
    if key == "where" and here == "deliver":
        return "it goes in the route itself, beside deliver:"
    if "leads" in above and key.endswith("conn_id") and (uri := _first_uri(beside)) is not None:
        scheme, _, rest = uri.partition("://")
        return f"it goes into the path: {scheme}://{beside[key]}@{rest}"
    if (elsewhere.startswith("under") and nearest(key, known)) or elsewhere in ("", f"under {here}:"):
        return did_you_mean(key, known, f"all keys: {REFERENCE}" if len(known) > _MANY else None)
    return f"it goes {elsewhere}"


def _snake(key: str) -> str:
    """``max_rows`` of ``maxRows`` and ``max-rows``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).replace("-", "_").lower()


def _first_uri(beside: Any) -> str | None:
    """The first path of a source that names a place but no connection of it."""
    if not isinstance(beside, dict):
        return None
    for kind in FILE_ENDINGS:
        paths = beside.get(kind)
        for each in paths if isinstance(paths, list) else [paths]:
            if isinstance(each, str) and "://" in each and "@" not in each:
                return each
    return None


def _missing(key: str, path: Path, located: Located, section: type[BaseModel] | None) -> Problem:
    field = section.model_fields.get(key) if section else None
    described = re.split(r"[.;]", field.description or "")[0] if field is not None else ""
    spot = located.spot(path, key=True)
    return Problem.at(spot, f"the key {key!r} is missing", f"{key}: {described}" if described else "", path)


def _mapping_meant(path: Path, value: object) -> str:
    """What to write for a section that is said in short."""
    key = path[-1] if path else ""
    kind = kind_of_file(value) if isinstance(value, str) else None
    if len(path) == 2 and key == "name" and isinstance(value, str):
        return f"write {value}: in place of name: {value}, and below it, indented, what it does"
    if key == "leads" and kind is not None:
        return f"write leads: {{{kind}: {value}}}"
    if isinstance(key, int) and path[-2] == "leads" and kind is not None:
        return f"write {{{kind}: {value}}}"
    if key == "outreach" and isinstance(value, str):
        return f"write outreach: {{conn_id: {value}}}"
    if key == "sql" and isinstance(value, str):
        return f"write sql: {{conn_id: {value}}}" if "to" in path else "write sql: {conn_id: …, query: …}"
    if key == "to" and isinstance(value, str):
        return f"write to: {{csv: {value}}}, or parquet"
    if key == "deliver" and isinstance(value, str):
        return f"write deliver: {{endpoint: {value}}}"
    if key == "deliver" and isinstance(value, list):
        return "a route goes one way: write another route for the other"
    return "write key: value"


def _ordinary(each: Any, path: Path, located: Located) -> Problem:
    """The few of pydantic's own errors our fields leave: mappings, lists and their lengths."""
    value, kind = each["input"], str(each["type"])
    message, hint = str(each["msg"]), ""
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        message, hint = f"this must be a mapping, not {kind_of(value)}", _mapping_meant(path, value)
    elif kind == "list_type":
        message, hint = f"this must be a list, not {kind_of(value)}", "write [a, b]"
    elif kind == "too_short":
        message, hint = "this is empty", "write something, or leave the key out"
    elif kind == "too_long":
        limits: Mapping[str, Any] = each.get("ctx", {})
        message, hint = (
            f"this has {limits['actual_length']} items, and can have {limits['max_length']}",
            "write fewer",
        )
    elif kind == "string_type":
        message, hint = f"this must be text, not {kind_of(value)}", "put quotes around it"
    return Problem.at(located.spot(path, key=value is None), message, hint, path)


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The section in which the last part of ``loc`` stands."""
    current: type[BaseModel] | None = model
    for part in loc[:-1]:
        if current is None:
            return None
        if isinstance(part, int):
            continue
        field = current.model_fields.get(str(part))
        current = _section_of(field) if field is not None else None
    return current


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    candidates: list[Any] = [field.annotation]
    for candidate in candidates:  # of list[Section] | None too
        candidates += getattr(candidate, "__args__", ())
        if (
            isinstance(candidate, type)
            and not hasattr(candidate, "__args__")
            and issubclass(candidate, Section)
        ):
            return candidate
    return None
