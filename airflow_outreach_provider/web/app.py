"""What is mounted at ``/outreach`` in Airflow's API server, put together.

The receiver's one route is public and proves its requests itself; everything else in here stands behind
Airflow's own authentication.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from airflow_outreach_provider.core.errors import OutreachError, StoreError
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.hooks.settings import max_body_bytes, open_store
from airflow_outreach_provider.hooks.sources import find_source
from airflow_outreach_provider.receiver import app as receiver
from airflow_outreach_provider.services.events.ingest import Ingest
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web import (
    actions_connections,
    actions_events,
    actions_leads,
    api,
    help_pages,
    pages,
)
from airflow_outreach_provider.web.access import Reader
from airflow_outreach_provider.web.middleware import Guard, own_path
from airflow_outreach_provider.web.rendering import render

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"


def create_app(*, auth_manager: Any = None, store: Store | None = None) -> FastAPI:
    """The mounted application: ``POST /in/{source}``, the pages, the JSON API.

    :param auth_manager: Airflow's; who may do what is asked of it.
    :raises StoreError: the store is away, or not at the schema this version needs.
    """
    store = store or open_store()
    app = FastAPI(
        title="Outreach",
        description="Leads, events and deliveries. Changes take edit rights on connections, the header "
        "X-Outreach-Action and a same-origin request; they count first and act with `go: true`.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
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
    app.include_router(help_pages.router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/api/openapi.json", include_in_schema=False)
    def openapi(request: Request, _who: Reader) -> dict[str, Any]:
        """What the JSON API takes and gives."""
        return app.openapi() | {"servers": [{"url": str(request.scope.get("root_path", ""))}]}

    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(OutreachError, _outreach_error)
    app.add_middleware(Guard, own_origins=_own_origins())
    return app


def create_receiver() -> FastAPI:
    """The receiver alone, with sources and store from Airflow: for ``airflow outreach receive``."""
    return receiver.create_app(_source, open_store(), max_body_bytes=max_body_bytes())


def _source(name: str) -> SourceSettings | None:
    return find_source(name)


def _own_origins() -> frozenset[str]:
    parts = urlsplit(conf.get("api", "base_url", fallback="") or "")
    return frozenset({f"{parts.scheme}://{parts.netloc}".lower()} if parts.netloc else set())


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _error(request, error.status_code, str(error.detail))


def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()[:5])
    return _error(request, 422, said)


def _outreach_error(request: Request, error: Exception) -> Response:
    if isinstance(error, StoreError):
        log.error("%s", error)
        return _error(request, 503, str(error))
    return _error(request, 400, str(error))


_WHAT_TO_DO = {
    400: "Go back and correct it.",
    401: "Your session has ended. Reload Airflow and log in.",
    403: "Ask an administrator for the right to do this.",
    404: "What you look for is not here.",
    422: "Go back and correct it.",
    503: "Try again in a moment; the API server's log says more.",
}


def _error(request: Request, status: int, detail: str) -> Response:
    """JSON for the API and the script, a page for people."""
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if wants_page and not own_path(request.scope).startswith("/api/"):
        what_to_do = _WHAT_TO_DO.get(status, "")
        return render(
            request,
            "error.html",
            None,
            status=status,
            at="",
            detail=detail,
            code=status,
            what_to_do=what_to_do,
        )
    return JSONResponse({"detail": detail}, status)
