"""Run a simulator until somebody ends it: SIGTERM, Ctrl-C, or the end of standard input where asked."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.simulator.server import Simulator


def run(
    simulator: Simulator,
    host: str,
    port: int,
    ready: Callable[[str], None],
    *,
    until_stdin_closes: bool = False,
) -> None:
    """Serve on ``host``:``port`` and call ``ready`` with the base URL as soon as connections are taken."""
    # A million people are no garbage: look for some far less often.
    gc.set_threshold(100_000, 50, 1000)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(simulator, host, port, ready, until_stdin_closes))


async def _serve(
    simulator: Simulator, host: str, port: int, ready: Callable[[str], None], until_stdin_closes: bool
) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    try:
        server = await simulator.serve(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"The simulator cannot listen on {host}:{port}: {error.strerror}", "choose another port, or 0"
        ) from error
    if until_stdin_closes:
        stdin = sys.stdin.fileno()

        def read() -> None:
            if not os.read(stdin, 4096):
                loop.remove_reader(stdin)
                over.set()

        loop.add_reader(stdin, read)
    shown = f"[{host}]" if ":" in host else host
    ready(f"http://{shown}:{server.sockets[0].getsockname()[1]}")
    await over.wait()
    server.close()
    simulator.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (Airflow brings it, except on Windows)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
