"""Every outreach workflow of the folder workflows/ as an Airflow DAG."""

from pathlib import Path

from airflow_outreach_provider.workflows import load_workflows

dags = load_workflows(Path(__file__).parent / "workflows")
