"""Send the leads of a file, each person once.

Put CSV or JSON Lines files where the Airflow variable ``outreach_leads`` says (a path, an object store URI, with
``*`` in the file name where there are several) and create a connection of type *Outreach API* named
``outreach_default``. Started by hand, the form takes another file, a limit and a dry run.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator

with DAG(
    dag_id="outreach_lead_sync",
    description="Leads of a file to the outreach API; nobody is texted twice.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["outreach"],
    doc_md=__doc__,
    params={
        "leads": Param(
            "",
            type="string",
            title="Leads",
            description="Path or URI of .csv or .jsonl files; empty: what the variable outreach_leads says.",
        ),
        "max_rows": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="At most rows",
            description="Read no more rows than this; empty: all.",
        ),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Do everything but send."),
    },
):
    SubmitLeadsOperator(
        task_id="submit_leads",
        leads="{{ params.leads or var.value.outreach_leads }}",
        default_region="US",
        max_rows="{{ params.max_rows or '' }}",
        dry_run="{{ params.dry_run }}",
    )
