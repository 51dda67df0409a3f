"""No block of any document is only text: each language has its test, and what has none is an error.

Blocks that do something are also run: recipes in ``tests/workflows/test_cookbook.py``, the tutorial in
``tests/cli/test_tutorial.py``, the platforms' first events in ``tests/receiver/test_platform_pages.py``.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import functools
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from documents import DOCUMENTS, ROOT, Block, blocks
from packaging.requirements import Requirement

from airflow_outreach_provider import __version__
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.signing import Scheme, check_secrets
from airflow_outreach_provider.core.sources import source_settings
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.get_provider_info import get_provider_info
from airflow_outreach_provider.web.diagrams import readable

INFO = get_provider_info()
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
WHEEL = f"airflow_provider_outreach-{__version__}-py3-none-any.whl"
WORKFLOW_KEYS = {"lead_syncs", "event_routes", "exports", "defaults", "environments"}
# Programs of the places Airflow runs in: not here, so that only their words are looked at.
ELSEWHERE = {"docker", "kubectl", "helm", "gcloud", "astro", "git"}
HELM_VALUES = {
    "airflowVersion", "defaultAirflowRepository", "defaultAirflowTag", "executor", "workers", "secret", "config",
}  # fmt: skip


def test_every_language_has_its_test() -> None:
    """A block of a language that nothing here knows is a block nobody has tried."""
    assert {str(each): each.language for each in blocks() if each.language not in CHECKS} == {}


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(), ids=str)
def test_every_block_is_true(block: Block) -> None:
    """Commands are commands, files are files of their kind, settings exist, and values fit them."""
    CHECKS[block.language](block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_text_exists(document: Path) -> None:
    """`airflow outreach …` in a sentence is a command or a group of them, with options that it has."""
    from airflow_outreach_provider.cli import get_commands

    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for named in re.findall(r"`airflow outreach\s([^`…]+)`", text):
        items: Any = get_commands()[0].subcommands
        found: Any = None
        for word in named.split():
            if word.startswith("--"):
                assert word in {flag for each in found.args for flag in each.flags}, named
            elif items:
                there = [each for each in items if each.name in word.split("|")]
                assert len(there) == len(word.split("|")), named
                found = there[0]
                items = getattr(found, "subcommands", ())


# -- shell --------------------------------------------------------------------------------------------------


def shell(block: Block) -> None:
    """Bash can read it, and each command is one that exists, with arguments it takes."""
    read = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert read.returncode == 0, read.stderr
    for words in block.commands():
        command(words)


def command(words: list[str]) -> None:
    """One command."""
    match words:
        case ["export", assignment]:
            variable(*assignment.split("=", 1))
        case ["airflow", *arguments]:
            airflow(arguments)
        case ["pip", "install", *what]:
            for each in what:
                if not each.startswith("-"):
                    installed(each)
        case ["cd", folder]:
            assert folder == "~/airflow"  # Airflow's own home where nobody has set another
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
        case ["python", "-c", code]:  # the one that makes a signing secret
            run = [sys.executable, "-c", code]
            made = subprocess.run(run, text=True, capture_output=True, check=True).stdout.strip()
            check_secrets(Scheme.STANDARD_WEBHOOKS, [made])
        case ["python", script, *options]:
            assert (ROOT / script).is_file(), script
            known = (ROOT / script).read_text() + (ROOT / "bench" / "shared" / "figures.py").read_text()
            assert all(option in known for option in options), options
        case [".ci/run" | ".ci/sets", *_]:
            assert (ROOT / words[0]).is_file()
        case ["curl", *_]:
            pass  # tests/receiver/test_platform_pages.py runs them
        case [first, *_] if re.match(r"\w+=", first):
            pass  # of the same blocks
        case [program, *rest] if program in ELSEWHERE:
            elsewhere(program, rest)
        case _:
            pytest.fail(f"no test knows the command {words[0]!r}")


def elsewhere(program: str, rest: list[str]) -> None:
    """What such a program is told about us: commands of ours, and settings."""
    if "airflow" in rest and "outreach" in rest:
        airflow(rest[rest.index("airflow", rest.index("exec")) + 1 :])
    for word in rest:
        if (found := re.match(r"(AIRFLOW_\w+)=(.*)", word)) is not None:
            variable(*found.groups())
        elif (found := re.match(r"(\w+)-(\w+)=", word)) is not None:
            assert option_exists(*found.groups()), word


@functools.cache
def parser() -> Any:
    """Airflow's own, with our commands in it."""
    from airflow.cli.cli_parser import get_parser

    return get_parser()


