"""Pasted YAML is linted as the command does it, and nothing that it names is touched."""

from __future__ import annotations

import importlib
import io
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.workflows.lint import lint

ACTION = {"X-Outreach-Action": "1"}
BASE = "http://testserver/af/outreach"
XSS = "<img src=x onerror=window.pwned=1>"
GOOD = "lead_syncs:\n  a:\n    leads: {csv: /data/a.csv}\n    outreach: {configuration_id: x}\n"
Site = Callable[..., Any]


def asked(browser: Any, text: str, path: str = "/api/lint") -> Any:
    return browser.post(f"{BASE}{path}", json={"text": text}, headers=ACTION)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("leads:", "leds:"),
        GOOD + "    shedule: '@daily'\n    rules: {quiet_hours: 25:00-08:00}\n",
        "event_routes:\n  a:\n    kinds: [intrested]\n    where: contact.emial is defined\n    deliver: {endpoint: crm}\n",
        "lead_syncs: [",
        "a: &a [*a]\n",
        "",
    ],
)
def test_it_says_what_the_command_says(site: Site, tmp_path: Path, text: str) -> None:
    """The same mistakes at the same places with the same remedies."""
    file = tmp_path / "pasted.yaml"
    file.write_text(text)
    out = io.StringIO()
    lint([str(file)], out)
    found = asked(site("OP"), text).json()
    said = out.getvalue().replace(str(file), "pasted.yaml")
    assert all(each["shown"] in said for each in found["problems"] + found["warnings"])
    assert said.strip().endswith(
        found["says"].split(" ", 2)[2].replace("workflows ", "").replace("workflow ", "")
    ) or (found["says"] in said)
    assert all(each["line"] >= 1 for each in found["problems"])


def test_nothing_that_it_names_is_opened_or_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no import, no connection, no object of YAML's own."""
    from airflow_outreach_provider.web.access import Person
    from airflow_outreach_provider.web.try_yaml import PastedYaml, lint_text

    ada = Person("ada", may_edit=True)
    lint_text(ada, PastedYaml(text=GOOD))  # what is imported on first use is
    marker, query = tmp_path / "ran", tmp_path / "query.sql"
    query.write_text("word-of-the-file")
    text = (
        f"lead_syncs:\n  a:\n    leads: {{sql: {{conn_id: pg, file: {query}}}}}\n    outreach: {{configuration_id: x}}\n"
        "event_routes:\n  b:\n    deliver: {python: os.getcwd}\n    notify: [os.abort]\n"
        f"  c: !!python/object/apply:os.system ['touch {marker}']\n"
    )
    monkeypatch.setattr(Path, "read_text", _refuse)
    monkeypatch.setattr(importlib, "import_module", _refuse)
    monkeypatch.setattr(socket.socket, "connect", _refuse)
    found = lint_text(ada, PastedYaml(text=text))
    monkeypatch.undo()
    assert found.problems
    assert "word-of-the-file" not in found.model_dump_json()
    assert not marker.exists()


def _refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("pasted text led out of itself")


def test_a_text_that_grows_or_nests_is_refused_in_time(site: Site) -> None:
    """Aliases that double, nesting without end, and more than 64 KiB."""
    doubling = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    for text in (doubling, "[" * 60_000, "{a: " * 10_000):
        assert asked(site("OP"), text).json()["problems"]
    assert asked(site("OP"), "x" * 65_537).status_code == 422


def test_only_editors_may_have_text_read(site: Site) -> None:
    """Whoever may look is told the command; what is shown of a text is text."""
    assert (
        asked(site("VIEWER"), GOOD).status_code == asked(site("VIEWER"), GOOD, "/try-yaml").status_code == 403
    )
    assert asked(site(None), GOOD).status_code == 401
    assert "airflow outreach lint" in site("VIEWER").get(f"{BASE}/try-yaml").text
    page = asked(site("OP"), f"lead_syncs:\n  a: {{'{XSS}': 1}}\n", "/try-yaml").text
    assert XSS not in page
    assert "&lt;img" in page
