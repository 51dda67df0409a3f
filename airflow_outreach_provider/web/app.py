"""What is mounted at ``/outreach`` in Airflow's API server, put together.

The receiver's one route is public and proves its requests itself; everything else in here stands behind
Airflow's own authentication.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.hooks.settings import max_body_bytes, open_store
from airflow_outreach_provider.hooks.sources import find_source
from airflow_outreach_provider.receiver import app as receiver
from airflow_outreach_provider.receiver.memory import collect_rarely
from airflow_outreach_provider.services.events.ingest import Ingest
from airflow_outreach_provider.store.connections import SERVING
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web import (
    actions_connections,
    actions_events,
    actions_leads,
    api,
    campaigns,
    help_pages,
    outreach_apis,
    pages,
    person,
    resends,
    setup,
    try_route,
    try_rows,
    try_yaml,
    workflows,
)
from airflow_outreach_provider.web.access import Reader
from airflow_outreach_provider.web.errors import bad_request, http_error, outreach_error
from airflow_outreach_provider.web.middleware import Guard
from airflow_outreach_provider.web.params import known_parameters


def create_app(*, auth_manager: Any = None, store: Store | None = None) -> FastAPI:
    """The mounted application: ``POST /in/{source}``, the pages, the JSON API.

    :param auth_manager: Airflow's; who may do what is asked of it.
    :raises StoreError: the store is away, or not at the schema this version needs.
    """
    store = store or open_store(SERVING)
    app = FastAPI(
        title="Outreach",
        description="Leads, events and deliveries. Changes take edit rights on connections, the header "
        "X-Outreach-Action and a same-origin request; they count first and act with `go: true`.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(known_parameters)],
    )
    app.state.auth_manager = auth_manager
    app.state.store = store
    app.router.routes.append(
        receiver.receiver_route(_source, Ingest(store), store, max_body_bytes=max_body_bytes())
    )
    app.include_router(api.router)
    app.include_router(actions_leads.router)
    app.include_router(actions_events.router)
    app.include_router(actions_connections.router)
    app.include_router(pages.router)
    app.include_router(person.router)
    app.include_router(workflows.router)
    app.include_router(try_route.router)
    app.include_router(try_rows.router)
    app.include_router(try_yaml.router)
    app.include_router(campaigns.router)
    app.include_router(help_pages.router)
    app.include_router(setup.router)
    app.include_router(resends.router)
    app.include_router(outreach_apis.router)
    app.mount("/static", StaticFiles(directory=setup.STATIC), name="static")

    @app.get("/api/openapi.json", include_in_schema=False)
    def openapi(request: Request, _who: Reader) -> dict[str, Any]:
        """What the JSON API takes and gives."""
        return app.openapi() | {"servers": [{"url": str(request.scope.get("root_path", ""))}]}

    app.add_exception_handler(StarletteHTTPException, http_error)
    app.add_exception_handler(RequestValidationError, bad_request)
    app.add_exception_handler(OutreachError, outreach_error)
    app.add_middleware(Guard, own_origins=_own_origins())
    return app


def create_receiver() -> FastAPI:
    """The receiver alone, with sources and store from Airflow: for ``airflow outreach receive``."""
    app = receiver.create_app(_source, open_store(SERVING), max_body_bytes=max_body_bytes())
    collect_rarely()
    logging.raiseExceptions = (
        False  # whoever reads the log may go, as ``| head`` does: no traceback for each line
    )
    return app


def _source(name: str) -> SourceSettings | None:
    return find_source(name)


def _own_origins() -> frozenset[str]:
    parts = urlsplit(conf.get("api", "base_url", fallback="") or "")
    return frozenset({f"{parts.scheme}://{parts.netloc}".lower()} if parts.netloc else set())
