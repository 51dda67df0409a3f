"""How every command of ours runs: with Airflow's connections and variables, and a mistake told in one line.

Nothing of Airflow is imported before it is needed: ``lint`` starts without.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.hooks.connection_fields import read_extra

log = logging.getLogger(__name__)

_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
_INTERRUPTED = 128 + 2


def with_advice(run: Callable[[], object], *, serves: bool = False) -> None:
    """Run a command.

    What a person can put right ends it with one line and exit code 1; a bug of ours stays a traceback.

    :param serves: it runs until it is ended, and its log is for operators: tracebacks stay in it.
    """
    if sys.stdout is None:  # closed by who started it, as cron jobs do: ``>&-``
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    logs: AbstractContextManager[None] = nullcontext() if serves else logs_apart()
    try:
        with as_server(), logs:
            run()
            sys.stdout.flush()
    except KeyboardInterrupt:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            nobody_reads()
        raise SystemExit(_INTERRUPTED) from None
    except BrokenPipeError:
        nobody_reads()
        raise SystemExit(1) from None
    except Exception as error:
        advice = advice_on(error)
        if advice is None:
            raise
        raise SystemExit(advice) from error


def nobody_reads() -> None:
    """Whoever read what we print has gone, as ``| head`` does. Python would say so once more when it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def as_server() -> Iterator[None]:
    """Connections and variables are looked up as Airflow's own commands do: metadata database included.

    Without it the task SDK asks the environment and secrets backends alone
    (``airflow.sdk.execution_time.supervisor.ensure_secrets_backend_loaded``).
    """
    before = os.environ.get(_CONTEXT)
    os.environ[_CONTEXT] = "server"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_CONTEXT, None)
        else:
            os.environ[_CONTEXT] = before


def advice_on(error: BaseException) -> str | None:
    """What went wrong and what to do, in one line; None where that is a bug of ours.

    Our own errors that list several mistakes keep their lines.
    """
    chain = list(_causes(error))
    missing = next((each for each in chain if _is_missing(each)), None)
    if missing is not None and (trouble := _why_missing(str(missing))):
        return trouble
    if isinstance(error, OutreachError):
        return str(error)
    # By name: nothing has to be imported to tell what it is.
    for cls in type(error).__mro__:
        explain = _EXPLANATIONS.get(f"{cls.__module__.partition('.')[0]}.{cls.__name__}")
        if explain is not None:
            return explain(error)
    return None


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without personal data."""
    said = str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]
    return mask_text(said) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_missing(error: BaseException) -> bool:
    names = {cls.__name__ for cls in type(error).__mro__}
    return "AirflowNotFoundException" in names or _is_missing_variable(error)


def _is_missing_variable(error: BaseException) -> bool:
    return str(error).startswith("VARIABLE_NOT_FOUND")


def _why_missing(said: str) -> str | None:
    """Why something may be missing that is there: Airflow's look-up passes over a backend that fails."""
    conn_id = _named(said) if "conn_id" in said else ""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if conn_id and os.environ.get(variable):
        return f"{variable} is set and cannot be read — write a URI or a JSON object"
    from airflow.models.connection import Connection
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import exc, select

    what, kept = ("connection", Connection.conn_id) if conn_id else ("variable", Variable.key)
    try:
        with create_session() as session:
            if session.scalars(select(kept).where(kept == _named(said))).first() is None:
                return None
            if conn_id:
                read_extra(session.scalars(select(Connection).where(kept == conn_id)).one())
            elif session.scalars(select(Variable).where(kept == _named(said))).one().get_val() is not None:
                return None  # it can be read: something else is wrong with it
    except exc.SQLAlchemyError as error:
        return _of_airflows_database(error)
    except OutreachError as error:
        return str(error)
    except Exception:
        log.debug("%s", said, exc_info=True)
    return (
        f"{what} {_named(said)!r} is in Airflow's database and cannot be read — "
        "save it again; a changed [core] fernet_key is the usual cause"
    )


