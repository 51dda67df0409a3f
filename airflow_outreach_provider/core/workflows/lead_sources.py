"""What a lead sync may say under ``leads``."""

from __future__ import annotations

from pydantic import Field

from airflow_outreach_provider.core.workflows.fields import ConnectionId, Templated
from airflow_outreach_provider.core.workflows.section import Section


class SqlSection(Section):
    """Rows of a query."""

    conn_id: ConnectionId = Field(description="Airflow connection of the database.")
    query: Templated = Field(
        description="SELECT …; Airflow's templates allowed, e.g. {{ data_interval_start }}."
    )


class LeadSource(Section):
    """Where the rows come from: exactly one of these."""

    one_of = ("csv", "jsonl", "sql")

    csv: Templated | None = Field(
        None, description="Path or URI of a CSV file, .gz allowed; * in the name takes every match."
    )
    jsonl: Templated | None = Field(
        None, description="Path or URI of a file with one JSON object a line, .gz allowed."
    )
    sql: SqlSection | None = Field(None, description="A query of a database.")
