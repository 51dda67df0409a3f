"""The plugin: mounts ``/outreach`` in the API server, and costs nobody else anything.

Plugins are loaded in every Airflow process. FastAPI and our own application are imported with the first
request, which only the API server gets.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_TRY_AGAIN_SECONDS = 5.0
_AWAY = b'{"error": "the outreach store is not ready; the API server\'s log says why"}'


class LazyApp:
    """An ASGI application that is built by its first request, and until that works answers 503.

    :param build: the application; raises while it cannot be.
    :param meanwhile: what answers people who look at pages then.
    """

    def __init__(self, build: Callable[[], App], meanwhile: Callable[[], App] | None = None) -> None:
        self._build = build
        self._build_meanwhile = meanwhile
        self._app: App | None = None
        self._meanwhile: App | None = None
        self._lock = asyncio.Lock()
        self._not_before = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app or await self._get()
        if app is not None:
            await app(scope, receive, send)
        elif self._meanwhile is not None and _looks(scope):
            await self._meanwhile(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"application/json"), (b"retry-after", b"5")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": _AWAY})

    async def _get(self) -> App | None:
        async with self._lock:
            if self._app is None and time.monotonic() >= self._not_before:
                try:
                    self._app = await asyncio.to_thread(self._build)
                except Exception:
                    log.exception("The outreach application cannot be started; trying again in a while")
                    self._not_before = time.monotonic() + _TRY_AGAIN_SECONDS
                    if self._meanwhile is None and self._build_meanwhile is not None:
                        self._meanwhile = await asyncio.to_thread(self._build_meanwhile)
            return self._app


def _looks(scope: Scope) -> bool:
    """Whether it is a person with a browser, and no platform with an event."""
    return scope["type"] == "http" and scope["method"] == "GET" and "/outreach/in/" not in scope["path"]


def _build() -> App:
    from airflow.api_fastapi.app import get_auth_manager

    from airflow_outreach_provider.web.app import create_app

    return create_app(auth_manager=get_auth_manager())


def _build_setup() -> App:
    from airflow.api_fastapi.app import get_auth_manager

    from airflow_outreach_provider.web.setup import create_setup_app

    return create_setup_app(get_auth_manager())


def connection_test(app: App) -> App:
    """What makes Airflow's *Test* button work for connections of ours, around the whole API server."""
    from airflow_outreach_provider.web.connection_test import ConnectionTest

    return ConnectionTest(app)


def _root() -> str:
    """The path of ``[api] base_url``, which every link of ours has to begin with."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


_ICON = f"{_root()}/outreach/static/icon.svg"


class OutreachPlugin(AirflowPlugin):
    """The web side of the provider: the application, its entry in the navigation, a tab on task instances."""

    name = "outreach"
    external_views = [  # noqa: RUF012
        {
            "name": "Outreach",
            "href": f"{_root()}/outreach/",
            "destination": "nav",
            "url_route": "outreach",
            "nav_top_level": True,
            "icon": _ICON,
        },
        {
            "name": "Outreach",
            "href": f"{_root()}/outreach/task?dag_id={{DAG_ID}}&run_id={{RUN_ID}}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": "outreach-task",
            "icon": _ICON,
        },
    ]

    @classmethod
    def on_load(cls, *_args: Any, **_kwargs: Any) -> None:
        """What forks tasks, or readers of DAG files, imports once what each of them would import for itself."""
        executor = conf.get("core", "executor", fallback="") or ""
        command = sys.argv[1:2]
        if command == ["dag-processor"] or (command == ["scheduler"] and "LocalExecutor" in executor):
            try:
                importlib.import_module("airflow_outreach_provider.preload")
            except Exception:
                log.exception(
                    "What outreach's tasks import cannot be imported; each of them will try by itself"
                )

    @property
    def timetables(self) -> list[Any]:
        """Imported by whoever reads DAGs; other processes need no timetable."""
        from airflow_outreach_provider.workflows.timetables import ContinuousTimetable

        return [ContinuousTimetable]

    fastapi_apps = [{"app": LazyApp(_build, _build_setup), "url_prefix": "/outreach", "name": "Outreach"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": connection_test, "name": "Outreach connection test"}]  # noqa: RUF012
