"""``outreach_source`` connections: the platforms' ways in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.exceptions import AirflowNotFoundException
from airflow.sdk import BaseHook

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError, StoreError
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.hooks.connection_fields import check_id, read_extra
from airflow_outreach_provider.hooks.listing import ENV_PREFIX, connection_names
from airflow_outreach_provider.hooks.settings import stop_words
from airflow_outreach_provider.hooks.tested import TESTED, as_known, read_a_page, with_unread

if TYPE_CHECKING:
    from airflow_outreach_provider.services.events.poll import ContactList

CONN_TYPE = "outreach_source"


class OutreachSourceHook(BaseHook):
    """A platform that sends contact events.

    :param source_conn_id: a connection of type ``outreach_source``; its id ends the webhook's URL.
    """

    conn_name_attr = "source_conn_id"
    default_conn_name = "outreach_source_default"
    conn_type = CONN_TYPE
    hook_name = "Outreach source (webhooks in)"

    def __init__(self, source_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.source_conn_id = source_conn_id

    def settings(self) -> SourceSettings:
        """The connection, read and checked.

        :raises ConfigurationError: there is none, or one of its fields cannot be used.
        """
        return get_source(self.source_conn_id)

    def contact_list(self) -> ContactList:
        """A client for the platform's contact list; enter it with ``async with``."""
        from airflow_outreach_provider.services.events.poll import contact_list

        return contact_list(self.settings())

    def test_connection(self) -> tuple[bool, str]:
        """Check the fields, read one page of the contact list where that is set up, and say what to paste where.

        Sends nothing to anybody.
        """
        return as_known(self._test(), self.source_conn_id)

    def _test(self) -> tuple[bool, str]:
        from airflow_outreach_provider.services.events.poll import contact_list

        try:
            source = self.settings()
            if not source.secrets and not source.allow_unsigned:
                return False, (
                    f"{source.name} has no secret, so every event is refused: put one of at least 16 characters "
                    "into the password."
                )
            said = (
                f"Paste {source_url(source.name)} into {source.facts.how_to_connect}. Proof: {source.proof}."
            )
            if source.api_secret is not None:
                said += read_a_page(contact_list(source))
            return with_unread((True, said), self.get_connection(self.source_conn_id), ("api_base",))
        except OutreachError as error:
            return False, str(error)


@dataclass(frozen=True, slots=True)
class ListedSource:
    """A source as the list shows it.

    :param problem: why it cannot be used, when it cannot.
    """

    name: str
    settings: SourceSettings | None
    problem: str | None = None


def source_url(name: str) -> str:
    """The URL to paste into the platform: ``{[api] base_url}/outreach/in/{name}``; without the token."""
    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return f"{base.rstrip('/')}/outreach/in/{name}"


def read_source(connection: Any) -> SourceSettings:
    """The source that an Airflow connection describes.

    :raises ConfigurationError: it is of another type, or a field cannot be used.
    """
    if connection.conn_type != CONN_TYPE:
        raise ConfigurationError(
            f"connection {connection.conn_id!r} is of type {connection.conn_type!r}",
            f"a source needs one of type {CONN_TYPE}",
        )
    extra = read_extra(connection)
    return source_settings(
        connection.conn_id,
        password=connection.password,
        extra=extra,
        host=_base_url(connection),
        login=connection.login,
        stop_words=stop_words(),
        url=source_url(connection.conn_id),
    )


def get_source(name: str) -> SourceSettings:
    """A source by connection id; in tasks, in the CLI and in the API server.

    :raises ConfigurationError: there is no such connection, or it cannot be used.
    """
    _check_name(name)
    try:
        return read_source(BaseHook.get_connection(name))
    except AirflowNotFoundException as error:
        raise _missing(name) from error


async def aget_source(name: str) -> SourceSettings:
    """The same for code on an event loop: a trigger.

    :raises ConfigurationError: there is no such connection, or it cannot be used.
    """
    _check_name(name)
    try:
        return read_source(await BaseHook.aget_connection(name))
    except AirflowNotFoundException as error:
        raise _missing(name) from error


def find_source(name: str) -> SourceSettings | None:
    """For the receiver, in the API server or alone: the source, or None where there is no such connection.

    A connection of another type is no source either, and neither is another writing of an id: under each
    name a source has a switch and a memory for repeated events of its own. Blocks; asks every secrets backend.

    :raises ConfigurationError: it is a source, and one of its fields cannot be used.
    :raises StoreError: whether there is one cannot be known now.
    """
    from airflow.configuration import ensure_secrets_loaded
    from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    away: Exception | None = None
    for backend in ensure_secrets_loaded():
        if isinstance(backend, EnvironmentVariablesBackend) and not _is_environment_id(name):
            continue
        try:
            connection = backend.get_connection(conn_id=name)
        except AirflowSecretsBackendAccessDenied as error:
            raise StoreError(
                "a secrets backend denies this connection"
            ) from error  # then nobody else is asked
        except Exception as error:  # noqa: BLE001 - one backend that is away must not hide the others
            away = error
            continue
        if connection is not None:
            ours = connection.conn_type == CONN_TYPE and connection.conn_id == name
            return read_source(connection) if ours else None
    if away is not None:
        # Airflow's own look-up would say "not found", and a platform takes a 404 for final.
        raise StoreError(f"connections cannot be read ({type(away).__name__})") from away
    return None


def is_source(name: str) -> bool:
    """Whether there is a source of this name, usable or not, in whatever backend: some cannot be listed.

    :raises StoreError: that cannot be known now.
    """
    try:
        return find_source(name) is not None
    except ConfigurationError:
        return True
    except Exception:
        if name not in connection_names(CONN_TYPE):
            raise
        return True  # one that cannot be read is one all the same


def list_sources() -> Iterator[ListedSource]:
    """Every source in the metadata database and the environment; those of secrets backends cannot be listed.

    One that cannot be read is listed with its problem.
    """
    for name in connection_names(CONN_TYPE):
        try:
            settings = find_source(name)
        except ConfigurationError as error:
            yield ListedSource(name, None, str(error))
        except Exception as error:  # noqa: BLE001 - one bad connection must not hide the others
            yield ListedSource(name, None, _unreadable(name, error.__cause__ or error))
        else:
            if settings is not None:
                yield ListedSource(name, settings)


def _unreadable(name: str, error: BaseException) -> str:
    # Only the error's type: messages about connections may quote them.
    return (
        f"connection {name!r} cannot be read ({type(error).__name__}) — save it again; a changed Fernet key or an "
        "extra that is no JSON object are usual causes"
    )


def _is_environment_id(name: str) -> bool:
    """Whether a connection in the environment is called so: Airflow finds it by every writing of its id."""
    return name.upper().lower() == name


def _check_name(name: str) -> None:
    """:raises ConfigurationError: it is no id, or another writing of that of a connection in the environment."""
    check_id(name)
    tested = TESTED.get() is not None  # Airflow's own made-up id, with large letters in it
    if not tested and not _is_environment_id(name) and ENV_PREFIX + name.upper() in os.environ:
        raise ConfigurationError(
            f"connection {name!r} comes from the environment, where ids are written small",
            f"write {name.upper().lower()!r}",
        )


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"there is no connection {name!r}", f"create it with type {CONN_TYPE} and the platform in its extra"
    )


def _base_url(connection: Any) -> str | None:
    host = (connection.host or "").strip()
    if not host:
        return None
    port = f":{connection.port}" if connection.port and "://" not in host else ""
    return host if "://" in host else f"{connection.schema or 'https'}://{host}{port}"
