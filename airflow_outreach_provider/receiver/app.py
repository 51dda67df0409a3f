"""The receiver as a FastAPI application, alone or mounted in another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.routing import Route

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.receiver.endpoint import MAX_BODY_BYTES, InboxEndpoint
from airflow_outreach_provider.receiver.lookup import SourceLookup, Sources
from airflow_outreach_provider.receiver.source_state import SourceStates
from airflow_outreach_provider.services.events.ingest import Clock, Ingest, utc_now
from airflow_outreach_provider.store.engine import Store

PREFIX = "/outreach"


def receiver_route(
    sources: Sources, ingest: Ingest, store: Store, *, path: str = "/in/{source:path}",
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Route:  # fmt: skip
    """The one public route, to be put into any Starlette or FastAPI application.

    :param path: with the name as ``{source:path}``: a slash behind it, as people paste it, changes nothing.
    """
    endpoint = InboxEndpoint(
        SourceLookup(sources), ingest, SourceStates(store), max_body_bytes=max_body_bytes
    )
    return Route(path, endpoint, methods=["POST", "GET"])


def create_app(
    sources: Sources,
    store: Store,
    *,
    clock: Clock = utc_now,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> FastAPI:
    """The receiver alone: ``POST /outreach/in/{source}`` (and ``/in/{source}``), ``GET /health``.

    :param sources: a mapping of connection id to settings, or a function that returns them (or None), may
        block, and is asked again after a few seconds.
    :param store: migrated; used from one thread for writing.
    :param clock: timezone-aware; what signatures are judged by and events stamped with.
    """
    ingest = Ingest(store, clock=clock)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(ingest.close)

    app = FastAPI(
        title="Outreach receiver", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    route = receiver_route(sources, ingest, store, max_body_bytes=max_body_bytes)
    app.router.routes.append(route)
    app.router.routes.append(Route(f"{PREFIX}/in/{{source:path}}", route.endpoint, methods=["POST", "GET"]))

    @app.get("/health")
    async def health() -> JSONResponse:
        """200 while the store answers."""
        try:
            await asyncio.to_thread(store.now)
        except StoreError:
            return JSONResponse({"status": "the store is away"}, 503)
        return JSONResponse({"status": "ok"})

    return app
