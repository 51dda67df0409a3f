"""A signal is heard while a batch is at work, whichever thread the system gives it to."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_outreach_provider.services.deliveries.callables import _Calls
from airflow_outreach_provider.services.runtime.loop import awaited, run_in_loop_thread

AT_MOST = 20.0


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Set once the handler of a signal has run, in the main thread as all do."""
    heard = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.set())
    yield heard
    signal.signal(signal.SIGUSR1, before)


def signalled(heard: threading.Event) -> bool:
    """Give the signal to this thread, which is not the main one; whether it is heard."""
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    return heard.wait(AT_MOST)


async def _signalled(heard: threading.Event) -> bool:
    await asyncio.sleep(0.2)  # the main thread has nothing to do by now
    return await asyncio.to_thread(signalled, heard)


def _of_a_loop(heard: threading.Event) -> bool:
    return run_in_loop_thread(_signalled(heard))


def _of_a_thread(heard: threading.Event) -> bool:
    with ThreadPoolExecutor(1) as thread:
        return awaited(thread.submit(lambda: (time.sleep(0.2), signalled(heard))[1]))


def _of_calls(heard: threading.Event) -> bool:
    calls = _Calls(lambda _event: None, threading.Event())
    return run_in_loop_thread(_signalled(heard), calls.serve)


@pytest.mark.slow
@pytest.mark.parametrize("wait", [_of_a_loop, _of_a_thread, _of_calls])
def test_a_signal_that_another_thread_was_given_is_heard(
    wait: Callable[[threading.Event], bool], heard: threading.Event
) -> None:
    began = time.monotonic()
    assert wait(heard), "only when all was done"
    assert time.monotonic() - began < AT_MOST / 2
