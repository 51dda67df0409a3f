"""A real nginx before the receiver, with the settings that the deployment page prints."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from programs import needed

from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import EventFilter, list_events

pytestmark = pytest.mark.timeout(120)

PAGE = Path(__file__).parents[2] / "airflow_outreach_provider" / "docs" / "deployment.md"
SECRET = "a-signing-secret-of-ours"
# What a test cannot have as it is printed, each exactly so often: ports and files of its own.
PORT, UPSTREAM = "listen 443 ssl;", "http://127.0.0.1:8080"
FILES = ("/etc/ssl/certs/airflow.pem", "/etc/ssl/private/airflow.key")
# What it does not wait for: time-outs a fifth as long.
SECONDS = {
    "client_header_timeout 20s;": "client_header_timeout 4s;",
    "client_body_timeout 10s;": "client_body_timeout 2s;",
}
OWN = {PORT: 1, UPSTREAM: 2, **dict.fromkeys(FILES, 1), "/var/log/nginx/": 2, **dict.fromkeys(SECONDS, 1)}


def settings(folder: Path, port: int, upstream: int) -> str:
    """The block that is printed, with nothing changed but ``OWN``."""
    (block,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for text, times in OWN.items():
        assert block.count(text) == times, text
    block = block.replace(PORT, f"listen 127.0.0.1:{port} ssl;")
    block = block.replace(UPSTREAM, f"http://127.0.0.1:{upstream}")
    for text in FILES:
        block = block.replace(text, str(folder / Path(text).name))
    for text, shorter in SECONDS.items():
        block = block.replace(text, shorter)
    return str(block.replace("/var/log/nginx/", f"{folder}/"))


def whole(folder: Path, block: str) -> str:
    """What stands around such a file on every machine, all of it in a folder of the test."""
    user = "user root;" if os.getuid() == 0 else ""
    places = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ }}\nhttp {{ {places}\n{block}\n}}\n"
    )


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "airflow.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "airflow.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "airflow.key").write_bytes(private)


@dataclass(frozen=True)
class Proxy:
    """A proxy with the receiver behind it. :ivar seen: (client, scheme, headers) of each request that came through."""

    port: int
    folder: Path
    store: Store
    seen: list[tuple[str, str, dict[str, str]]]

    def connect(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=40, source_address=(source, 0))
        context = ssl.create_default_context(cafile=str(self.folder / "airflow.pem"))
        context.check_hostname = False
        return context.wrap_socket(plain, server_hostname="airflow.example.com")

    def send(
        self,
        *pieces: bytes,
        source: str = "127.0.0.1",
        path: str = "/outreach/in/varda",
        wait: float = 0.0,
        **headers: str,
    ) -> tuple[int, float]:
        """One request; its status, and the seconds until the connection ended. :param wait: seconds between pieces."""
        named = {"Host": f"airflow.example.com:{self.port}", "Connection": "close", **headers}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
        started, answer = time.monotonic(), b""
        with self.connect(source) as connection:
            try:
                connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + pieces[0])
                for piece in pieces[1:]:
                    time.sleep(wait)
                    connection.sendall(piece)
            except (ConnectionError, ssl.SSLError):
                pass  # refused while it was sent: the answer is there already
            answer = read_all(connection)
        return status_of(answer), time.monotonic() - started

    def event(self, number: int, **more: Any) -> tuple[int, float]:
        """A signed event of Varda."""
        body = event_body(number)
        return self.send(body, Content_Length=str(len(body)), **signed(body), **more)


def event_body(number: int, size: int = 0) -> bytes:
    return json.dumps({"event": "conversation.created", "n": number, "data": {"x": "y" * size}}).encode()


def signed(body: bytes) -> dict[str, str]:
    (value,) = sign(Scheme.STRIPE, body, [SECRET], message_id="m", now=datetime.now(UTC)).values()
    return {"Content_Type": "application/json", "X_Varda_Signature": value}


def read_all(connection: ssl.SSLSocket) -> bytes:
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    return answer


def status_of(answer: bytes) -> int:
    return int(answer[9:12]) if answer else 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def proxy(sqlite_store: Store, serving: Callable[..., Any], tmp_path: Path) -> Iterator[Proxy]:
    nginx = needed("nginx", "nginx-light")
    receiver = create_app({"varda": SourceSettings("varda", "varda", (SECRET,))}, sqlite_store)
    seen: list[tuple[str, str, dict[str, str]]] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            seen.append((scope["client"][0], scope["scheme"], headers))
        await receiver(scope, receive, send)

    write_certificate(tmp_path)
    with serving(watched) as behind:
        port = free_port()
        file = tmp_path / "nginx.conf"
        file.write_text(whole(tmp_path, settings(tmp_path, port, behind.port)))
        checked = subprocess.run(
            [nginx, "-t", "-c", str(file)], capture_output=True, text=True, timeout=30, check=False
        )
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr, checked.stderr
        process = subprocess.Popen([nginx, "-c", str(file)], stderr=subprocess.DEVNULL)
        try:
            await_port(port, process)
            yield Proxy(port, tmp_path, sqlite_store, seen)
        finally:
            process.terminate()
            process.wait(30)


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nginx does not listen (exit code {process.poll()})")


def test_good_requests_pass_with_the_address_they_came_from(proxy: Proxy) -> None:
    """Events large and small are stored as they were signed; whom they came from is what the proxy saw, not what they say."""
    assert proxy.event(1)[0] == 202
    assert (
        proxy.event(2, source="127.0.0.2", X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="http")[0] == 202
    )
    large = event_body(3, 900_000)
    assert proxy.send(large, Content_Length=str(len(large)), **signed(large))[0] == 202
    assert len(list_events(proxy.store, EventFilter()).rows) == 3
    assert [client for client, _, _ in proxy.seen] == ["127.0.0.1", "127.0.0.2", "127.0.0.1"]
    assert {scheme for _, scheme, _ in proxy.seen} == {"https"}
    assert proxy.seen[1][2]["x-forwarded-for"] == "127.0.0.2"
    assert proxy.seen[1][2]["host"] == f"airflow.example.com:{proxy.port}"


def test_large_headers_and_bodies_are_refused_before_the_receiver(proxy: Proxy) -> None:
    """A line above 16 KiB, 64 KiB of them, a body above a megabyte, announced or not: none of it comes through."""
    assert proxy.send(b"", Content_Length="0", X_A="a" * 17_000)[0] == 400
    assert proxy.send(b"", Content_Length="0", **{f"X_{n}": "a" * 15_000 for n in range(6)})[0] == 400
    assert proxy.send(b"", path="/outreach/in/varda?" + "a" * 17_000)[0] == 414
    assert proxy.send(b"x" * 2_000_000, Content_Length="2000000")[0] == 413
    chunks = [b"%x\r\n%s\r\n" % (400_000, b"x" * 400_000)] * 4
    assert proxy.send(*chunks, b"0\r\n\r\n", Transfer_Encoding="chunked")[0] == 413
    assert proxy.seen == []
    assert proxy.event(1)[0] == 202


@pytest.mark.slow
def test_slow_clients_are_let_go(proxy: Proxy) -> None:
    """Headers that do not end in time, a body that stops for long; who is only leisurely is served meanwhile."""

    def no_end_of_headers() -> tuple[int, float]:
        started = time.monotonic()
        with proxy.connect() as connection:
            connection.sendall(b"POST /outreach/in/varda HTTP/1.1\r\nHost: x\r\nX-A: a")
            return status_of(read_all(connection)), time.monotonic() - started

    body = event_body(1)
    with ThreadPoolExecutor(3) as pool:
        headers = pool.submit(no_end_of_headers)
        stops = pool.submit(proxy.send, b"{", Content_Length="1000")
        leisurely = pool.submit(
            lambda: proxy.send(body[:9], body[9:], wait=1.0, Content_Length=str(len(body)), **signed(body))
        )
        assert leisurely.result()[0] == 202
        status, took = stops.result()
        assert status in (0, 408)
        assert 1.6 < took < 5
        status, took = headers.result()
        assert status in (0, 408)
        assert 3.6 < took < 9
    assert len(proxy.seen) == 1


def test_one_address_does_not_take_all_connections(proxy: Proxy) -> None:
    """The fifty-first at once from an address is refused, another address is served, and this one again afterwards."""
    held = []
    try:
        for _ in range(50):
            connection = proxy.connect()
            connection.sendall(b"POST /outreach/in/varda HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            held.append(connection)
        deadline = time.monotonic() + 8
        while (status := proxy.event(1)[0]) == 202 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert status == 503
        assert proxy.event(2, source="127.0.0.2")[0] == 202
    finally:
        for connection in held:
            connection.close()
    deadline = time.monotonic() + 8
    while (status := proxy.event(3)[0]) == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 202


@pytest.mark.slow
def test_a_flood_is_cut_and_a_burst_is_not(proxy: Proxy) -> None:
    """A burst of 300 requests passes whole; far above 500 at once are refused, and another address is served."""
    with ThreadPoolExecutor(8) as pool:
        burst = list(
            pool.map(lambda _: proxy.send(b"{}", Content_Length="2", source="127.0.0.3")[0], range(300))
        )
        assert set(burst) == {401}
    many = b"POST /outreach/in/varda HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" * 100

    def flood(_: int) -> bytes:
        with proxy.connect("127.0.0.4") as connection:
            connection.settimeout(1.5)
            connection.sendall(many)
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except OSError:
                pass
            return answer

    with ThreadPoolExecutor(20) as pool:
        answers = b"".join(pool.map(flood, range(20)))
    assert answers.count(b"HTTP/1.1 503") > 100
    assert proxy.event(1)[0] == 202


def test_no_log_holds_a_query(proxy: Proxy) -> None:
    """Tokens that stand in URLs are in no log of the proxy, whatever became of the request."""
    token = "a-token-nobody-can-guess"
    for body in (b"{}", b"x" * 2_000_000):
        proxy.send(body, path=f"/outreach/in/varda?token={token}", Content_Length=str(len(body)))
    log = (proxy.folder / "outreach.log").read_text()
    assert "POST /outreach/in/varda" in log
    assert not any(token in file.read_text() for file in proxy.folder.glob("*.log"))
