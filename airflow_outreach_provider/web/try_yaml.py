"""*Try it* for YAML: the lint of the command over text that somebody pasted, while they type.

The text is read and nothing else: no file that it names, no connection, no network, no code of it; its size is bounded,
and so is how many are read at once.
"""

from __future__ import annotations

import threading

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from airflow_outreach_provider.core.workflows.doubts import doubts_about
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.problems import Problem, render, tidy
from airflow_outreach_provider.web.access import Editor, Reader
from airflow_outreach_provider.web.action_models import amount
from airflow_outreach_provider.web.rendering import render as render_page

router = APIRouter()
MOST_CHARACTERS = 65_536
_FILE = "pasted.yaml"
_MOST_SHOWN = 100
# Reading 64 KiB takes well under a second; who types must not keep the pages from others.
_reading = threading.BoundedSemaphore(2)
_PATIENCE = 5.0


class PastedYaml(BaseModel):
    """The text of a workflow file."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=MOST_CHARACTERS)


class LintFinding(BaseModel):
    """A mistake or a warning. ``shown``: with its line and a caret, as the command prints it."""

    line: int
    column: int
    message: str
    hint: str
    path: str
    shown: str


class LintResult(BaseModel):
    """What is wrong with a text, in the order of its lines."""

    says: str
    workflows: list[str] = Field(description="DAG ids of the workflows without a mistake")
    problems: list[LintFinding]
    warnings: list[LintFinding]


@router.post("/api/lint", tags=["look"])
def lint_text(_who: Editor, asked: PastedYaml) -> LintResult:
    """Every mistake in the text of a workflow file with its place and remedy; what it names is not looked at.

    :raises HTTPException: 503, others are being read.
    """
    if not _reading.acquire(timeout=_PATIENCE):
        raise HTTPException(503, "other texts are being read: try again in a moment")
    try:
        loaded = load_texts({_FILE: asked.text})
        doubts = tidy(doubts_about(loaded.workflows))
    finally:
        _reading.release()
    good = amount(len(loaded.workflows), "workflow")
    wrong = amount(len(loaded.problems), "mistake") if loaded.problems else "no mistakes"
    unsure = f", {amount(len(doubts), 'warning')}" if doubts else ""
    return LintResult(
        says=f"{good} without a mistake, {wrong}{unsure}",
        workflows=[each.dag_id for each in loaded.workflows],
        problems=[_finding(each, asked.text) for each in loaded.problems[:_MOST_SHOWN]],
        warnings=[_finding(each, asked.text, "warning: ") for each in doubts[:_MOST_SHOWN]],
    )


@router.get("/try-yaml", include_in_schema=False)
def yaml_page(request: Request, who: Reader) -> HTMLResponse:
    """Where text is pasted; reading it takes edit rights, as everything that is posted."""
    return render_page(request, "try_yaml.html", who, at="workflows", found=None, most=MOST_CHARACTERS)


@router.post("/try-yaml", include_in_schema=False)
def yaml_read(request: Request, who: Editor, asked: PastedYaml) -> HTMLResponse:
    """The same with what is wrong with the text."""
    found = lint_text(who, asked)
    return render_page(request, "try_yaml.html", who, at="workflows", found=found, most=MOST_CHARACTERS)


def _finding(problem: Problem, text: str, kind: str = "") -> LintFinding:
    return LintFinding(
        line=problem.line, column=problem.column, message=problem.message, hint=problem.hint, path=problem.path,
        shown=render(problem, text, kind),
    )  # fmt: skip
