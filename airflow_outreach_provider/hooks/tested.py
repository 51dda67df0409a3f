"""The connection that Airflow's *Test* button is testing, which hooks get to see under a made-up id only.

Airflow puts the connection of the request into an environment variable under a random id, runs the hook's
``test_connection`` on it, and shows what that says: a made-up id in it helps nobody, and less than nobody where it
ends a URL that is to be pasted somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from airflow_outreach_provider.core.masking import shown_value
from airflow_outreach_provider.core.suggest import nearest
from airflow_outreach_provider.get_provider_info import connection_fields
from airflow_outreach_provider.hooks.connection_fields import read_extra
from airflow_outreach_provider.services.runtime.loop import run_async

if TYPE_CHECKING:
    from airflow_outreach_provider.services.events.poll import ContactList

TESTED: ContextVar[str | None] = ContextVar("tested_connection", default=None)
"""The id that people know the connection by, while it is tested in the API server."""


def as_known(answer: tuple[bool, str], conn_id: str) -> tuple[bool, str]:
    """What a test said about ``conn_id``, with the id that people know it by."""
    known = TESTED.get()
    ok, said = answer
    return (ok, said.replace(conn_id, known)) if known else answer


def with_unread(answer: tuple[bool, str], connection: Any, also: Iterable[str] = ()) -> tuple[bool, str]:
    """What a test said, and which names in the extra nothing reads: one like a name that is read fails the test.

    Of what is like none only as much is shown as of a value: people paste secrets where a name belongs, too.

    :param also: what is read besides the fields of the connection's form.
    """
    known = [*connection_fields(connection.conn_type), *also]
    unread = [str(name) for name in read_extra(connection) if name not in known]
    if not known or not unread:
        return answer
    meant = {name: near for name in unread if (near := nearest(name, known))}
    names = ", ".join(
        f"{name!r} (did you mean {meant[name]!r}?)" if name in meant else shown_value(name) for name in unread
    )
    return answer[0] and not meant, f"{answer[1]} Nothing reads what its extra holds under {names}."


def read_a_page(contacts: ContactList) -> str:
    """The log-in of a contact list is tried, and what came of it told.

    :raises OutreachError: it is refused, or nobody answers.
    """

    async def read() -> int:
        async with contacts:
            return len((await contacts.page(contacts.first)).rows)

    return f" The contact list answers ({run_async(read())} contacts on the first page)."
