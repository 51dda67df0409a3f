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

from fastapi import FastAPI, Request

SECRET = "a-signing-secret-of-ours"


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
    from airflow_outreach_provider.store.engine import Store

    return create_app(
        {"varda": SourceSettings("varda", "varda", (SECRET,))}, Store(os.environ["BENCH_STORE"])
    )


@contextmanager
def serving(name: str, store_url: str) -> Iterator[tuple[int, int]]:
    """One uvicorn process with one worker: (its port, its process id)."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", f"receive:{name}", "--factory", "--port", str(port)]
    command += [
        "--app-dir",
        os.path.dirname(os.path.abspath(__file__)),
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    process = subprocess.Popen(command, env={**os.environ, "BENCH_STORE": store_url})
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
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
                "conversation_id": 123,
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
    prepared = iter([request_bytes(number) for number in range(int(seconds * 9000))])
    latencies: list[float] = []
    statuses: set[bytes] = set()
    start = time.perf_counter()
    end = start + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (sent := time.perf_counter()) < end:
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


def _measure(port: int, connections: int, seconds: float, answer: object) -> None:
    count, took, latencies, statuses = asyncio.run(_load(port, connections, seconds))
    latencies.sort()
    result = (
        count / took,
        latencies[len(latencies) // 2],
        latencies[int(len(latencies) * 0.99)],
        statuses,
        count,
    )
    answer.put(result)  # type: ignore[attr-defined]


def measure(port: int, connections: int, seconds: float) -> tuple[float, float, float, set[bytes], int]:
    """(requests a second, p50, p99 in seconds, statuses, requests), from a process of its own."""
    answer: multiprocessing.Queue[tuple[float, float, float, set[bytes], int]] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_measure, args=(port, connections, seconds, answer))
    process.start()
    result = answer.get(timeout=seconds * 5 + 60)
    process.join(10)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", help="default: a new SQLite file")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    from airflow_outreach_provider.store.engine import Store
    from airflow_outreach_provider.store.migrate import upgrade

    with tempfile.TemporaryDirectory() as folder:
        url = args.store or f"sqlite:///{folder}/outreach.db"
        store = Store(url)
        upgrade(store)
        rates: dict[str, list[float]] = {"noop": [], "ours": []}
        costs: dict[str, list[float]] = {"noop": [], "ours": []}
        for round_ in range(1, args.rounds + 1):
            for name in rates:
                with serving(name, url) as (port, pid):
                    measure(port, args.connections, 0.5)
                    before = cpu_seconds(pid)
                    rate, p50, p99, statuses, count = measure(port, args.connections, args.seconds)
                    cpu = (cpu_seconds(pid) - before) / count
                assert statuses == {b"202"}, statuses
                rates[name].append(rate)
                costs[name].append(cpu)
                print(
                    f"round {round_} {name:5} {rate:7.0f}/s  p50 {p50 * 1e3:5.1f} ms  p99 {p99 * 1e3:6.1f} ms  "
                    f"{cpu * 1e6:4.0f} µs of processor each"
                )
        ratio = statistics.median(rates["ours"]) / statistics.median(rates["noop"])
        print(f"{store.dialect}: ours is {ratio:.0%} of the no-op endpoint, median of {args.rounds} rounds")
        cost = statistics.median(costs["noop"]) / statistics.median(costs["ours"])
        print(f"by processor time of the server process alone: {cost:.0%}")


if __name__ == "__main__":
    main()