def airflow(arguments: list[str]) -> None:
    """Airflow takes these arguments."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser().parse_args(arguments)
    except SystemExit:
        pytest.fail(f"airflow {' '.join(arguments)}: {said.getvalue()[-300:]}")


def installed(what: str) -> None:
    """A wheel of this version, or this folder, with extras that there are."""
    path, _, extras = what.partition("[")
    assert path == "." or path.endswith(f"/{WHEEL}") or re.match(r"apache-airflow==", path), what
    for extra in filter(None, extras.rstrip("]").split(",")):
        assert re.search(rf"^{extra} = \[", PYPROJECT, re.MULTILINE), extra


# -- settings -----------------------------------------------------------------------------------------------


def option_exists(section: str, option: str) -> bool:
    """Whether Airflow, or this provider, has such a setting."""
    from airflow.configuration import conf

    ours = section in INFO["config"] and option in INFO["config"][section]["options"]
    known = conf.configuration_description.get(section, {}).get("options", {})
    return ours or option in known


def variable(name: str, value: str) -> None:
    """An environment variable: a setting that exists, or a connection that can be one."""
    if (found := re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", name)) is not None:
        assert option_exists(found[1].lower(), found[2].lower()), name
    else:
        assert name.startswith("AIRFLOW_CONN_"), name
        if value != "…":
            connection(json.loads(value))


def connection(fields: dict[str, Any]) -> None:
    """Of one of our types, with fields that its form has."""
    assert fields.keys() <= {"conn_type", "host", "password", "login", "extra"}
    (form,) = (each for each in INFO["connection-types"] if each["connection-type"] == fields["conn_type"])
    for key, value in fields.get("extra", {}).items():
        jsonschema.validate(value, form["conn-fields"][key]["schema"])


def ini(block: Block) -> None:
    """Sections and options of Airflow's configuration."""
    read = configparser.ConfigParser()
    read.read_string(block.text)
    assert read.sections()
    for section in read.sections():
        assert [each for each in read[section] if not option_exists(section, each)] == []


# -- files --------------------------------------------------------------------------------------------------


def yaml_file(block: Block) -> None:
    """A workflow file without a mistake, or a file of a tool with what that tool needs."""
    content = yaml.safe_load(block.text)
    if content.keys() <= WORKFLOW_KEYS:
        name = block.file or "workflow.yaml"
        assert load_texts({name: block.text}).problems == []
        jsonschema.validate(content, workflow_schema())
    elif block.file == "docker-compose.override.yaml":
        compose(content)
    elif block.file == "values.yaml":
        helm(content)
    elif content.get("kind") == "List":
        kubernetes({(each["kind"], each["metadata"]["name"]): each["spec"] for each in content["items"]})
    elif "repos" in content:
        (hook,) = content["repos"][0]["hooks"]
        assert hook["language"] == "system"
        assert re.search(hook["files"], "dags/workflows/leads.yaml")
        done = subprocess.run(
            [sys.executable, *hook["entry"].split()[1:], str(ROOT / "dags" / "workflows")], check=False
        )
        assert done.returncode == 0
    else:
        pytest.fail(f"no test knows this kind of file: {sorted(content)}")


def compose(content: dict[str, Any]) -> None:
    """Services with an image, and settings that exist."""
    assert content.keys() <= {"services", "x-outreach"}
    for service in content["services"].values():
        assert service["image"]
        for name, value in service["environment"].items():
            variable(name, value)
        if told := service.get("command"):
            airflow(told.split())


def helm(content: dict[str, Any]) -> None:
    """Values the chart has, with settings that exist."""
    assert content.keys() <= HELM_VALUES
    for section, options in content["config"].items():
        for option, value in options.items():
            assert option_exists(section, option)
            assert isinstance(value, str)  # the chart writes numbers its own way
    for each in content["secret"]:
        assert each.keys() == {"envName", "secretName", "secretKey"}
        variable(each["envName"], "")


