"""The receiver as a FastAPI application, alone or mounted in another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Lifespan, Receive, Scope, Send

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.receiver.endpoint import MAX_BODY_BYTES, InboxEndpoint
from airflow_outreach_provider.receiver.lookup import SourceLookup, Sources
from airflow_outreach_provider.receiver.source_state import SourceStates
from airflow_outreach_provider.services.events.ingest import Clock, Ingest, utc_now
from airflow_outreach_provider.store.engine import Store

PREFIX = "/outreach"
_IN = "/in/"


def receiver_route(
    sources: Sources, ingest: Ingest, store: Store, *, max_body_bytes: int = MAX_BODY_BYTES
) -> Route:
    """The one public route, to be put into any Starlette or FastAPI application.

    A slash behind the name, as people paste it, changes nothing.
    """
    endpoint = _inbox(sources, ingest, store, max_body_bytes)
    return Route(f"{_IN}{{source:path}}", endpoint, methods=["POST", "GET"])


def _inbox(sources: Sources, ingest: Ingest, store: Store, max_body_bytes: int) -> InboxEndpoint:
    return InboxEndpoint(SourceLookup(sources), ingest, SourceStates(store), max_body_bytes=max_body_bytes)


class _Receiver(FastAPI):
    """Events go to the endpoint at once; for everything else this is a FastAPI application.

    FastAPI's layers take longer than proving and reading an event, and none of them does anything for one.
    """

    def __init__(self, inbox: InboxEndpoint, lifespan: Lifespan[FastAPI]) -> None:
        super().__init__(
            title="Outreach receiver", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
        )
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(PREFIX)
            if path.startswith(_IN):
                scope["path_params"] = {"source": path.removeprefix(_IN)}
                await self._inbox(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


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

    app = _Receiver(_inbox(sources, ingest, store, max_body_bytes), lifespan)

    @app.get("/health")
    async def health() -> JSONResponse:
        """200 while the store answers."""
        try:
            await asyncio.to_thread(store.now)
        except StoreError:
            return JSONResponse({"status": "the store is away"}, 503)
        return JSONResponse({"status": "ok"})

    return app
