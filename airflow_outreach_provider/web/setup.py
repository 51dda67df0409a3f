"""The page *Setup*: every check with its remedy. It is there while the store is not, which is when it is needed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from airflow_outreach_provider.core.setup import CheckResult, CheckState, summed_up, worst
from airflow_outreach_provider.hooks.setup import look_around, look_quickly
from airflow_outreach_provider.web.access import Reader
from airflow_outreach_provider.web.errors import http_error
from airflow_outreach_provider.web.middleware import Guard
from airflow_outreach_provider.web.rendering import render

router = APIRouter()

STATIC = Path(__file__).parent / "static"
# A live page must not ask Airflow's database at every look.
_KEEP_SECONDS = 60.0
_quick: tuple[float, list[CheckResult]] = (-_KEEP_SECONDS, [])


class CheckSchema(BaseModel):
    """One check: ``found`` says how it is, ``remedy`` what to do."""

    name: str
    state: CheckState
    found: str
    remedy: str


class SetupSchema(BaseModel):
    """All checks. ``tested``: whether the connections were tried, which takes edit rights."""

    state: CheckState = Field(description="the worst of them")
    tested: bool
    checks: list[CheckSchema]


@router.get("/setup", include_in_schema=False)
def setup_page(request: Request, who: Reader) -> HTMLResponse:
    """Every check; for people with edit rights the connections are tried too, which texts nobody."""
    found = look_around(test=who.may_edit, mounted=True)
    return render(
        request, "setup.html", who, at="setup", found=found, summary=summed_up(found), tested=who.may_edit
    )


@router.get("/api/setup", tags=["look"])
def get_setup(who: Reader) -> SetupSchema:
    """The same as data."""
    found = look_around(test=who.may_edit, mounted=True)
    checks = [CheckSchema(**each.as_dict()) for each in found]
    return SetupSchema(state=worst(found), tested=who.may_edit, checks=checks)


def missing() -> list[CheckResult]:
    """What fails, as far as a look into Airflow's own database tells; asked for anew once a minute."""
    global _quick
    at, found = _quick
    if time.monotonic() - at >= _KEEP_SECONDS:
        found = [each for each in look_quickly() if each.state is CheckState.FAIL]
        _quick = (time.monotonic(), found)
    return found


def create_setup_app(auth_manager: Any = None) -> FastAPI:
    """What stands in for everything else while the store is not ready: this page, every other leads to it."""
    app = FastAPI(title="Outreach setup", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.auth_manager = auth_manager
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/{path:path}", include_in_schema=False)
    def elsewhere(request: Request, path: str, _who: Reader) -> Response:
        """A page of the store."""
        if path.startswith("api/"):
            raise StarletteHTTPException(503, "the outreach store is not ready; /outreach/setup says why")
        return RedirectResponse(f"{request.scope.get('root_path', '')}/setup")

    app.add_exception_handler(StarletteHTTPException, http_error)
    app.add_middleware(Guard)
    return app
