"""What benches measure against: stores, schemas, and a server of aiohttp's own with its bare client."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"

Message = tuple[bytes, Mapping[str, str]]
"""The body of a POST, and its headers."""


def new_store(where: Path | str) -> Store:
    """A migrated store: a SQLite file of this name, or the database of this URL."""
    store = Store(where if isinstance(where, str) else f"sqlite:///{where}.db")
    upgrade(store)
    return store


@contextmanager
def postgres_schema(url: str = POSTGRES) -> Iterator[str | None]:
    """The URL of a schema of our own in that database, dropped afterwards; None where nobody answers there."""
    schema = f"outreach_bench_{uuid.uuid4().hex[:8]}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with admin.connect() as connection:
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    except sa.exc.OperationalError:
        yield None
        return
    try:
        own = sa.make_url(url).update_query_dict({"options": f"-csearch_path={schema}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
        admin.dispose()


async def post_all(url: str, messages: Sequence[Message], at_once: int) -> None:
    """Bare aiohttp: so many at once, each answer read to its end, nothing else."""
    todo = iter(messages)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def work() -> None:
            for body, headers in todo:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    assert answer.status == 200, answer.status

        await asyncio.gather(*(work() for _ in range(at_once)))


def _serve(port: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it has nothing to end in order

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="ok")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def willing_server() -> Iterator[str]:
    """The URL of a server that takes every POST, in a process of its own."""
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=60)}/"
    finally:
        server.terminate()
        server.join(10)
