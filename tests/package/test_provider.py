"""The package as Airflow and its users meet it: provider info, commands, settings, version."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_outreach_provider import __version__
from airflow_outreach_provider.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
INFO = get_provider_info()
SETTINGS = (ROOT / "airflow_outreach_provider" / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.slow
def test_the_provider_info_is_valid() -> None:
    """Airflow's own schema accepts the provider's description."""
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_its_logo_and_guides_are_there() -> None:
    """What the description names is in the package, and open in Airflow under that address."""
    (integration,) = INFO["integrations"]
    package = ROOT / "airflow_outreach_provider"
    assert integration["how-to-guide"]
    assert [each for each in integration["how-to-guide"] if not (package / each.lstrip("/")).is_file()] == []
    assert (package / "web" / integration["logo"].removeprefix("/outreach/")).is_file()


@pytest.mark.parametrize(
    "name",
    [
        module
        for kind in ("operators", "sensors", "hooks", "triggers")
        for entry in INFO[kind]
        for module in entry["python-modules"]
    ],
)
def test_every_module_it_names_exists(name: str) -> None:
    """What the provider info lists can be imported."""
    importlib.import_module(name)


@pytest.mark.parametrize("connection", INFO["connection-types"], ids=lambda c: c["connection-type"])
def test_every_connection_type_has_its_hook(connection: dict[str, Any]) -> None:
    """Each connection type is its hook's own, and the hook can be tested from the form."""
    module, _, name = connection["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert hook.conn_type == connection["connection-type"]
    assert callable(hook.test_connection)
    for field in connection["conn-fields"].values():
        jsonschema.Draft202012Validator.check_schema(field["schema"])


def test_the_form_of_an_endpoint_names_a_secret_that_its_usual_signature_takes() -> None:
    """Sixteen letters are none for standard-webhooks, which is what holds where nothing else is chosen."""
    (form,) = (each for each in INFO["connection-types"] if each["connection-type"] == "outreach_endpoint")
    assert form["conn-fields"]["signature"]["schema"]["default"] == "standard-webhooks"
    assert form["ui-field-behaviour"]["placeholders"]["password"].startswith("whsec_")


def airflow_cli(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_airflow_discovers_the_provider(tmp_path: Path) -> None:
    """``airflow providers list`` shows the provider, ``config list`` its section."""
    listed = airflow_cli("providers", "list", "-o", "json", home=tmp_path)
    found = {
        row["package_name"]: row["version"] for row in json.loads(listed.stdout[listed.stdout.index("[") :])
    }
    assert found["airflow-provider-outreach"] == __version__
    value = airflow_cli("config", "get-value", "outreach", "lease_seconds", home=tmp_path)
    assert value.stdout.strip().splitlines()[-1] == "300", value.stderr


def commands() -> Iterator[str]:
    from airflow_outreach_provider.cli import get_commands

    def walk(items: Any, prefix: str) -> Iterator[str]:
        for item in items:
            name = f"{prefix} {item.name}".strip()
            if hasattr(item, "subcommands"):
                yield from walk(item.subcommands, name)
            else:
                yield name

    yield from walk(get_commands()[0].subcommands, "")


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_helps(command: str) -> None:
    """Every command has a help text for itself and for each of its arguments."""
    from airflow.cli.cli_config import ActionCommand

    from airflow_outreach_provider.cli import get_commands

    items: Any = get_commands()[0].subcommands
    found: Any = None
    for word in command.split():
        found = next(item for item in items if item.name == word)
        items = getattr(found, "subcommands", ())
    assert isinstance(found, ActionCommand)
    assert found.help
    parser = argparse.ArgumentParser()
    for argument in found.args:
        argument.add_to_parser(parser)
        assert argument.kwargs.get("help"), argument.flags
    parser.format_help()


def test_the_page_of_commands_names_only_commands_that_exist() -> None:
    """No command of the page is a promise, and none that exists is missing."""
    known = set(commands())
    section = SETTINGS[SETTINGS.index("## Commands") :]
    named = re.findall(r"`([a-z][a-z -]*)`", section)
    group, found = "", set()
    for full in named:
        name = full.removeprefix("airflow outreach").strip()
        words = name.split()
        group = words[0] if len(words) == 2 else group
        assert name in known or f"{group} {name}" in known or not name, full
        found.add(name if name in known else f"{group} {name}")
    assert known - found - {"leads forget"} == set()  # the old name of "person forget"


def test_the_page_of_settings_names_every_setting() -> None:
    """Each option of the section, with its default."""
    for name, option in INFO["config"]["outreach"]["options"].items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*?) \|", SETTINGS, re.MULTILINE)
        assert option["default"].lower() in row.lower()


@pytest.mark.slow
def test_the_fast_edges_stay_light() -> None:
    """Commands are known to every ``airflow`` call, plugins to every process: neither imports web server or store."""
    code = (
        "import sys\n"
        "import airflow_outreach_provider.cli as cli; cli.get_commands()\n"
        "import airflow_outreach_provider.plugins.outreach\n"
        "heavy = [m for m in ('aiohttp', 'alembic', 'phonenumbers', 'airflow_outreach_provider.store.engine') if m in sys.modules]\n"
        "print(heavy)"
    )
    before = subprocess.run(
        [sys.executable, "-c", "import sys, airflow.cli.cli_config, airflow.plugins_manager\nprint('aiohttp' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = {"aiohttp"} if before.stdout.strip().endswith("True") else set()
    assert set(json.loads(ours.stdout.strip().splitlines()[-1].replace("'", '"'))) <= allowed
