"""Verified and durably committed events per second of one receiver process, against a no-op endpoint.

Both run in turn in the same kind of process (uvicorn, one worker), under the same load in the same run:
``rounds`` times baseline, then ours. The load is signed Varda events of about 600 bytes, each of them new,
over kept connections. The ratio compares the medians of the rounds.

    python bench/receive.py [--store postgresql://…] [--connections 64] [--seconds 4] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from shared.figures import Bench, percentile
from shared.places import new_store

from airflow_outreach_provider.demo.airflow import free_port, wait_until

SECRET = "a-signing-secret-of-ours"
SECONDS = 90

bench = Bench(__doc__)
bench.parser.add_argument("--store", help="default: a new SQLite file")
bench.size("connections", 64, 8, "kept connections")
bench.size("seconds", 4.0, 0.4, "load in a round, of each")
bench.size("rounds", 3, 1, "rounds of baseline and ours")


def noop() -> object:
    """The baseline: FastAPI as anybody writes it."""
    app = FastAPI()

    @app.post("/outreach/in/{source}", status_code=202)
    async def take(source: str, request: Request) -> dict[str, str]:
        await request.body()
        return {"status": "accepted"}

    return app


def ours() -> object:
    """The receiver as ``airflow outreach receive`` runs it, with its source given."""
    from airflow_outreach_provider.core.sources import SourceSettings
    from airflow_outreach_provider.receiver import create_app
    from airflow_outreach_provider.receiver.memory import collect_rarely
    from airflow_outreach_provider.store.engine import Store

    app = create_app({"varda": SourceSettings("varda", "varda", (SECRET,))}, Store(os.environ["BENCH_STORE"]))
    collect_rarely()
    return app


@contextmanager
def serving(name: str, store_url: str) -> Iterator[tuple[int, int]]:
    """One uvicorn process with one worker: (its port, its process id)."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"receive:{name}", "--factory", "--port", str(port)]
    command += ["--app-dir", str(Path(__file__).parent), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(command, env={**os.environ, "BENCH_STORE": store_url})

    def listens() -> bool:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True

    try:
        wait_until(listens, 180, f"{name} listens")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used so far (Linux), which a busy machine does not distort."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_bytes(number: int) -> bytes:
    """A whole signed HTTP request."""
    body = json.dumps(
        {
            "event": "message.created",
            "timestamp": "2026-03-25T18:31:00Z",
            "data": {
                "id": number,
                "conversation_id": uuid.uuid4().int
                >> 96,  # one body is one event, under whatever delivery id
                "direction": "inbound",
                "sender_type": "contact",
                "content": "Hi, I'd like to schedule a service appointment.",
                "channel_type": "webchat",
                "contact": {
                    "id": 456,
                    "name": "Jane Doe",
                    "email": "jane@example.com",
                    "phone": "+18005551234",
                },
                "attribution": {"source": "google_ads", "medium": "cpc", "campaign": "spring-sale"},
                "created_at": "2026-03-25T18:31:00Z",
            },
        }
    ).encode()
    at = str(int(time.time()))
    signature = hmac.digest(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hex()
    head = (
        "POST /outreach/in/varda HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\n"
        f"User-Agent: Varda-Webhooks/1\r\nX-Varda-Event: message.created\r\n"
        f"X-Varda-Delivery: {uuid.uuid4()}\r\nX-Varda-Signature: t={at},v1={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _load(port: int, connections: int, seconds: float) -> tuple[int, float, list[float], set[bytes]]:
    prepared = iter([request_bytes(number) for number in range(int(seconds * 9000) + connections)])
    latencies: list[float] = []
    statuses: set[bytes] = set()
    start = time.perf_counter()
    end = start + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        # At least one each: on a busy machine the time may be over before the first answer.
        while (sent := time.perf_counter()) < end or not latencies:
            request = next(prepared, None)
            if request is None:
                break
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - sent)
            statuses.add(head[9:12])
        writer.close()

    await asyncio.gather(*[client() for _ in range(connections)])
    return len(latencies), time.perf_counter() - start, latencies, statuses


def _report_load(port: int, connections: int, seconds: float, answer: object) -> None:
    count, took, latencies, statuses = asyncio.run(_load(port, connections, seconds))
    answer.put((count / took, percentile(latencies, 0.99), statuses, count))  # type: ignore[attr-defined]


def load(port: int, connections: int, seconds: float) -> tuple[float, float, set[bytes], int]:
    """(requests a second, p99 in seconds, statuses, requests), from a process of its own."""
    answer: multiprocessing.Queue[tuple[float, float, set[bytes], int]] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_report_load, args=(port, connections, seconds, answer))
    process.start()
    result = answer.get(timeout=seconds * 5 + 60)
    process.join(10)
    return result


def measure(asked: argparse.Namespace) -> None:
    """Baseline, ours, baseline, ours …; medians."""
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as folder:
        url = asked.store or f"sqlite:///{folder}/outreach.db"
        store = new_store(url)
        rates: dict[str, list[float]] = {"noop": [], "ours": []}
        waits: dict[str, list[float]] = {"noop": [], "ours": []}
        costs: dict[str, list[float]] = {"noop": [], "ours": []}
        for _ in bench.rounds(asked.rounds, SECONDS):
            for name in rates:
                with serving(name, url) as (port, pid):
                    load(port, asked.connections, asked.seconds / 8)
                    before = cpu_seconds(pid)
                    rate, p99, statuses, count = load(port, asked.connections, asked.seconds)
                    cpu = (cpu_seconds(pid) - before) / count
                assert statuses == {b"202"}, statuses
                rates[name].append(rate)
                waits[name].append(p99)
                costs[name].append(cpu)
        for what, found, factor, unit in (
            ("webhooks received, durable", rates, 1, "/s"),
            ("p99 of an answer", waits, 1e3, "ms"),
            ("CPU of the server for each", costs, 1e6, "µs"),
        ):
            ours_, noop_ = (factor * statistics.median(found[name]) for name in ("ours", "noop"))
            bench.compare(f"{what}, {store.dialect}", ours_, noop_, "a no-op endpoint", unit=unit)


if __name__ == "__main__":
    sys.exit(bench.run(measure))
