"""The pages mounted as Airflow mounts them, below a base path, with a viewer and an editor of its own log-in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_outreach_provider.store import ledger_schema as t
from airflow_outreach_provider.store.engine import Store

XSS = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>'\"{{7*7}}"
PHONE = "+14165550123"


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


@pytest.fixture
def site(store: Store, airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A browser of somebody: ``site("OP")``, ``site("VIEWER")``, ``site(None)`` without log-in."""
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "outreach_endpoint", "host": "https://crm.example.com/hooks/secret-path"}))  # fmt: skip
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from airflow_outreach_provider.web import connections
    from airflow_outreach_provider.web.app import create_app

    connections._seen.clear()
    outer = FastAPI(root_path="/af")
    manager = init_auth_manager(outer)
    outer.mount("/outreach", create_app(auth_manager=manager, store=store))

    def browser(role: str | None) -> Any:
        token = manager.generate_jwt(SimpleAuthManagerUser(username=f"the {role}", role=role or ""))
        return TestClient(
            outer, base_url="http://testserver/af/outreach", cookies={"_token": token} if role else {},
            headers={"accept": "text/html"},
        )  # fmt: skip

    return browser
