"""The pages of the platforms, followed: the connection as it stands there, the commands as they stand there, the event."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from documents import DOCS, blocks
from programs import needed

from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.receiver.app import create_app
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import EventFilter, list_events


def source_of(platform: str) -> SourceSettings:
    """The source that the page's own ``export`` makes."""
    for block in blocks(DOCS / f"{platform}.md"):
        for words in block.commands() if block.language == "bash" else ():
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                fields = json.loads(value)
                if fields["conn_type"] == "outreach_source":
                    return source_settings(
                        name.removeprefix("AIRFLOW_CONN_").lower(),
                        password=fields["password"],
                        extra=fields["extra"],
                    )
    raise AssertionError(f"the page of {platform} has no source")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_first_event_arrives_as_the_page_says(
    platform: str, serving: Callable[..., Any], sqlite_store: Store
) -> None:
    """Bash, curl and openssl run the page's block against the receiver; the event is of the kind that it says."""
    for program in ("curl", "openssl"):
        needed(program, program)
    page = (DOCS / f"{platform}.md").read_text("utf-8")
    (block,) = [each for each in blocks(DOCS / f"{platform}.md") if "curl " in each.text]
    source = source_of(platform)
    with serving(create_app({source.name: source}.get, sqlite_store)) as client:
        script = block.text.replace("https://airflow.example.com", f"http://127.0.0.1:{client.port}")
        environment = {**os.environ, "no_proxy": "127.0.0.1"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        # One sign less in what proves it, and it is refused.
        forged = script.replace(source.secrets[0], source.secrets[0][:-1])
        refused = subprocess.run(
            ["bash", "-c", forged], env=environment, capture_output=True, text=True, check=False
        )
        assert refused.returncode == 22, refused.stdout
    (event,) = list_events(sqlite_store, EventFilter()).rows
    said = re.search(r"\*Outreach → Events\* shows it, as kind `(\w+)`", page)
    assert said is not None
    assert (event.kind, event.source) == (said[1], source.name)
    assert f"airflow outreach events list --source {source.name}" in page


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_page_names_the_platforms_own_screen(platform: str) -> None:
    """Where to click is what the page *Sources & endpoints* says, too; the URL is the source's."""
    page = (DOCS / f"{platform}.md").read_text("utf-8")
    steps = PLATFORMS[platform].how_to_connect.partition("→ ")[2].partition(";")[0].partition(",")[0]
    for step in steps.split(" → "):
        assert re.sub(r"action “(.*)”", r"\1", step).lower() in page.lower(), step
    assert f"https://airflow.example.com/outreach/in/{source_of(platform).name}" in page


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_pages_route_reads_its_source(platform: str) -> None:
    """The workflow at the end is for the events of this page."""
    routes = [each for each in blocks(DOCS / f"{platform}.md") if "event_routes" in each.text]
    assert routes
    for each in routes:
        assert load_texts({each.file: each.text}).problems == []
        assert f"source: {source_of(platform).name}" in each.text
