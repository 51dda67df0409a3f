"""The connection that Airflow's *Test* button is testing, which hooks get to see under a made-up id only.

Airflow puts the connection of the request into an environment variable under a random id, runs the hook's
``test_connection`` on it, and shows what that says: a made-up id in it helps nobody, and less than nobody where it
ends a URL that is to be pasted somewhere.
"""

from __future__ import annotations

from contextvars import ContextVar

TESTED: ContextVar[str | None] = ContextVar("tested_connection", default=None)
"""The id that people know the connection by, while it is tested in the API server."""


def as_known(answer: tuple[bool, str], conn_id: str) -> tuple[bool, str]:
    """What a test said about ``conn_id``, with the id that people know it by."""
    known = TESTED.get()
    ok, said = answer
    return (ok, said.replace(conn_id, known)) if known else answer