def _named(said: str) -> str:
    """The id or key in Airflow's own message."""
    found = re.search(r"conn_id `(.*?)`|Variable (.*?) not found", said)
    return (found.group(1) or found.group(2) or "") if found else ""


def _missing_connection(error: Any) -> str:
    name = _named(str(error)) or "of this name"
    return (
        f"there is no connection {name!r} — add it in Airflow under Admin > Connections, or: "
        f"airflow connections add {name} --conn-type …"
    )


def _runtime(error: Any) -> str:
    if not _is_missing_variable(error):
        return first_line(error)
    name = _named(str(error))
    return (
        f"there is no variable {name!r} — add it in Airflow under Admin > Variables, or: "
        f"airflow variables set {name} VALUE"
    )


def _of_airflows_database(error: Any) -> str:
    return (
        f"Airflow's database does not answer as it should: {first_line(error)} — "
        "check [database] sql_alchemy_conn, and run 'airflow db migrate'"
    )


def _file(error: Any) -> str:
    where = f"{error.filename}: " if error.filename else ""
    what = error.strerror or first_line(error)
    return f"{where}{what} — check the path and the rights of the user who runs this"


def _module(error: Any) -> str | None:
    name = (error.name or "").partition(".")[0]
    if name == "airflow_outreach_provider":
        return None
    return f"the module {error.name!r} is not installed — install it beside Airflow"


_EXPLANATIONS: dict[str, Callable[[Any], str | None]] = {
    "airflow.AirflowNotFoundException": _missing_connection,
    "airflow.AirflowRuntimeError": _runtime,
    "airflow.AirflowConfigException": lambda error: (
        f"{first_line(error)} — correct it in airflow.cfg or in the environment (AIRFLOW__SECTION__KEY)"
    ),
    "airflow.AirflowException": first_line,
    "builtins.ModuleNotFoundError": _module,
    "builtins.OSError": _file,
    "builtins.UnicodeEncodeError": lambda error: (
        f"this terminal cannot show {error.object[error.start : error.end]!r} — set PYTHONIOENCODING=utf-8"
    ),
    "cryptography.InvalidToken": lambda _error: (
        "Airflow's secrets cannot be decrypted — [core] fernet_key must be the one they were saved with"
    ),
    "jinja2.TemplateError": lambda error: f"a template fails: {first_line(error)} — correct the template",
    "sqlalchemy.SQLAlchemyError": _of_airflows_database,
}


@contextmanager
def logs_apart() -> Iterator[None]:
    """Airflow's log goes to standard error: what a command prints may be read by a program.

    What Airflow passes over it logs with a traceback: a command shows the line, unless at DEBUG.
    """
    structlog: Any = sys.modules.get("structlog")
    if structlog is None:
        yield
        return
    processors = structlog.get_config()["processors"]
    before = list(processors)
    drops = not logging.getLogger().isEnabledFor(logging.DEBUG)
    # In place: loggers that are there already know this list.
    processors[:] = [*([_drop_traceback] if drops else []), *before, _to_stderr]
    handlers = logging.getLogger().handlers
    printing = [
        each for each in handlers if isinstance(each, logging.StreamHandler) and each.stream is sys.stdout
    ]
    for each in printing:
        each.setStream(sys.stderr)
    for handler in handlers if drops else ():
        handler.addFilter(_drop_record_traceback)
    try:
        yield
    finally:
        processors[:] = before
        for each in printing:
            each.setStream(sys.stdout)
        for handler in handlers:
            handler.removeFilter(_drop_record_traceback)


def _to_stderr(_logger: Any, _name: str, rendered: str | bytes) -> str:
    """The last of structlog's processors: the line is written here, and by nobody else."""
    from structlog import DropEvent

    print(rendered.decode() if isinstance(rendered, bytes) else rendered, file=sys.stderr)
    raise DropEvent


def _drop_traceback(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("exc_info", None)
    return event


def _drop_record_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True
