"""What a lead sync may say under ``leads``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from airflow_outreach_provider.core.lead_files import is_text_encoding
from airflow_outreach_provider.core.workflows.fields import (
    ONE_OR_MANY,
    TEMPLATE,
    TEXT_SCHEMA,
    Templated,
    TemplatedConnection,
    Text,
    annotated,
    mistake,
    templated,
    text,
)
from airflow_outreach_provider.core.workflows.section import Section

_SHELL = re.compile(r"\$\{?(\w+)\}?")


_PATH_KEYS = ("path", "paths", "file", "files", "filename", "uri", "url", "glob", "pattern")


def _inside(value: Mapping[str, object]) -> str:
    """What to write for ``csv: {path: leads.csv, delimiter: ";"}``."""
    found = next((value[key] for key in _PATH_KEYS if key in value), None)
    paths = found if isinstance(found, list) else [found]
    if not paths or not all(isinstance(each, str) for each in paths):
        return "write the path alone, e.g. csv: leads.csv"
    alone = f"[{', '.join(map(str, paths))}]" if isinstance(found, list) else str(found)
    others = [key for key in value if key in ("delimiter", "encoding", "sheet")]
    beside = f", and {' and '.join(others)} beside it, under leads:" if others else ""
    return f"write {alone} in place of the braces{beside}"


def _path(value: object) -> str:
    if isinstance(value, dict):
        raise mistake("this must be text, not a mapping", _inside(value))
    read = templated(value)
    if (match := _SHELL.search(read)) is not None:
        raise mistake(
            "the environment of a worker is not read here",
            f"write {{{{ var.value.{match[1].lower()} }}}}, which AIRFLOW_VAR_{match[1].upper()} can set",
            match.start(),
        )
    return read


SourcePath = Annotated[str, *annotated(_path, {**TEXT_SCHEMA, "format": TEMPLATE})]
Paths = Annotated[list[SourcePath], *ONE_OR_MANY]


def _encoding(value: object) -> str:
    read = text(value)
    if not is_text_encoding(read):
        raise mistake(f"{read!r} is no encoding", "write e.g. utf-8, cp1252 or latin-1")
    return read


def _delimiter(value: object) -> str:
    read = value if isinstance(value, str) else text(value)
    if len(read) != 1 or read.isalnum() or read in "\"'\r\n":
        raise mistake(f"{read!r} cannot separate values", 'write one sign, e.g. ";" or "\\t"')
    return read


class SqlSection(Section):
    """Rows of a query, written here or in a file."""

    one_of = ("query", "file")

    conn_id: TemplatedConnection = Field(description="Airflow connection of the database; templates allowed.")
    query: Templated | None = Field(
        None, description="SELECT …; Airflow's templates allowed, e.g. {{ data_interval_start }}."
    )
    file: Text | None = Field(
        None,
        description="A .sql file with the query; a relative path starts beside the workflow file. Templates as in query.",
    )


class LeadSource(Section):
    """Where the rows come from: exactly one of these, or a list of such mappings, read one after the other."""

    one_of = ("csv", "jsonl", "json", "parquet", "xlsx", "sql")

    csv: Paths | None = Field(
        None, description="Path or URI of a CSV file, .gz allowed; * in the name takes every match."
    )
    jsonl: Paths | None = Field(None, description="The same of a file with one JSON object a line.")
    json_: Paths | None = Field(
        None, alias="json", description="The same of a file that is one JSON array of objects."
    )
    parquet: Paths | None = Field(
        None, description="The same of a Parquet file, without .gz; needs the extra `parquet`."
    )
    xlsx: Paths | None = Field(
        None,
        description="The same of a workbook (.xlsx, .xls, .ods), without .gz; its first line holds the column names; "
        "needs the extra `xlsx`.",
    )
    sql: SqlSection | None = Field(None, description="A query of a database.")
    delimiter: (
        Annotated[str, *annotated(_delimiter, {"type": "string", "minLength": 1, "maxLength": 1})] | None
    ) = Field(None, description="What separates the values of the CSV file; found out unless set.")
    encoding: Annotated[str, *annotated(_encoding, TEXT_SCHEMA)] | None = Field(
        None, description="Encoding of the CSV file, e.g. cp1252; found out unless set."
    )
    sheet: Text | None = Field(None, description="Sheet of the workbook; the first that is shown otherwise.")

    @property
    def files(self) -> tuple[str, list[str]] | None:
        """The kind of file and its paths; None of a query."""
        for kind in self.one_of:
            paths = getattr(self, "json_" if kind == "json" else kind)
            if isinstance(paths, list):
                return kind, paths
        return None


SourceField = Annotated[list[LeadSource], *ONE_OR_MANY]
