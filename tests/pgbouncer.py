"""A pgbouncer of the tests' own, in transaction mode, in front of the PostgreSQL that tests use."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from programs import needed
from servers import free_port

_CONFIG = """
[databases]
* = host={host} port={port} user={user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = {clients}
query_wait_timeout = 3
{more}
"""
# Newer ones follow prepared statements through a pool; the older ones that many have do not.
_AS_OLD_ONES = "max_prepared_statements = 0"


@contextmanager
def pgbouncer(direct: str, *, size: int = 4, clients: int = 200) -> Iterator[str]:
    """The URL of the same database through pgbouncer.

    :param direct: the database's own URL. :param size: connections to it. :param clients: connections to pgbouncer.
    """
    program, url, listen = needed("pgbouncer", "pgbouncer"), sa.make_url(direct), free_port()
    folder = Path(tempfile.mkdtemp(prefix="outreach-pgbouncer-"))
    folder.chmod(0o755)
    config = folder / "pgbouncer.ini"
    password = f" password={url.password}" if url.password else ""
    config.write_text(
        _CONFIG.format(
            host=url.host, port=url.port or 5432, user=url.username, password=password, listen=listen, size=size,
            clients=clients, more=_AS_OLD_ONES if _follows_statements(program) else "",
        )
    )  # fmt: skip
    config.chmod(0o644)
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *as_nobody, str(config)], stdout=log, stderr=log)
    try:
        _wait_for(listen, process, folder / "log")
        pooled = url.set(host="127.0.0.1", port=listen, password=None)
        yield pooled.render_as_string(hide_password=False)
    finally:
        process.kill()  # newer ones wait for their clients when they are asked
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _follows_statements(program: str) -> bool:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", said)[:2]
    return (int(major), int(minor)) >= (1, 21)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"pgbouncer did not start: {log.read_text()}")