def kubernetes(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Commands and settings that exist, probes and paths that the receiver has, and services with pods behind them."""
    pods = {name: spec["template"] for (kind, name), spec in objects.items() if kind in ("Job", "Deployment")}
    for pod in pods.values():
        (container,) = pod["spec"]["containers"]
        airflow(container["args"])
        for each in container["env"]:
            variable(each["name"], each.get("value", ""))
        for probe in (container[each] for each in container if each.endswith("Probe")):
            assert probe["httpGet"] == {"path": "/health", "port": container["ports"][0]["containerPort"]}
    for (kind, name), spec in objects.items():
        if kind == "Deployment":
            assert spec["selector"]["matchLabels"] == pods[name]["metadata"]["labels"]
        elif kind == "Service":
            assert spec["selector"] in [pod.get("metadata", {}).get("labels") for pod in pods.values()]
        elif kind == "Ingress":
            (path,) = spec["rules"][0]["http"]["paths"]
            assert path["path"] == "/outreach/in"
            service = path["backend"]["service"]
            assert service["port"]["number"] == objects["Service", service["name"]]["ports"][0]["port"]


def text(block: Block) -> None:
    """A requirements file is one; other text is what a command of the same page says."""
    if block.file == "requirements.txt":
        for line in block.text.splitlines()[1:]:
            if not line.startswith("--constraint "):
                wanted = Requirement(line)
                where = f"/{WHEEL}" if str(wanted.specifier) == f"=={__version__}" else wanted.url
                installed(f"{where or wanted}[{','.join(wanted.extras)}]")
    else:
        assert block.document.name == "tutorial.md"  # which tests/cli/test_tutorial.py compares


def dockerfile(block: Block) -> None:
    """Known instructions, and our own wheel of this version."""
    for words in Block.commands(block):
        assert words[0] in ("FROM", "COPY", "RUN"), words
        wheels = [word for word in words if ".whl" in word]
        assert [word for word in wheels if WHEEL not in word] == []


def python(block: Block) -> None:
    """It can be run."""
    ast.parse(block.text)
    exec(compile(block.text, str(block), "exec"), {"__name__": "document"})


def as_json(block: Block) -> None:
    """On the page of a platform: an event that is understood; on that of the others: a connection that can be used.

    On that of deliveries: an event as it is sent, with all its fields.
    """
    if block.document.stem == "custom":
        fields = json.loads(block.text)
        if isinstance(fields, list):
            return  # of handshakes: tests/receiver/test_handshakes.py asks each of them
        connection(fields)
        assert source_settings(
            "custom", password=fields["password"], extra=fields["extra"], url="https://x"
        ).custom
        return
    if block.document.stem == "deliveries":
        sent = json.loads(block.text)
        assert ContactEvent.from_dict(sent).to_dict() == sent
        return
    parsed = PLATFORMS[block.document.stem].parse(json.loads(block.text), "US")
    assert parsed is not None
    assert parsed.kind not in ("other", "unrecognised")
    assert parsed.contact.phone == "+12125550123"


def nginx(block: Block) -> None:
    """Each line is a directive that ends, and every block closes."""
    lines = [re.sub(r"\s*#.*", "", line).strip() for line in block.text.splitlines()]
    assert [line for line in lines if line and line[-1] not in ";{}"] == []
    assert block.text.count("{") == block.text.count("}")


def sql(block: Block) -> None:
    """PostgreSQL's own: tests/store/test_install_page.py runs it."""
    assert block.text.count(";") == len(block.text.strip().splitlines())


def mermaid(block: Block) -> None:
    """Help can show every arrow of it."""
    assert readable(block.text).count("\n") == block.text.count("-->")


CHECKS: dict[str, Callable[[Block], None]] = {
    "bash": shell, "yaml": yaml_file, "text": text, "ini": ini, "dockerfile": dockerfile, "python": python,
    "json": as_json, "nginx": nginx, "sql": sql, "mermaid": mermaid,
}  # fmt: skip
