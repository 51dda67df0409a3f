"""``lint --connections``: do the connections and functions that workflows name exist, and fit?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.problems import Path, Problem
from airflow_outreach_provider.core.workflows.workflow_file import Export
from airflow_outreach_provider.workflows.functions import import_function, import_handler

_OURS = ("outreach", "outreach_source", "outreach_endpoint")


@dataclass(frozen=True)
class Reference:
    """A connection id that a workflow names.

    :param path: where, below the workflow.
    :param conn_type: the type it must have; empty where any will do.
    :param or_type: another that will do as well.
    """

    path: Path
    conn_id: str
    conn_type: str
    or_type: str = ""


def check_builds(workflows: Iterable[Loaded[DagSettings]]) -> list[Problem]:
    """What Airflow would refuse of their DAGs: each is built and written down as Airflow's database has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    from airflow_outreach_provider.workflows.build import build_dag, not_built

    problems = []
    for workflow in workflows:
        if workflow.model.enabled:
            try:
                DagSerialization.to_dict(build_dag(workflow))
            except Exception as error:  # noqa: BLE001 - whatever Airflow says of it, it is this workflow's
                problems.append(not_built(workflow, error))
    return problems


@dataclass(frozen=True)
class Connections:
    """What lint has to know of Airflow's connections.

    :param type_of: connection id → its type; None where it does not exist.
    :param known: the ids there are, as far as they can be listed, for "did you mean".
    """

    type_of: Callable[[str], str | None]
    known: Callable[[], Iterable[str]]


def references(model: DagSettings) -> Iterator[Reference]:
    """The connections a workflow names, its defaults included."""
    if isinstance(model, LeadSync):
        yield Reference(("outreach", "conn_id"), model.outreach.conn_id, "outreach")
        for at, source in enumerate(model.leads):
            if source.sql is not None:
                path = ("leads", at) if len(model.leads) > 1 else ("leads",)
                yield Reference((*path, "sql", "conn_id"), source.sql.conn_id, "")
    elif isinstance(model, Export) and model.to.sql is not None:
        yield Reference(("to", "sql", "conn_id"), model.to.sql.conn_id, "")
    elif isinstance(model, EventRoute):
        if model.source is not None:
            yield Reference(("source",), model.source, "outreach_source")
        if model.deliver.endpoint is not None:
            yield Reference(("deliver", "endpoint"), model.deliver.endpoint, "outreach_endpoint", "http")
        if model.deliver.outreach is not None:
            conn_id = model.deliver.outreach.conn_id
            yield Reference(("deliver", "outreach", "conn_id"), conn_id, "outreach")


def check_connections(
    workflows: Iterable[Loaded[DagSettings]], connections: Connections | None = None
) -> list[Problem]:
    """What is wrong with the connections the workflows name.

    :param connections: Airflow's own where None.
    """
    connections = connections or airflow_connections()
    problems = []
    for workflow in workflows:
        for reference in references(workflow.model):
            if "{{" in reference.conn_id:
                continue  # only Airflow knows what it will be
            wrong = _judge(reference, connections)
            if wrong is not None:
                spot = workflow.spot(*reference.path)
                path = (workflow.section, workflow.name, *reference.path)
                problems.append(Problem.at(spot, *wrong, path))
    return problems


def check_functions(workflows: Iterable[Loaded[DagSettings]]) -> list[Problem]:
    """Functions that a workflow names by their path and that cannot be imported here."""
    problems = []
    for workflow in workflows:
        for path, function in _functions(workflow.model):
            try:
                (import_handler if path == ("deliver", "python") else import_function)(function)
            except ConfigurationError as error:
                whole = (workflow.section, workflow.name, *path)
                problems.append(Problem.at(workflow.spot(*path), str(error), "", whole))
    return problems


def _functions(model: DagSettings) -> Iterator[tuple[Path, str]]:
    for key in ("on_failure_callback", "on_success_callback", "on_retry_callback", "notify"):
        for index, function in enumerate(getattr(model, key) or ()):
            yield (key, index), function
    if isinstance(model, EventRoute) and model.deliver.python is not None:
        yield ("deliver", "python"), model.deliver.python
    if isinstance(model, EventRoute) and model.deliver.notifier is not None:
        yield ("deliver", "notifier", "name"), model.deliver.notifier.name


def _judge(reference: Reference, connections: Connections) -> tuple[str, str] | None:
    found = connections.type_of(reference.conn_id)
    if found is None:
        add = f"add it: airflow connections add {reference.conn_id} --conn-type {reference.conn_type or '…'}"
        hint = did_you_mean(reference.conn_id, connections.known(), add)
        return f"there is no connection {reference.conn_id!r}", hint
    types = [each for each in (reference.conn_type, reference.or_type) if each]
    if found in types or (not types and found not in _OURS):
        return None
    needed = f"type {' or '.join(types)}" if types else "a database"
    return f"the connection {reference.conn_id!r} is of type {found or 'none'}", f"this must be {needed}"


def airflow_connections() -> Connections:
    """Airflow's connections: secrets backends, environment and metadata database, as a task would find them."""
    import os

    from airflow.models.connection import Connection
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    def type_of(conn_id: str) -> str | None:
        try:
            return str(BaseHook.get_connection(conn_id).conn_type or "")
        except AirflowNotFoundException:
            return None

    def known() -> Iterable[str]:
        from airflow.utils.session import create_session
        from sqlalchemy import select

        prefix = "AIRFLOW_CONN_"
        names = {name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix)}
        with create_session(scoped=False) as session:
            return names | set(session.scalars(select(Connection.conn_id)))

    return Connections(type_of, known)
