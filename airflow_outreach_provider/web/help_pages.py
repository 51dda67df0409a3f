"""*Help*: the documentation of the installed version, for whoever may see the other pages."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse

from airflow_outreach_provider.web import manual
from airflow_outreach_provider.web.access import Reader
from airflow_outreach_provider.web.rendering import render

router = APIRouter(prefix="/help", include_in_schema=False)


@router.get("")
def help_page(request: Request, who: Reader) -> HTMLResponse:
    """All pages, with what each is about."""
    sections = [(title, [manual.manual_page(name) for name in names]) for title, names in manual.SECTIONS]
    return render(request, "help.html", who, at="help", sections=sections)


@router.get("/{name}")
def one_help_page(request: Request, who: Reader, name: str) -> HTMLResponse:
    """One page."""
    try:
        page = manual.manual_page(name)
    except KeyError:
        raise HTTPException(404, "there is no such page of the documentation") from None
    return render(request, "manual.html", who, at="help", page=page)


@router.get("/images/{name}")
def help_image(_who: Reader, name: str) -> FileResponse:
    """A picture of a page."""
    path = manual.image(name)
    if path is None:
        raise HTTPException(404, "there is no such picture")
    return FileResponse(path)
