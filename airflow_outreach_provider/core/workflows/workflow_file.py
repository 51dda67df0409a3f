"""The whole of a workflow file: its sections by name, and the exports, which are the smallest of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from airflow_outreach_provider.core.exports import DataSet, Personal
from airflow_outreach_provider.core.workflows.fields import (
    ONE_OR_MANY,
    ConnectionId,
    PlainText,
    Templated,
    choice,
)
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync, Section


class SqlTarget(Section):
    """Tables of a database."""

    conn_id: ConnectionId = Field(description="Airflow connection of the database.")
    table_prefix: Templated = Field(
        "outreach_", description="Before the name of the data set; tables are made where there are none."
    )


class ExportTarget(Section):
    """Where the rows go: exactly one of these."""

    one_of = ("parquet", "csv", "sql")

    parquet: Templated | None = Field(
        None, description="Folder for Parquet files, a path or a URI; needs the extra `parquet`."
    )
    csv: Templated | None = Field(None, description="Folder for CSV files, a path or a URI.")
    sql: SqlTarget | None = Field(None, description="Tables of a database.")


class Export(DagSettings):
    """What changed since the last run → a warehouse."""

    as_written = frozenset({"to", "data"})

    data: Annotated[list[Annotated[str, *choice(DataSet)]], *ONE_OR_MANY] = Field(
        list(DataSet), description="What is written: leads, events, deliveries, outcomes; all otherwise."
    )
    to: ExportTarget = Field(description="Where the rows go.")
    personal: Annotated[str, *choice(Personal)] = Field(
        "masked", description="People masked, or whole: names, addresses and numbers as they are."
    )


class Defaults(Section):
    """Values shared by the workflows of the file, or, in `_defaults.yaml`, of the folder."""

    lead_syncs: LeadSync | None = Field(None, description="For every lead sync.")
    event_routes: EventRoute | None = Field(None, description="For every event route.")
    exports: Export | None = Field(None, description="For every export.")


VARIABLE = "outreach_environment"


class Environments(Section):
    """What differs from one Airflow to another: the name of each environment → values, which win over all others."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Defaults]

    variable: PlainText = Field(VARIABLE, description="Airflow variable that names the present environment.")
    default: PlainText | None = Field(
        None,
        description="The environment where that variable is not set or cannot be read: name one that sends nothing. Without it "
        "such a file is an import error.",
    )


class WorkflowFile(Section):
    """A workflow file."""

    defaults: Defaults | None = Field(None, description="Values shared by the workflows of this file.")
    environments: Environments | None = Field(
        None, description="Values by an Airflow variable; in `_defaults.yaml` for the folder."
    )
    lead_syncs: dict[str, LeadSync] = Field({}, description="Name → lead sync.")
    event_routes: dict[str, EventRoute] = Field({}, description="Name → event route.")
    exports: dict[str, Export] = Field({}, description="Name → export.")


Workflow = LeadSync | EventRoute | Export
SECTION_MODELS: dict[str, type[LeadSync] | type[EventRoute] | type[Export]] = {
    "lead_syncs": LeadSync,
    "event_routes": EventRoute,
    "exports": Export,
}
