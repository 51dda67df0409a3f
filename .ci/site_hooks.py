"""What MkDocs does with each page beside its own: drawings become lines to read, as in Airflow's Help; no script draws."""

from __future__ import annotations

import re
from typing import Any

from airflow_outreach_provider.web.diagrams import readable

_DRAWING = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page as MkDocs is to read it."""
    return _DRAWING.sub(lambda drawing: f"```text\n{readable(drawing[1])}```", markdown)
