"""Fields of connections, read and checked; every message names the connection and the field."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_outreach_provider.core.addresses import check_plain_http
from airflow_outreach_provider.core.arguments import wrong
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.flags import flag_of
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.masking import shown_value

OUTREACH_DEFAULT = "outreach_default"
"""The connection of the outreach API where none is named."""

_SECRET_NAME = re.compile(r"passw|passphrase|secret|token|api_?key|private_?key|authorization", re.IGNORECASE)
# Headers whose values say nothing that opens a door, and are in every second line of a log.
_OPEN_HEADERS = frozenset(
    {
        "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "content-language",
        "content-type", "origin", "prefer", "referer", "user-agent",
    }
)  # fmt: skip
# A part of a path that is more than a name: as chat systems and automations write their secret URLs.
_TOKEN = re.compile(r"(?=.*\d)[\w~.-]{16,}", re.ASCII)

# What Airflow says of a type it knows no hook of; the second where another provider announces the type alone.
_NO_HOOK = re.compile(r"Unknown hook type|'NoneType' object has no attribute 'rsplit'")


def read_base_url(connection: Any) -> str:
    """:raises ConfigurationError: the host is missing, no http URL, or plain http without ``allow_http``."""
    host = (connection.host or "").strip().rstrip("/")
    where = f"connection {connection.conn_id!r}"
    if not host:
        raise ConfigurationError(
            f"{where} has no host", "set its host to the base URL, e.g. https://app.tetherai.ca"
        )
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"{where}: its host is not a URL", "write e.g. https://app.tetherai.ca"
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{where}: its host is not an http URL", "write e.g. https://app.tetherai.ca"
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            f"{where}: its host holds a user or password", "put the API key into the password field"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"{where}: its host goes on after the path", "write the base URL alone, without ? and #"
        )
    if connection.port and port is None:
        url = f"{parts.scheme}://{parts.netloc}:{connection.port}{parts.path}"
    allowed = read_flag(read_extra(connection), "allow_http", where, default=False)
    check_plain_http(url, where=where, allow_http=allowed)
    # People paste the whole endpoint from the platform's documentation.
    return url.removesuffix("/api/webhook/outreach").rstrip("/")


def check_id(conn_id: object) -> None:
    """:raises ConfigurationError: no connection can be called so."""
    if not (isinstance(conn_id, str) and conn_id.strip() and storable(conn_id) == conn_id):
        raise wrong("the id of a connection", conn_id, "write a text, e.g. outreach_default")


def existing(find: Callable[[str], Any], conn_id: str, remedy: str) -> Any:
    """What Airflow finds under the id of a connection.

    :param find: Airflow's own look-up. :param remedy: how to make one that is not there.
    :raises ConfigurationError: there is none, or that is no id.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    check_id(conn_id)
    try:
        return find(conn_id)
    except AirflowNotFoundException as error:
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        if os.environ.get(variable):  # Airflow logs what it cannot read, and looks on
            raise ConfigurationError(
                f"connection {conn_id!r} cannot be read from {variable}",
                'write a whole JSON object, e.g. {"conn_type": "…", "host": "…"}, or a URI',
            ) from error
        raise ConfigurationError(f"there is no connection {conn_id!r}", remedy) from error


def database_hook(conn_id: str) -> Any:
    """Airflow's hook of a database.

    :raises ConfigurationError: there is no such connection, no provider of its type, or it is of something else.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException

    add = "add it with the type and the address of the database"
    try:
        hook = existing(BaseHook.get_hook, conn_id, add)
    except (AirflowException, AttributeError, ImportError) as error:
        if not isinstance(error, ImportError) and not _NO_HOOK.search(str(error)):
            raise
        kind = existing(BaseHook.get_connection, conn_id, add).conn_type
        again = ", and give the connection its type again" if kind == "generic" else ""
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {kind!r}, of which no provider can be loaded here",
            f"install the database's where the workers run, as apache-airflow-providers-postgres is for postgres{again}",
        ) from error
    if not hasattr(hook, "get_records"):
        kind = existing(BaseHook.get_connection, conn_id, add).conn_type
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {kind!r}, which is no database",
            "name the connection of a database",
        )
    return hook


def read_extra(connection: Any) -> Mapping[str, Any]:
    """:raises ConfigurationError: the connection's extra is text that is no JSON object."""
    try:
        extra = json.loads(connection.extra) if connection.extra else {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: its extra is not a JSON object",
            'write {"name": "value"}, or leave it empty',
        )
    hide_secrets(connection, extra)
    return connection.extra_dejson


