"""The security page promises only what a test shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "airflow_outreach_provider" / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    """A promise points to a test that is there."""
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_promise_names_its_test() -> None:
    """No line of the table of promises stands without the test that shows it."""
    table = PAGE.partition("## What is promised")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(lines) >= 10
    for line in lines:
        assert "::test_" in line, line


def test_the_pages_it_links_to_exist() -> None:
    """No link of the repository's own page leads nowhere; Help holds those of the other."""
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / ".github" / "SECURITY.md").read_text())
    assert links
    for link in links:
        assert (ROOT / ".github" / link).exists()
