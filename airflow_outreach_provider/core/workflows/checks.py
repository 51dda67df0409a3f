"""What no single field can know: keys that exclude or need each other. Works on the data as written, so every
mistake of a file is found in one pass, valid or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_value
from airflow_outreach_provider.core.expressions.scope import REQUEST, RESPONSE
from airflow_outreach_provider.core.request_form import FORM, RequestForm, check_header, check_saved
from airflow_outreach_provider.core.suggest import did_you_mean, nearest
from airflow_outreach_provider.core.workflows.deliver import REQUEST_KEYS, Deliver
from airflow_outreach_provider.core.workflows.models import (
    NESTED_TARGETS,
    RETRY_KNOBS,
    LeadSource,
)
from airflow_outreach_provider.core.workflows.problems import Path
from airflow_outreach_provider.core.workflows.schedules import CONTINUOUS
from airflow_outreach_provider.core.workflows.section import Section

RESERVED_PARAMS = frozenset({"leads", "limit", "dry_run"})
"""What the trigger form of a lead sync already asks."""

_PARAM_KEYS = frozenset(
    [
        "default",
        "description",
        "title",
        "type",
        "enum",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "examples",
        "values_display",
        "section",
        "description_md",
        "items",
        "schema",
        "const",
    ]
)

Finding = tuple[Path, bool, str, str]
"""Path below the workflow, whether its key is meant (not its value), message, hint."""


def check_lead_sync(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong between the keys of a lead sync."""
    yield from _exactly_one(data, "leads", LeadSource)
    yield from _extension(data)
    mapping, outreach = data.get("map"), _mapping(data, "outreach")
    if isinstance(mapping, dict):
        yield from _mapping_findings(mapping, outreach, ("map",))
    yield from _knobs(data)
    rules = _mapping(data, "rules")
    for key in ("approvers", "approval_timeout"):
        if key in rules and rules.get("approve_above") is None:
            yield (
                ("rules", key),
                True,
                f"{key} has no effect without approve_above",
                "write e.g. approve_above: 500",
            )
    yield from _changed_on(rules)


def _changed_on(rules: Mapping[str, Any]) -> Iterator[Finding]:
    if rules.get("changed_on") is not None and rules.get("resubmit", "never") == "never":
        yield (
            ("rules", "changed_on"),
            True,
            "changed_on has no effect while resubmit is never",
            "write e.g. resubmit: changed",
        )