def hide_secrets(connection: Any, extra: Mapping[str, Any]) -> None:
    """Tell Airflow's masks every secret of a connection: what it shows in logs and on pages goes through them.

    Airflow knows the password as a whole, and of the extra what it has a sensitive name for: not each of several
    secrets, not the values of headers, and no password inside a URL.
    """
    for secret in dict.fromkeys(_secrets(connection, extra)):
        hide_secret(secret)


def hide_secret(secret: str) -> None:
    """Tell Airflow's masks a secret that no connection holds, such as an access token."""
    for mask in _masks():
        mask(secret)


def hide_headers(headers: Mapping[str, str]) -> None:
    """The same of headers that stand elsewhere than in ``headers``."""
    for secret in _header_secrets(headers):
        hide_secret(secret)


def _secrets(connection: Any, extra: Mapping[str, Any]) -> Iterator[str]:
    password = connection.password or ""
    yield from (password, password.strip(), *password.split())
    yield from _named_secrets(extra)
    for name in ("custom", "oauth2"):
        with contextlib.suppress(TypeError, ValueError):  # as the form of a connection hands it over
            yield from _named_secrets(json.loads(extra.get(name) or "{}"))
    with contextlib.suppress(ConfigurationError):
        yield from _header_secrets(read_headers(extra, ""))
    for url in (connection.host or "", *_texts(extra)):
        with contextlib.suppress(ValueError):
            parts = urlsplit(url.strip()) if "://" in url else None
            if parts is not None and parts.password:
                yield from (parts.password, unquote(parts.password))
            if parts is not None:
                yield from (value for _, value in parse_qsl(parts.query))
                yield from (part for part in parts.path.split("/") if _TOKEN.fullmatch(part))


def _header_secrets(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if name.lower() not in _OPEN_HEADERS:
            yield value
            yield value.rpartition(" ")[2]  # without "Bearer"


def _named_secrets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if isinstance(each, str) and _SECRET_NAME.search(str(name)):
                yield from (each, *each.split())
            else:
                yield from _named_secrets(each)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)


def _masks() -> Iterator[Callable[[str], None]]:
    """Of tasks and their supervisors, and of the API server and the commands."""
    from airflow.sdk.log import mask_secret

    yield mask_secret
    with contextlib.suppress(ImportError):
        from airflow._shared.secrets_masker import mask_secret as mask_of_core

        yield mask_of_core


def read_headers(extra: Mapping[str, Any], where: str) -> dict[str, str]:
    """:raises ConfigurationError: they are no object."""
    return read_texts(extra, "headers", where, '{"X-Name": "value"}')


def read_texts(extra: Mapping[str, Any], name: str, where: str, example: str) -> dict[str, str]:
    """An object of texts. :raises ConfigurationError: it is no object."""
    found = extra.get(name) or {}
    if isinstance(found, str):  # as the form of a connection hands it over
        with contextlib.suppress(ValueError):
            found = json.loads(found)
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"{where}: extra {name!r} is not an object", f"write {example}")
    return {str(key): str(value) for key, value in found.items()}


def read_text(extra: Mapping[str, Any], name: str) -> str | None:
    """Without white space around it; None where it is missing or empty."""
    value = extra.get(name)
    return str(value).strip() or None if value is not None else None


def read_flag(extra: Mapping[str, Any], name: str, where: str = "", *, default: bool) -> bool:
    """:raises ConfigurationError: it is neither true nor false in any writing."""
    value = extra.get(name)
    if value is None or value == "":
        return default
    if (flag := flag_of(value)) is None:
        said = f"{where}: " if where else ""
        raise ConfigurationError(f"{said}extra {name!r} is {shown_value(value)}", "write true or false")
    return flag


def read_number(extra: Mapping[str, Any], name: str, default: Any, where: str) -> Any:
    """:raises ConfigurationError: it is no number greater than 0."""
    value = extra.get(name)
    if value is None or value == "":
        return default
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not number > 0 or number == float("inf"):
        raise ConfigurationError(
            f"{where}: extra {name!r} is {shown_value(value)}", "write a number greater than 0"
        )
    return number


def read_count(extra: Mapping[str, Any], name: str, default: int, where: str, *, most: int) -> int:
    """:raises ConfigurationError: it is no whole number from 1 to ``most``."""
    number = float(read_number(extra, name, default, where))
    if not number.is_integer() or number > most:
        shown = shown_value(extra.get(name))
        raise ConfigurationError(
            f"{where}: extra {name!r} is {shown}", f"write a whole number from 1 to {most:,}"
        )
    return int(number)
