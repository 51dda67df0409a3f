"""The receiver: contact events over HTTP into the inbox, without Airflow."""

from airflow_outreach_provider.receiver.app import create_app, receiver_route

__all__ = ["create_app", "receiver_route"]
