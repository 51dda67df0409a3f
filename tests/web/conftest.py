"""The pages mounted as Airflow mounts them, below a base path, with a viewer and an editor of its own log-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from servers import scripted

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.receiver.source_state import SourceStates
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.deliveries import fan_out as deliveries_fan_out
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.ledger import tables as t

XSS = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>'\"{{7*7}}"
PHONE = "+14165550123"
ALIKE = (PHONE, "+14165990123")  # masked they are the same


@pytest.fixture
def lead(store: Store) -> Callable[..., int]:
    """Write a lead into the ledger as a run would have left it; its id."""

    def write(phone: str = PHONE, state: str = "held", **fields: Any) -> int:
        now = datetime.now(UTC)
        values = {
            "campaign": "website", "phone": phone, "state": state, "reason": "timeout", "detail": XSS, "line": 2,
            "payload": json.dumps({"firstName": XSS}), "tries": 1, "rev": 1, "created_at": now, "updated_at": now,
        }  # fmt: skip
        with store.write() as connection:
            return int(
                connection.execute(t.leads.insert().returning(t.leads.c.id), values | fields).scalar_one()
            )

    return write


class Mounted:
    """Our application in another one below a base path, as Airflow mounts it, with the log-in of Airflow."""

    def __init__(self, store: Store, loop: BlockingPortal) -> None:
        from airflow.api_fastapi.app import init_auth_manager
        from fastapi import FastAPI

        from airflow_outreach_provider.web.app import create_app

        self.loop = loop
        self.outer = FastAPI(root_path="/af")
        self.manager = init_auth_manager(self.outer)
        self.app = create_app(auth_manager=self.manager, store=store)
        self.outer.mount("/outreach", self.app)

    def browser(self, role: str | None) -> Any:
        """Of somebody with this role; None for somebody without log-in."""
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from fastapi.testclient import TestClient

        token = self.manager.generate_jwt(SimpleAuthManagerUser(username=f"the {role}", role=role or ""))
        client = TestClient(
            self.outer, base_url="http://testserver/af/outreach", cookies={"_token": token} if role else {},
            headers={"accept": "text/html"},
        )  # fmt: skip
        client.portal = self.loop
        return client


@pytest.fixture
def crm(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint as a connection; nothing is known of it from tests before."""
    from airflow_outreach_provider.core.kept_errors import KeptErrors
    from airflow_outreach_provider.web import broken_files, connections

    monkeypatch.setattr(broken_files, "_kept", KeptErrors())
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "outreach_endpoint", "host": "https://crm.example.com/hooks/secret-path"}))  # fmt: skip
    connections._seen.clear()


@pytest.fixture(scope="session")
def loop() -> Iterator[BlockingPortal]:
    """One event loop for all requests: each would have a thread and a loop of its own."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def mounted(airflow_db: None, migrated_sqlite: Path, loop: BlockingPortal) -> Mounted:
    """Put together once; each test gives it the store of its own."""
    return Mounted(Store(f"sqlite:///{migrated_sqlite}"), loop)


@pytest.fixture
def site(mounted: Mounted, store: Store, crm: None) -> Callable[..., Any]:
    """A browser of somebody: ``site("OP")``, ``site("VIEWER")``, ``site(None)`` without log-in."""
    mounted.app.state.store = store
    return mounted.browser


@pytest.fixture
def site_with_receiver(
    store: Store, crm: None, loop: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """The same, for tests that post to ``/in/``: the receiver keeps the store it was made with.

    It looks whether a source is switched off, and writes down what it refused, five times a second.
    """
    quick = partial(SourceStates, read_every=0.2, write_every=0.2)
    monkeypatch.setattr("airflow_outreach_provider.receiver.app.SourceStates", quick)
    return Mounted(store, loop).browser


@pytest.fixture
def filled(store: Store, lead: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Of everything two, about people who are masked alike; a source and an endpoint that answer."""
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    for n, phone in enumerate(ALIKE):
        lead(phone, detail="", payload="{}")
        made = ContactEvent(
            f"evt_{n}", "varda", "varda", "call.ended", EventKind.CALL_ENDED, at, at, Contact(phone=phone)
        )
        inbox_append.append(store, [Incoming(made, made.to_json(), "[]")])
    deliveries_fan_out.fan_out(store, "crm", consumers.read_new(store, "crm"), ["crm"])
    suppressions.suppress(store, ALIKE, reason="unsubscribed", source="event")
    with scripted(lambda _method, _path, _headers, _body: (204, b"", {})) as url:
        for name, kind in (("crm", "outreach_endpoint"), ("varda", "outreach_source")):
            extra = (
                {"signature": "none", "allow_networks": ["127.0.0.0/8"]}
                if name == "crm"
                else {"platform": "varda"}
            )
            connection = {
                "conn_type": kind,
                "host": f"{url}/hook",
                "password": "a-secret-of-length",
                "extra": extra,
            }
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        outreach = {"conn_type": "outreach", "host": url, "password": "a-key-of-length"}
        monkeypatch.setenv("AIRFLOW_CONN_TETHER", json.dumps(outreach))
        yield store


@pytest.fixture
def airflow_knows(airflow_db: None, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """``airflow_knows(yaml, *dags)``: workflows and DAGs as the DAG processor leaves them in Airflow's database.

    The DAG ``by_hand`` is paused; syncs are due in an hour.
    """
    from airflow.utils.session import create_session

    from airflow_outreach_provider.workflows.build import build_dags

    ids: list[str] = []

    def write(yaml: str, *dags: Any) -> None:
        folder = tmp_path / "workflows"
        folder.mkdir()
        (folder / "all.yaml").write_text(yaml)
        every = [*build_dags(folder).values(), *dags]
        ids.extend(dag.dag_id for dag in every)
        with create_session() as session:
            _write_dags(session, every)

    yield write
    with create_session() as session:
        _remove_dags(session, ids)


def _write_dags(session: Any, dags: list[Any]) -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    session.merge(DagBundleModel(name="looks"))
    session.flush()
    for dag in dags:
        is_sync = "sync" in dag.dag_id
        session.merge(
            DagModel(
                dag_id=dag.dag_id, bundle_name="looks", fileloc="x.py", relative_fileloc="x.py", is_paused=dag.dag_id == "by_hand", is_stale=False,
                asset_expression={"asset": {"name": "contact_events/interested"}} if "route" in dag.dag_id else None,
                timetable_summary="0 0 * * *" if is_sync else "None",
                next_dagrun_create_after=datetime.now(UTC) + timedelta(hours=1) if is_sync else None,
            )
        )  # fmt: skip
        session.flush()
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name="looks", session=session)


def _remove_dags(session: Any, ids: list[str]) -> None:
    import sqlalchemy as sa
    from airflow.models.dag import DagModel
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.errors import ParseImportError
    from airflow.models.serialized_dag import SerializedDagModel

    session.execute(sa.delete(ParseImportError).where(ParseImportError.bundle_name == "looks"))
    for model in (DagRun, SerializedDagModel, DagVersion, DagModel):
        session.execute(sa.delete(model).where(model.dag_id.in_(ids)))
    session.execute(sa.delete(DagBundleModel).where(DagBundleModel.name == "looks"))
