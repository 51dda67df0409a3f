"""Housekeeping of the outreach store, once a day: optional, paused until somebody wants it.

Removes what is settled and older than ``[outreach] retention_days``. Who was texted stays known by number and the
do-not-contact list stays whole, so nobody is texted twice and nobody who said no is texted again. With
``retention_days = 0`` (the default: keep everything) the task is skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag, task


@dag(
    dag_id="outreach_maintenance",
    description="Remove settled leads, events and deliveries older than [outreach] retention_days.",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["outreach"],
    doc_md=__doc__,
)
def outreach_maintenance() -> None:
    @task(retries=3)
    def purge() -> dict[str, int]:
        from airflow.sdk.exceptions import AirflowSkipException

        from airflow_outreach_provider.hooks.settings import consumer_abandoned_after, open_store, retention
        from airflow_outreach_provider.services.actions import purge

        age = retention()
        if age is None:
            raise AirflowSkipException("[outreach] retention_days is 0: everything is kept")
        store = open_store()
        return purge(
            store,
            store.now() - age,
            actor="dag:outreach_maintenance",
            abandoned_after=consumer_abandoned_after(),
        )

    purge()


outreach_maintenance()
