"""The pages in docs/: generated where they can be, and true."""

from __future__ import annotations

from pathlib import Path

import airflow_outreach_provider
from airflow_outreach_provider.core.workflows import models
from airflow_outreach_provider.core.workflows.deliver import Deliver
from airflow_outreach_provider.core.workflows.outreach_sections import Outreach
from airflow_outreach_provider.core.workflows.reference import reference_text

DOCS = Path(airflow_outreach_provider.__file__).parent / "docs"


def test_the_reference_is_up_to_date() -> None:
    """Regenerate it with ``python -m airflow_outreach_provider.workflows reference``."""
    assert (DOCS / "reference.md").read_text("utf-8") == reference_text()


def test_the_reference_names_every_key() -> None:
    """No key of any section is missing."""
    text = reference_text()
    for section in (models.LeadSync, models.EventRoute, models.RulesSection, Outreach, Deliver):
        for name in section.model_fields:
            assert f"`{name}`" in text, name
