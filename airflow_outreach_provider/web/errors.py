"""Errors as whoever asks can read them: a page for people, JSON for the API and the script."""

from __future__ import annotations

import logging

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.web.middleware import own_path
from airflow_outreach_provider.web.rendering import render

log = logging.getLogger(__name__)


def http_error(request: Request, error: Exception) -> Response:
    """401, 403, 404 and the like, as whoever asks can read it."""
    assert isinstance(error, StarletteHTTPException)
    return _error(request, error.status_code, str(error.detail))


def bad_request(request: Request, error: Exception) -> Response:
    """What was asked for cannot be read."""
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()[:5])
    return _error(request, 422, said)


def outreach_error(request: Request, error: Exception) -> Response:
    """An error of ours: 503 where the store is away, else 400."""
    if isinstance(error, StoreError):
        log.error("%s", error)
        return _error(request, 503, str(error))
    return _error(request, 400, str(error))


_WHAT_TO_DO = {
    400: "Go back and correct it.",
    401: "You are not logged in, or no longer. Log in to Airflow: this page opens then.",
    403: "Ask an administrator for the right to do this.",
    404: "What you look for is not here.",
    422: "Go back and correct it.",
    503: "Try again in a moment; the API server's log says more.",
}


def _error(request: Request, status: int, detail: str) -> Response:
    """JSON for the API and the script, a page for people."""
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if wants_page and not own_path(request.scope).startswith("/api/"):
        what_to_do = _WHAT_TO_DO.get(status, "")
        return render(
            request,
            "error.html",
            None,
            status=status,
            at="",
            detail=detail,
            code=status,
            what_to_do=what_to_do,
        )
    return JSONResponse({"detail": detail}, status)
