"""README sells and teaches in a minute: short, with a picture, two commands and ten lines of YAML; and all of it is so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from documents import DOCS, ROOT, blocks
from packaging.specifiers import SpecifierSet

from airflow_outreach_provider.demo.events import Sources, supersend_webhook, varda_webhook

README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_it_is_read_in_a_minute() -> None:
    """At most 80 lines and 500 words, what stands in blocks and tables of links aside."""
    assert len(README.splitlines()) <= 80
    prose = re.sub(r"```.*?```|^\|.*?$|!?\[|\]\([^)]*\)", " ", README, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.split()) <= 500


def test_it_has_two_commands_and_ten_lines_of_yaml() -> None:
    """Something to run and something to write; more is in the pages."""
    shell, workflow = blocks(ROOT / "README.md")
    assert [words[:2] for words in shell.commands()] == [["make", "demo"], ["make", "up"]]
    assert workflow.language == "yaml"
    assert len(workflow.text.splitlines()) == 10


def test_its_links_and_pictures_lead_somewhere() -> None:
    """Every relative one is a file of the repository, and every page of the documentation is among them."""
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", README)
    assert [each for each in targets if not (ROOT / each).exists()] == []
    assert {path for path in DOCS.glob("*.md") if path.name != "index.md"} <= {
        ROOT / each for each in targets
    }
    assert re.search(r"^!\[.+\]\(.*\.png\)$", README[: README.index("## ")], re.MULTILINE), "a picture first"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_versions_it_names_are_the_projects(version: str) -> None:
    """Of Airflow and of Python."""
    assert "3.3.0 or newer on Python 3.11 to 3.14" in README
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    assert "apache-airflow>=3.3.0,<4" in PROJECT["dependencies"]


def test_its_promises_are_five() -> None:
    """Numbered, each with its name in bold."""
    section = README.partition("## What it promises")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\. \*\*", section, re.MULTILINE) == list("12345")


@pytest.mark.parametrize("webhook", [varda_webhook, supersend_webhook])
def test_the_second_command_sends_events_of_its_own(webhook: Callable[..., tuple[str, bytes, Any]]) -> None:
    """Right after the first one, over the same store: nothing of it repeats what that had sent."""
    sources = Sources.new()
    bodies = [webhook(sources, number)[1] for _ in range(2) for number in range(10)]
    assert len({*bodies}) == len(bodies)
