"""What no single field can know: keys that exclude or need each other. Works on the data as written, so every
mistake of a file is found in one pass, valid or not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_value, compile_where
from airflow_outreach_provider.core.expressions.scope import (
    EVENT,
    REQUEST,
    RESPONSE,
    ROW,
    ROW_CONDITION,
    Scope,
)
from airflow_outreach_provider.core.lead_files import FILE_ENDINGS, TEXT_KINDS, kind_of_file, wrong_address
from airflow_outreach_provider.core.mapping import read_texts
from airflow_outreach_provider.core.request_form import FORM, RequestForm, check_header, check_saved
from airflow_outreach_provider.core.workflows.deliver import REQUEST_KEYS, Deliver
from airflow_outreach_provider.core.workflows.map_checks import check_map, check_row_values
from airflow_outreach_provider.core.workflows.models import RETRY_KNOBS, LeadSource, SqlSection
from airflow_outreach_provider.core.workflows.param_names import unknown_params
from airflow_outreach_provider.core.workflows.param_specs import RESERVED_PARAMS, check_params
from airflow_outreach_provider.core.workflows.problems import Finding, Path, parted_number
from airflow_outreach_provider.core.workflows.schedules import CONTINUOUS
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.texts import texts_in
from airflow_outreach_provider.core.workflows.workflow_file import ExportTarget


def check_lead_sync(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong between the keys of a lead sync."""
    for path, source in _sources(data):
        yield from _source(path, source)
    mapping, outreach = data.get("map"), _mapping(data, "outreach")
    if isinstance(mapping, dict):
        yield from check_map(mapping, outreach, ("map",))
        yield from check_row_values(mapping)
    yield from _of_texts(data)
    yield from _unknown_params(data, RESERVED_PARAMS)
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
    yield from _exactly_one(data.get("deliver"), ("deliver",), Deliver)
    deliver = _mapping(data, "deliver")
    yield from _request(deliver)
    outreach = _mapping(deliver, "outreach")
    mapping = outreach.get("map")
    if isinstance(mapping, dict):
        yield from check_map(mapping, outreach, ("deliver", "outreach", "map"), "event")
    kinds, where = data.get("kinds"), data.get("where")
    if kinds and isinstance(where, str) and "kind ==" in where:
        yield ("where",), False, "kinds already says which kinds", "ask for the kind in one of the two"
    for knob in RETRY_KNOBS if "retry_schedule" in data else ():
        if knob in data:
            hint = "keep retry_schedule, which says how often too, or remove that one"
            yield (knob,), True, f"{knob} and retry_schedule both say when to retry", hint
    yield from _unknown_params(data)
    yield from _knobs(data)


def empty_values(data: object, path: Path = (), said: Collection[Path] = ()) -> Iterator[Finding]:
    """Keys and list items with nothing behind them; only ``schedule`` and a param's default may be empty.

    :param said: where null is written; below ``map`` it is a value.
    """
    if data is None and "map" in path and path in said:
        return
    if data is None:
        what = path[-1] if path and isinstance(path[-1], str) else "the workflow"
        yield path, True, f"{what} is empty", "write a value, or leave the key out"
    elif isinstance(data, dict):
        for key, value in data.items():
            if (parted := parted_number(data, key)) is not None:
                yield (*path, key), True, *parted
            elif key not in {"schedule", "params"}:
                yield from empty_values(value, (*path, key), said)
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from empty_values(item, (*path, index), said)