def check_event_route(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong between the keys of an event route."""
    yield from _exactly_one(data, "deliver", Deliver)
    deliver = _mapping(data, "deliver")
    yield from _request(deliver)
    outreach = _mapping(deliver, "outreach")
    mapping = outreach.get("map")
    if isinstance(mapping, dict):
        yield from _mapping_findings(mapping, outreach, ("deliver", "outreach", "map"))
    kinds, where = data.get("kinds"), data.get("where")
    if kinds and isinstance(where, str) and "kind ==" in where:
        yield ("where",), False, "kinds already says which kinds", "ask for the kind in one of the two"
    for knob in RETRY_KNOBS if "retry_schedule" in data else ():
        if knob in data:
            hint = "keep retry_schedule, which says how often too, or remove that one"
            yield (knob,), True, f"{knob} and retry_schedule both say when to retry", hint
    yield from _knobs(data)


def empty_values(data: object, path: Path = ()) -> Iterator[Finding]:
    """Keys and list items with nothing behind them; only ``schedule`` and a param's default may be empty."""
    if data is None:
        what = path[-1] if path and isinstance(path[-1], str) else "the workflow"
        yield path, True, f"{what} is empty", "write a value, or leave the key out"
    elif isinstance(data, dict):
        for key, value in data.items():
            if key not in {"schedule", "params"}:
                yield from empty_values(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from empty_values(item, (*path, index))


CHECKS: dict[str, Callable[[Mapping[str, Any]], Iterator[Finding]]] = {
    "lead_syncs": check_lead_sync,
    "event_routes": check_event_route,
}


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _exactly_one(data: Mapping[str, Any], key: str, section: type[Section]) -> Iterator[Finding]:
    value = data.get(key)
    if not isinstance(value, dict):
        return
    given = [each for each in section.one_of if each in value]
    if len(given) > 1:
        yield (key, given[1]), True, f"{key} has {' and '.join(given)}, and can have one", "remove the other"
    elif not given:
        unknown = [each for each in value if nearest(each, section.one_of)]
        if not unknown:  # a misspelt one is reported as such
            yield (key,), True, f"{key} says nothing", f"write one of: {', '.join(section.one_of)}"


def _extension(data: Mapping[str, Any]) -> Iterator[Finding]:
    leads = _mapping(data, "leads")
    for key, other in (("csv", "jsonl"), ("jsonl", "csv")):
        uri = leads.get(key)
        if not isinstance(uri, str) or uri.rstrip().endswith("}}"):
            continue
        bare = uri.split("?")[0].removesuffix(".gz")
        if bare.endswith(f".{other}"):
            yield (
                ("leads", key),
                False,
                f"this file is {other}, not {key}",
                f"write {other}: instead of {key}:",
            )
        elif not bare.endswith(f".{key}"):
            hint = "save it as CSV" if bare.endswith((".xlsx", ".xls")) else "name a file, not a folder"
            yield ("leads", key), False, f"the name does not end in .{key} or .{key}.gz", hint


def _mapping_findings(
    mapping: Mapping[str, Any], outreach: Mapping[str, Any], path: Path
) -> Iterator[Finding]:
    if not any(target in {"phoneNumber", "contacts.phoneNumber"} for target in mapping):
        close = [each for each in mapping if nearest(each, ["phonenumber"])]
        if close:
            yield (
                (*path, close[0]),
                True,
                f"{close[0]!r} is not the phone number",
                "did you mean 'phoneNumber'?",
            )
        else:
            yield path, True, "map has no phoneNumber", "write phoneNumber: and the column that holds it"
    if outreach.get("format", "raw") != "fixed":
        for target in mapping:
            if target.startswith(NESTED_TARGETS):
                yield (
                    (*path, target),
                    True,
                    f"{target} needs the fixed format",
                    "write outreach: {format: fixed}",
                )


def _request(deliver: Mapping[str, Any]) -> Iterator[Finding]:
    for key in REQUEST_KEYS:
        if key in deliver and "endpoint" not in deliver:
            yield ("deliver", key), True, f"{key} has no effect without an endpoint", "write endpoint: too"
    for key, scope in (("query", REQUEST), ("headers", REQUEST), ("payload", REQUEST), ("save", RESPONSE)):
        for path, text in _texts(deliver.get(key), ("deliver", key)):
            try:
                compile_value(text, scope)
            except ExpressionError as error:
                yield path, False, error.problem, error.remedy or ""
    for key, check in (("headers", check_header), ("save", check_saved)):
        for name in _mapping(deliver, key):
            try:
                check(name)
            except ConfigurationError as error:
                yield ("deliver", key, name), True, str(error).split(" — ")[0], error.remedy or ""
    payload = deliver.get("payload")
    yield from _batch(deliver)
    if deliver.get("omit_empty") is True and not isinstance(payload, dict | list):
        yield (
            ("deliver", "omit_empty"),
            True,
            "omit_empty has no effect without a payload of templates",
            'write e.g. payload: {email: "{{ contact.email }}"}',
        )
    if deliver.get("content_type") == FORM and not isinstance(payload, dict):
        hint = 'write e.g. payload: {email: "{{ contact.email }}"}'
        yield ("deliver", "content_type"), False, "a form is made of names and values", hint


def _batch(deliver: Mapping[str, Any]) -> Iterator[Finding]:
    batch = deliver.get("batch")
    if not isinstance(batch, dict) or not isinstance(batch.get("size"), int) or batch["size"] < 1:
        return
    known = {key: deliver[key] for key in REQUEST_KEYS if deliver.get(key) is not None and key != "batch"}
    try:
        RequestForm(**known, batch=GroupForm(**batch)).check()
    except (ExpressionError, TypeError, AttributeError):
        return  # said in its place
    except ConfigurationError as error:
        yield ("deliver", "batch"), True, str(error).split(" — ")[0], error.remedy or ""


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))
    elif isinstance(value, str):
        yield path, value


def _knobs(data: Mapping[str, Any]) -> Iterator[Finding]:
    if data.get("catchup") is True and not data.get("start_date"):
        yield ("catchup",), True, "catchup needs a start_date", "write e.g. start_date: 2026-01-31"
    if data.get("pool_slots") is not None and data.get("pool") is None:
        yield ("pool_slots",), True, "pool_slots has no effect without a pool", "write pool: and its name"
    yield from _one_at_a_time(data)
    if isinstance(data.get("params"), dict):
        yield from _params(data["params"])
    start, end = data.get("start_date"), data.get("end_date")
    if isinstance(start, str) and isinstance(end, str) and end[:10] < start[:10]:
        yield ("end_date",), False, "end_date is before start_date", ""


def _one_at_a_time(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Airflow refuses to build such a DAG, and its words name no place."""
    schedule, runs = data.get("schedule"), data.get("max_active_runs")
    continuous = isinstance(schedule, str) and schedule.strip() == CONTINUOUS
    if continuous and isinstance(runs, int) and runs > 1:
        yield ("max_active_runs",), False, "@continuous runs one at a time", "leave max_active_runs out"


def _params(params: Mapping[str, Any]) -> Iterator[Finding]:
    for name, spec in params.items():
        path: Path = ("params", name)
        if not name.isidentifier():
            yield path, True, f"{name!r} is not the name of a param", "use letters, digits and _"
        if name in RESERVED_PARAMS:
            yield path, True, f"the trigger form has a field {name!r} already", "choose another name"
        for key in spec if isinstance(spec, dict) else ():
            if key not in _PARAM_KEYS:
                yield (*path, key), True, f"a param has no {key!r}", did_you_mean(key, _PARAM_KEYS)
