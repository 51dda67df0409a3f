"""``lint --data``: are the columns that a lead sync names in its source? Reads a few rows, sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, cast

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError
from airflow_outreach_provider.core.expressions.compile import compile_value, compile_where
from airflow_outreach_provider.core.expressions.scope import ROW_CONDITION
from airflow_outreach_provider.core.leads import build_mapper
from airflow_outreach_provider.core.mapping import read_texts
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.row_order import order_advice, read_order
from airflow_outreach_provider.core.row_reading import RowReading
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, LeadSync
from airflow_outreach_provider.core.workflows.problems import Path, Problem
from airflow_outreach_provider.core.workflows.yaml_source import spot_within
from airflow_outreach_provider.hooks.advice import advice_on

_ROWS = 100
Opener = Callable[[LeadSync, str], Iterator[Any]]
"""A lead sync and its file → its rows, as ``services.reading`` gives them."""


def check_data(
    workflows: Iterable[Loaded[DagSettings]],
    opener: Opener | None = None,
    doubts: list[Problem] | None = None,
) -> list[Problem]:
    """What is wrong between the lead syncs and their sources.

    Sources whose name is a template are left out: only Airflow knows what it will be.

    :param opener: Airflow's own where None. :param doubts: takes what is no mistake and hardly meant.
    """
    problems = []
    for workflow in workflows:
        model = workflow.model
        if isinstance(model, LeadSync) and not _is_template(model):
            problems += _check(workflow, model, opener or open_rows_of, [] if doubts is None else doubts)
    return problems


def open_rows_of(model: LeadSync, file: str) -> Iterator[Any]:
    """The rows of a lead sync, opened as its task would."""
    from airflow_outreach_provider.operators.lead_source import open_source
    from airflow_outreach_provider.services.submit.columns import column_reader
    from airflow_outreach_provider.workflows.lead_sync import leads_of

    rules = model.rules
    ordered = [each.column for each in read_order(model.order_by)]
    named = (rules.consent, rules.time_zone, rules.changed_on, ordered, model.incremental)
    reads = column_reader(model.map, *named, where=model.where)
    source: Any = open_source(leads_of(model.leads, file), reads)
    return iter(source.rows())


def _check(
    workflow: Loaded[DagSettings], model: LeadSync, opener: Opener, doubts: list[Problem]
) -> list[Problem]:
    where: Path = ("leads",)
    if len(model.leads) == 1:
        where = ("leads", "sql" if model.leads[0].files is None else model.leads[0].files[0])
    try:
        values = first_values(lambda: opener(model, workflow.file))
    except OutreachError as error:
        return [Problem.at(workflow.spot(*where), str(error), "", _full(workflow, where))]
    if not values:
        return []
    columns = list(dict.fromkeys(column for row in values for column in row))
    if model.map is None and "phoneNumber" not in build_mapper(None, compile_value)(values[0]):
        hint = f"write map: with phoneNumber; the columns are: {', '.join(columns)}"
        spot = workflow.spot(*where)
        return [Problem.at(spot, "no column looks like a phone number", hint, _full(workflow, where))]
    for name in RowReading(model.map, model.where).hidden(columns):
        spot, path = workflow.spot("where"), _full(workflow, ("where",))
        doubts.append(
            Problem.at(
                spot,
                f"where reads the run's {name}, and the source has such a column",
                f"write row['{name}'] for the column",
                path,
            )
        )
    return [*_missing(workflow, model, columns)]


def first_values(opener: Callable[[], Iterator[Any]]) -> list[dict[str, object]]:
    """The values of the first rows of a source, without those that cannot be read.

    :raises OutreachError: it cannot be read, with what its store says.
    """
    try:
        with closing(cast("Any", opener())) as rows:
            return [row.values for row in islice(rows, _ROWS) if not row.error]
    except OutreachError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the store of the file says, the reader needs to know
        said = advice_on(error) or f"{type(error).__name__}: {mask_text(str(error))}"
        raise ConfigurationError(f"the source cannot be read: {said}") from None


def _missing(workflow: Loaded[DagSettings], model: LeadSync, columns: list[str]) -> Iterator[Problem]:
    for path, source, column in named_columns(model):
        if column not in columns:
            spot = workflow.spot(*path)
            if source != column:
                spot = spot_within(spot, source, max(0, source.find(column)))
            hint = (order_advice if path[0] == "order_by" else did_you_mean)(column, columns)
            yield Problem.at(spot, f"the source has no column {column!r}", hint, _full(workflow, path))


def named_columns(model: LeadSync) -> Iterator[tuple[Path, str, str]]:
    """Where a column is named, the text that names it, the column."""
    for text in read_texts(model.map or {}, ("map",)):
        columns = sorted(compile_value(text.text).columns) if text.template else [text.text]
        yield from ((text.path, text.text, column) for column in columns)
    for at, order in enumerate(read_order(model.order_by)):
        yield ("order_by", at), order.column, order.column
    if model.where is not None:
        for column in sorted(compile_where(model.where, ROW_CONDITION).columns):
            yield ("where",), model.where, column
    if model.incremental is not None:
        yield ("incremental",), model.incremental, model.incremental
    for key in ("consent", "time_zone"):
        column = getattr(model.rules, key)
        if column is not None:
            yield ("rules", key), column, column
    for index, column in enumerate(model.rules.changed_on or ()):
        yield ("rules", "changed_on", index), column, column


def _is_template(model: LeadSync) -> bool:
    said = [text for each in model.leads for text in (each.files[1] if each.files is not None else ())]
    said += [each.sql.query or each.sql.file or "" for each in model.leads if each.sql is not None]
    return any("{{" in text or "{%" in text for text in said)


def _full(workflow: Loaded[DagSettings], path: Path) -> Path:
    return (workflow.section, workflow.name, *path)