def check_export(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong between the keys of an export."""
    yield from _exactly_one(data.get("to"), ("to",), ExportTarget)
    yield from _unknown_params(data)
    yield from _knobs(data)


CHECKS: dict[str, Callable[[Mapping[str, Any]], Iterator[Finding]]] = {
    "lead_syncs": check_lead_sync,
    "event_routes": check_event_route,
    "exports": check_export,
}


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _exactly_one(value: object, path: Path, section: type[Section]) -> Iterator[Finding]:
    if not isinstance(value, dict):
        return
    key = next(part for part in reversed(path) if isinstance(part, str))
    given = [each for each in section.one_of if each in value]
    if len(given) > 1:
        yield (
            (*path, given[1]),
            True,
            f"{key} has {' and '.join(given)}, and can have one",
            "remove the other",
        )
    elif not given:
        known = {*section.model_fields, *section.one_of}
        if known.issuperset(value):  # what is not known is told for itself
            yield path, True, f"{key} says nothing", f"write one of: {', '.join(section.one_of)}"


def _sources(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    leads = data.get("leads")
    if isinstance(leads, list):
        yield from ((("leads", at), each) for at, each in enumerate(leads) if isinstance(each, dict))
    elif isinstance(leads, dict):
        yield ("leads",), leads


_SAID_OF = {"delimiter": "csv", "encoding": "csv", "sheet": "xlsx"}


def _source(path: Path, source: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _exactly_one(source, path, LeadSource)
    yield from _exactly_one(source.get("sql"), (*path, "sql"), SqlSection)
    for key, kind in _SAID_OF.items():
        if key in source and kind not in source:
            yield (*path, key), True, f"{key} has no effect without {kind}", "leave it out"
    for kind, endings in FILE_ENDINGS.items():
        paths = source.get(kind)
        for at, uri in enumerate(paths if isinstance(paths, list) else [paths]):
            where = (*path, kind, at) if isinstance(paths, list) else (*path, kind)
            if (
                isinstance(uri, str)
                and "$" not in uri
                and uri[:1] not in set("“”„‘’")
                and not uri.rstrip().endswith("}}")
            ):
                yield from _ending(where, kind, uri, endings)


def _ending(where: Path, kind: str, uri: str, endings: tuple[str, ...]) -> Iterator[Finding]:
    found = kind_of_file(uri)
    if (wrong := wrong_address(uri)) is not None:
        yield where, False, *wrong
    elif found == kind:
        return
    elif found is not None:
        yield where, False, f"this file is {found}, not {kind}", f"write {found}: instead of {kind}:"
    else:
        packed = f" or {endings[0]}.gz" if kind in TEXT_KINDS else ""
        hint = _renamed(uri, kind)
        yield where, False, f"the name does not end in {endings[0]}{packed}", hint


def _renamed(uri: str, kind: str) -> str:
    """What to do about a file that is not called as its kind is."""
    ending = PurePosixPath(uri.replace("\\", "/")).suffix.lower()
    if ending in {".zip", ".7z", ".rar", ".bz2", ".xz", ".zst", ".tar", ".tgz"}:
        return "unpack it" + (", or pack it as .gz" if kind in TEXT_KINDS else "")
    if ending in {".txt", ".tsv", ".tab", ".dat", ".psv"} and kind == "csv":
        return "call it .csv: what separates its values is found out"
    return "name a file, not a folder"


def _of_texts(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What would be decided the same for every row of a CSV file, which holds texts alone."""
    if not any("csv" in source for _, source in _sources(data)):
        return
    mapping, where = _mapping(data, "map"), data.get("where")
    if isinstance(where, str) and (error := _only_of_texts(compile_where, where, ROW_CONDITION)):
        yield ("where",), False, error.problem, error.remedy or ""
    for text in read_texts(mapping, ("map",)):
        if text.template and (error := _only_of_texts(compile_value, text.text, ROW)):
            yield text.path, False, error.problem, error.remedy or ""


def _only_of_texts(
    compiled: Callable[[str, Scope], object], source: str, scope: Scope
) -> ExpressionError | None:
    """What is wrong with an expression over texts; what is wrong with it over any row is told in its place."""
    try:
        compiled(source, scope)
    except ExpressionError:
        return None
    try:
        compiled(source, scope.over_texts())
    except ExpressionError as error:
        return error
    return None


def _unknown_params(data: Mapping[str, Any], also: Collection[str] = ()) -> Iterator[Finding]:
    known = dict.fromkeys([*also, *_mapping(data, "params")])
    for path, message, hint in unknown_params(data, known):
        yield path, False, message, hint


def _request(deliver: Mapping[str, Any]) -> Iterator[Finding]:
    for key in REQUEST_KEYS:
        if key in deliver and "endpoint" not in deliver:
            yield ("deliver", key), True, f"{key} has no effect without an endpoint", "write endpoint: too"
    for key, scope in (("query", REQUEST), ("headers", REQUEST), ("payload", REQUEST), ("save", RESPONSE)):
        yield from _compiled(deliver.get(key), ("deliver", key), scope)
    conf = _mapping(deliver, "trigger_dag").get("conf")
    yield from _compiled(conf, ("deliver", "trigger_dag", "conf"), EVENT)
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


def _compiled(value: object, path: Path, scope: Scope) -> Iterator[Finding]:
    """What is wrong with the templates in a value, however deep."""
    for at, text in texts_in(value, path):
        try:
            compile_value(text, scope)
        except ExpressionError as error:
            yield at, False, error.problem, error.remedy


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


def _knobs(data: Mapping[str, Any]) -> Iterator[Finding]:
    if data.get("catchup") is True and not data.get("start_date"):
        yield ("catchup",), True, "catchup needs a start_date", "write e.g. start_date: 2026-01-31"
    if data.get("pool_slots") is not None and data.get("pool") is None:
        yield ("pool_slots",), True, "pool_slots has no effect without a pool", "write pool: and its name"
    yield from _one_at_a_time(data)
    yield from _before_it(data)
    for key, other in (
        ("on_deadline", "deadline"),
        ("email_on_failure", "email"),
        ("email_on_retry", "email"),
    ):
        if data.get(key) is not None and data.get(other) is None:
            yield (key,), True, f"{key} has no effect without {other}", f"write {other}: too"
    if isinstance(data.get("params"), dict):
        yield from check_params(data["params"])
    start, end = data.get("start_date"), data.get("end_date")
    if isinstance(start, str) and isinstance(end, str) and end[:10] < start[:10]:
        yield ("end_date",), False, "end_date is before start_date", ""


def _before_it(data: Mapping[str, Any]) -> Iterator[Finding]:
    if data.get("depends_on") is not None and data.get("schedule") is not None:
        hint = "leave schedule out: it runs when those it depends on have run"
        yield ("schedule",), True, "schedule and depends_on both say when it runs", hint


def _one_at_a_time(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Airflow refuses to build such a DAG, and its words name no place."""
    schedule, runs = data.get("schedule"), data.get("max_active_runs")
    continuous = isinstance(schedule, str) and schedule.strip() == CONTINUOUS
    if continuous and isinstance(runs, int) and runs > 1:
        yield ("max_active_runs",), False, "@continuous runs one at a time", "leave max_active_runs out"
