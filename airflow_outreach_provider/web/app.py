"""What is mounted at ``/outreach`` in Airflow's API server, put together.

The receiver's one route is public and proves its requests itself; everything else in here stands behind
Airflow's own authentication.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.hooks.settings import max_body_bytes, open_store
from airflow_outreach_provider.hooks.sources import find_source
from airflow_outreach_provider.receiver import app as receiver
from airflow_outreach_provider.services.ingest import Ingest
from airflow_outreach_provider.store.engine import Store


def create_app(*, auth_manager: Any = None, store: Store | None = None) -> FastAPI:
    """The mounted application: ``POST /in/{source}`` and the pages.

    :param auth_manager: Airflow's; some of its dependencies look for it in the application's state.
    :raises StoreError: the store is away, or not at the schema this version needs.
    """
    store = store or open_store()
    app = FastAPI(title="Outreach", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.auth_manager = auth_manager
    app.state.store = store
    app.router.routes.append(receiver.receiver_route(_source, Ingest(store), max_body_bytes=max_body_bytes()))
    return app


def create_receiver() -> FastAPI:
    """The receiver alone, with sources and store from Airflow: for ``airflow outreach receive``."""
    return receiver.create_app(_source, open_store(), max_body_bytes=max_body_bytes())


def _source(name: str) -> SourceSettings | None:
    return find_source(name)
