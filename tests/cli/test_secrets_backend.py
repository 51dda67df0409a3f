"""Commands read connections and variables from a secrets backend, exactly as Airflow's own commands do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.simulator.process import running_simulator

_LOGIN = {"contacts_email": "me@example.com", "contacts_password": "a-password"}
_WORKFLOWS = """\
lead_syncs:
  kept_elsewhere: {leads: {csv: "{{ var.value.leads_kept_elsewhere }}"}, outreach: {conn_id: api_kept_elsewhere}}
event_routes:
  to_vault: {source: source_kept_elsewhere, deliver: {endpoint: crm_kept_elsewhere}}
"""


@pytest.fixture(scope="module")
def kept(migrated_airflow: Any) -> Any:
    """``kept(ARGV…)`` runs a command where everything is in Airflow's ``LocalFilesystemBackend``, nothing elsewhere."""
    home: Path = migrated_airflow.home / "elsewhere"
    (home / "workflows").mkdir(parents=True)
    (home / "workflows/leads.csv").write_text("phone\n+14165550123\n")
    (home / "workflows/all.yaml").write_text(_WORKFLOWS)

    def answer(*_: object) -> tuple[int, bytes, dict[str, str]]:
        return 200, b"ok", {}

    with running_simulator(**_LOGIN) as sim, scripted(answer) as url:
        connections = {
            "api_kept_elsewhere": {"conn_type": "outreach", "host": sim.url, "password": sim.api_key,
                                   "extra": {"configuration_id": sim.configuration_id, **_LOGIN}},
            "crm_kept_elsewhere": {"conn_type": "outreach_endpoint", "host": f"{url}/hook",
                                   "extra": {"allow_networks": "127.0.0.0/8"}},
            "source_kept_elsewhere": {"conn_type": "outreach_source", "password": "0123456789abcdef",
                                      "extra": {"platform": "supersend"}},
        }  # fmt: skip
        (home / "connections.json").write_text(json.dumps(connections))
        variables = {"leads_kept_elsewhere": str(home / "workflows/leads.csv")}
        (home / "variables.json").write_text(json.dumps(variables))
        paths = {f"{name}_file_path": str(home / f"{name}.json") for name in ("connections", "variables")}
        env = {
            "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(paths),
        }
        yield lambda *argv, with_backend=True: migrated_airflow.run(*argv, env=env if with_backend else {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("connections get crm_kept_elsewhere", "outreach_endpoint"),
        ("variables get leads_kept_elsewhere", "leads.csv"),
        ("outreach plan kept_elsewhere --path elsewhere/workflows", "1 of 1 rows would be texted"),
        ("outreach lint --connections elsewhere/workflows", "no mistakes"),
        ("outreach leads reconcile --conn-id api_kept_elsewhere", "0 "),
        ("outreach deliveries test crm_kept_elsewhere", "HTTP 200"),
    ],
)
def test_a_command_reads_what_the_backend_keeps(kept: Any, command: str, words: str) -> None:
    """Airflow's own commands find it there, and so do ours; without the backend nobody does."""
    ended = kept(*command.split())
    assert words in ended.output
    assert (ended.code, "Traceback" in ended.output) == (0, False), ended.output
    without = kept(*command.split(), with_backend=False)
    assert without.code != 0, without.output
    assert "Traceback" not in without.output or command.split()[0] != "outreach"


@pytest.mark.slow
def test_a_source_that_the_backend_keeps_is_switched(kept: Any) -> None:
    """Off and on; without the backend it is unknown, until somebody has switched it."""
    command = ("outreach", "sources", "--off", "source_kept_elsewhere")
    without = kept(*command, with_backend=False)
    assert without.code != 0 and "there is no source" in without.output and "Traceback" not in without.output
    for how, words in (("--off", "takes no more events"), ("--on", "takes events")):
        ended = kept("outreach", "sources", how, "source_kept_elsewhere")
        assert ended.code == 0 and words in ended.output


def test_nothing_is_in_the_environment() -> None:
    """Else these tests would show nothing."""
    assert not [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]
