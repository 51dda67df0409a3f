"""The task of an export."""

from __future__ import annotations

from airflow_outreach_provider.core.workflows.workflow_file import Export
from airflow_outreach_provider.operators.outreach import ExportOutcomesOperator
from airflow_outreach_provider.workflows.beside import beside


def build_export(name: str, model: Export, file: str) -> None:
    """Make the task, in the DAG that is being built. Under the export's name is kept how far it has come.

    :param file: the workflow file; a relative folder starts beside it.
    """
    folder, tables = model.to.parquet or model.to.csv, model.to.sql
    to = (
        {"sql": {"conn_id": tables.conn_id, "table_prefix": tables.table_prefix}}
        if tables is not None
        else {"parquet" if model.to.parquet else "csv": beside(folder or "", file)}
    )
    ExportOutcomesOperator(task_id="export", export=name, to=to, what=model.data, personal=model.personal)
