"""Servers that tests write themselves: raw bytes in the test's own loop, or scripted answers from a thread."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]
Behaviour = Callable[[Writer], Awaitable[None]]


class Request(NamedTuple):
    """A request as it came. :ivar headers: names in small letters."""

    line: str
    headers: dict[str, str]
    body: bytes
    head: bytes


# -- raw bytes ----------------------------------------------------------------------------------------------


async def read_request(reader: Reader) -> Request:
    """The request that comes in."""
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").rstrip().split("\r\n")
    parted = [field.partition(":") for field in fields]
    headers = {name.lower(): value.strip() for name, _, value in parted}
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", 0))), head)


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on a free loopback port; the handler reads and writes whatever bytes it likes."""

    async def tolerant(reader: Reader, writer: Writer) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, ValueError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # the client is gone, speaks TLS, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(tolerant, "127.0.0.1", 0, ssl=tls, limit=2**20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class RawServer:
    """A server that behaves in one way with each request of each connection, and remembers them."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> RawServer:
        self._serving = serving(self._handle)
        self.port = await self._serving.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._serving.__aexit__(*raised)

    async def _handle(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        while True:
            self.requests.append(await read_request(reader))
            await self.behave(writer)


def once(behave: Behaviour) -> Handler:
    """Read one request, behave so, close."""

    async def handler(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        await behave(writer)

    return handler


def response(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """An answer as it goes over the wire. :param length: what it says of itself, where that is not true."""
    sent = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {sent}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def answering(*pieces: bytes, pause: float = 0.0, close: bool = False) -> Behaviour:
    """Write these bytes, piece by piece."""

    async def behave(writer: Writer) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if close:
            writer.close()

    return behave


def forever(head: bytes, piece: bytes, pause: float = 0.0) -> Behaviour:
    """Write a head, then the same piece without end."""

    async def behave(writer: Writer) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave


def reset(writer: Writer) -> None:
    """Die with a TCP reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


# -- scripted answers ---------------------------------------------------------------------------------------

Script = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes, Mapping[str, str]]]


@contextmanager
def scripted(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The base URL of an HTTP server in threads of its own.

    :param script: from method, path with query, headers and body to status, body and headers.
    """

    class Scripted(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: the second would wait for the first one's receipt, 40 ms.
        wbufsize = -1

        def do_GET(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body, headers = script(self.command, self.path, self.headers, asked)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # The usual five: who comes sixth at once is heard a second later, when the kernel asks again.
        request_queue_size = 512

    server = Server(("127.0.0.1", 0), Scripted)
    if tls is not None:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def as_endpoint(url: str) -> str:
    """The connection of an endpoint on this machine, as a variable of the environment has it."""
    extra = {"allow_networks": ["127.0.0.0/8"]}
    return json.dumps({"conn_type": "outreach_endpoint", "host": f"{url}/", "extra": extra})


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


# -- certificates -------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext, ssl.SSLContext]:
    """A fresh self-signed certificate of a host: its file with the key, and TLS for a server and its client."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    try:
        of: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        of = x509.DNSName(name)
    made = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), x509.random_serial_number(),
            now - dt.timedelta(days=1), now + dt.timedelta(days=1),
        )
        .add_extension(x509.SubjectAlternativeName([of]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + public)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return path, server, ssl.create_default_context(cadata=public.decode())
