"""``new``: a workflow written from its source's columns; what is there already is never changed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.lead_files import FILE_ENDINGS, kind_of_file
from airflow_outreach_provider.core.workflows.insertion import inserted, is_written, new_file
from airflow_outreach_provider.core.workflows.loading import DEFAULTS_FILE, Loaded, load_texts
from airflow_outreach_provider.core.workflows.models import DagSettings
from airflow_outreach_provider.workflows.files import ENDINGS
from airflow_outreach_provider.workflows.lint_data import first_values

_QUERY = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_TABLE = re.compile(r"\w+(\.\w+){0,3}")
_MARK = "\ufeff"  # of UTF-8, as some editors write it
KINDS = ", ".join(ends[0] for ends in FILE_ENDINGS.values())


def is_sql(rows: str, sql_conn_id: str | None = None) -> bool:
    """Whether ``--from`` is a query, a file with one, or a table. :param sql_conn_id: given, it can be nothing else."""
    read = rows.strip()
    if sql_conn_id is not None or _QUERY.match(read) or read.lower().endswith(".sql"):
        return True
    return re.fullmatch(r"\w+", read) is not None  # with a dot it may be a file as well


def leads_section(rows: str, sql_conn_id: str | None, target: Path) -> dict[str, str | dict[str, str]]:
    """What stands under ``leads`` for a ``--from``; a local path as it is from the workflow file's folder.

    :raises ConfigurationError: it tells no kind of source, or is a template.
    """
    read = rows.strip()
    if "{{" in read or "{%" in read:
        raise ConfigurationError(
            "--from is a template, which only a run fills in",
            "give one that can be read now, and edit the file then",
        )
    if is_sql(read, sql_conn_id):
        if read.lower().endswith(".sql"):
            return {"sql": {"conn_id": sql_conn_id or "", "file": _from_file(read, target)}}
        query = f"SELECT * FROM {read}" if _TABLE.fullmatch(read) else read.rstrip(";")  # noqa: S608 - a name alone
        return {"sql": {"conn_id": sql_conn_id or "", "query": query}}
    kind = kind_of_file(read)
    if kind is None:
        raise ConfigurationError(
            f"--from {read!r} does not tell what it is",
            f"name a file that ends in {KINDS}, a query that begins with SELECT, or a table with --sql-conn-id",
        )
    return {kind: _from_file(read, target)}


def _from_file(path: str, target: Path) -> str:
    if "://" in path or os.path.isabs(path):
        return path
    return os.path.relpath(os.path.abspath(path), os.path.abspath(target.parent)).replace(os.sep, "/")


def columns_of(rows: str, sql_conn_id: str | None) -> tuple[str, ...]:
    """The columns of the first rows of a source; a relative path starts here.

    :raises ConfigurationError: the source cannot be read, or has no row.
    """
    from airflow_outreach_provider.core.workflows.lead_sources import LeadSource
    from airflow_outreach_provider.operators.lead_source import open_source
    from airflow_outreach_provider.workflows.lead_sync import leads_of

    here = Path("here.yaml")
    source = LeadSource.model_validate(leads_section(rows, sql_conn_id, here))
    opened: Any = open_source(leads_of([source], str(here)))
    values = first_values(lambda: iter(opened.rows()))
    if not values:
        raise ConfigurationError(
            "the source has no row yet, so that its columns are not known",
            "give one with at least a row, e.g. a sample",
        )
    return tuple(dict.fromkeys(column for row in values for column in row))


def check_lines(section: str, lines: Sequence[str]) -> None:
    """:raises ConfigurationError: what somebody answered cannot stand in a workflow; names each key."""
    problems = load_texts({"new": new_file(section, lines)}).problems
    if problems:
        said = [f"{each.path.partition('.')[2] or each.path}: {each.message}" + (f" — {each.hint}" if each.hint else "")
                for each in problems]  # fmt: skip
        raise ConfigurationError("\n".join(said))


def write_workflow(section: str, name: str, lines: Sequence[str], target: Path) -> bool:
    """Write a workflow into a file of its own, or into one that is there, of which nothing else changes.

    :return: whether the file is new.
    :raises ConfigurationError: the name is taken, or the file that is there cannot take it; nothing is written.
    """
    if target.suffix not in ENDINGS or target.name == DEFAULTS_FILE:
        raise ConfigurationError(f"{target} is no workflow file", "name one that ends in .yaml")
    check_lines(section, lines)
    there = target.exists()
    whole = {str(path): _text(path) for path in _beside(target)}
    old = whole.get(str(target), "")
    texts = {path: text.removeprefix(_MARK) for path, text in whole.items()}
    empty = not is_written(texts.get(str(target), ""))
    before = load_texts({path: text for path, text in texts.items() if not (empty and path == str(target))})
    taken = next((each for each in before.workflows if (each.section, each.name) == (section, name)), None)
    if taken is not None:
        spot = taken.spot(key=True)
        raise ConfigurationError(
            f"there is a workflow {name!r} already, in {spot.file}:{spot.line}", "give another --name"
        )
    if there and before.problems_of(str(target)):
        raise ConfigurationError(
            f"{target} is there and has mistakes",
            f"airflow outreach lint {target} says which; or name another file",
        )
    text = inserted(old, section, lines) if old.strip() else new_file(section, lines)
    after = load_texts({**texts, str(target): text.removeprefix(_MARK)})
    if set(after.problems) - set(before.problems) or not _same(before.workflows, after.workflows):
        raise ConfigurationError(
            f"{target} is there, and a workflow cannot be added without changing what is written in it",
            "name another file with --to",
        )
    _write(target, text, there)
    return not there


def _same(before: list[Loaded[DagSettings]], after: list[Loaded[DagSettings]]) -> bool:
    """Whether all that were there are there, and one more."""
    found = {each.dag_id: each.model for each in after}
    return len(after) == len(before) + 1 and all(found.get(each.dag_id) == each.model for each in before)


def _beside(target: Path) -> list[Path]:
    folder = target.parent
    return (
        sorted(path for path in folder.iterdir() if path.suffix in ENDINGS and path.is_file())
        if folder.is_dir()
        else []
    )


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(
            f"{path} cannot be read: {why}", "mend it, or write into another folder"
        ) from None


def _write(target: Path, text: str, there: bool) -> None:
    """At once or not at all: Airflow may read the folder at any moment."""
    place = target.resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not there:
            with place.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        made = place.with_name(f".{place.name}.new")
        made.write_text(text, "utf-8", newline="")
        shutil.copymode(place, made)
        made.replace(place)
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be written: {error.strerror}", "name another file with --to"
        ) from None
