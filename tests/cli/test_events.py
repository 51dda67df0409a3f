"""``airflow outreach receive | sources | events …`` as functions of parsed arguments."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from stored import stored_events

from airflow_outreach_provider.cli import events as commands
from airflow_outreach_provider.core.intake import read_event
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, progress


@pytest.fixture
def store(tasks_store: Store) -> Store:
    return tasks_store


def run(command: Any, *argv: str) -> None:
    """As Airflow does it: arguments by the command's own definitions, then its function."""
    parser = argparse.ArgumentParser()
    for arg in command.args:
        arg.add_to_parser(parser)
    command.func(parser.parse_args(argv))


def put(store: Store, number: int) -> None:
    body = {
        "event": "message.received",
        "id": number,
        "contact": {"phoneNumber": "+14165550123", "email": "jane@example.com"},
    }
    source = SourceSettings("tether_main", "tether")
    inbox_append.append(
        store, [read_event(source, json.dumps(body).encode(), {}, received_at=datetime.now(UTC))]
    )


def test_events_list_masks_people(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The list shows what happened, newest first, and nobody's whole number or address."""
    put(store, 1)
    put(store, 2)
    run(commands.EVENTS_LIST, "--limit", "1", "-o", "json", "--kind", "replied", "--since", "1h")
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["source"], row["kind"], row["phone"]) == ("tether_main", "replied", "+1416•••0123")
    assert row["email"] == "j•••@example.com"
    with pytest.raises(SystemExit, match=r"write e\.g\. 2h"):
        run(commands.EVENTS_LIST, "--since", "yesterday")
    with pytest.raises(SystemExit, match="no event kind 'replid'"):
        run(commands.EVENTS_LIST, "--kind", "replid")


def test_events_replay_counts_first(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Replay says how many and does nothing without --yes."""
    put(store, 1)
    event = consumers.read_new(store, "crm")[0]
    consumers.acknowledge(store, "crm", [event.seq or 0])
    run(commands.EVENTS_REPLAY, "crm", "--since", "1d")
    assert "1 events would be read again" in capsys.readouterr().out
    assert consumers.read_new(store, "crm") == []
    run(commands.EVENTS_REPLAY, "crm", "--id", event.id, "--yes")
    assert [each.id for each in consumers.read_new(store, "crm")] == [event.id]
    with pytest.raises(SystemExit, match="did you mean 'crm'"):
        run(commands.EVENTS_REPLAY, "cmr", "--since", "1d")
    with pytest.raises(SystemExit, match="nothing says which events"):
        run(commands.EVENTS_REPLAY, "crm")


def test_a_consumer_that_is_gone_can_be_removed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Consumers are listed with what waits for them; removing one counts first."""
    put(store, 1)
    consumers.read_new(store, "crm")
    run(commands.EVENTS_CONSUMERS, "-o", "json")
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["consumer"], row["not_read"], row["not_acknowledged"]) == ("crm", "0", "1")
    assert row["abandoned"] == ""
    run(commands.EVENTS_REMOVE_CONSUMER, "crm")
    assert "1 events wait for crm" in capsys.readouterr().out
    run(commands.EVENTS_REMOVE_CONSUMER, "crm", "--yes")
    assert progress.consumers(store) == []
    with pytest.raises(SystemExit, match="there is no consumer 'crm'"):
        run(commands.EVENTS_REMOVE_CONSUMER, "crm")


def test_sources_show_urls_and_problems(
    airflow_db: None, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every source has its URL, its proof, its last event, and what is wrong with it."""
    good = {"conn_type": "outreach_source", "password": "x" * 16, "extra": {"platform": "tether"}}
    monkeypatch.setenv("AIRFLOW_CONN_TETHER_MAIN", json.dumps(good))
    monkeypatch.setenv("AIRFLOW_CONN_MISSPELT", json.dumps({**good, "extra": {"platform": "vrada"}}))
    put(store, 1)
    run(commands.SOURCES, "-o", "json")
    out = capsys.readouterr().out
    bad, tether = json.loads(out[out.index("[{") if "[{" in out else out.index("[") :])
    assert tether["url"].endswith("/outreach/in/tether_main")
    assert (tether["proof"], tether["last_kind"], tether["problem"]) == ("token", "replied", "")
    assert "did you mean 'varda'" in bad["problem"]
    assert "x" * 16 not in out


def test_reparse(airflow_db: None, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing unrecognised, nothing is read again."""
    run(commands.EVENTS_REPARSE)
    assert "0 events are recognised now" in capsys.readouterr().out


@pytest.mark.slow
def test_receive_serves_until_told_to_stop(airflow_db: None, store: Store) -> None:
    """``receive`` is a whole receiver of its own, here with two processes, and ends on SIGTERM."""
    extra = {"platform": "tether", "allow_unsigned": True}
    environment = {
        **os.environ,
        "AIRFLOW_CONN_OPEN": json.dumps({"conn_type": "outreach_source", "extra": extra}),
        "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": store.url.render_as_string(hide_password=False),
    }
    code = (
        "import argparse, socket, sys\n"
        "from airflow_outreach_provider.cli.events import receive\n"
        "probe = socket.create_server(('127.0.0.1', 0)); port = probe.getsockname()[1]; probe.close()\n"
        "receive(argparse.Namespace(host='127.0.0.1', port=port, workers=2))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if match := re.search(r"Receiving on http://127\.0\.0\.1:(\d+)/outreach/in/", line):
                port = int(match.group(1))
                break
        answers = [_post(port, f"/outreach/in/{name}") for name in ("open", "open", "nobody")]
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert answers == [202, 200, 404], said
    assert len(stored_events(store)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "heard"), [(1, True), (2, False)], ids=["its first line", "nothing"])
def test_a_receiver_whose_reader_has_gone_takes_events_without_a_word(
    airflow_db: None, store: Store, workers: int, heard: bool
) -> None:
    """``receive | true`` and ``receive | head -1``: what it would print, and log, of a refused request is lost, and
    nothing else; no traceback then, nor when it is ended by Ctrl-C.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    code = (
        "import argparse, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from airflow_outreach_provider.cli.events import receive\n"
        f"receive(argparse.Namespace(host='127.0.0.1', port={port}, workers={workers}))"
    )
    extra = {"platform": "tether", "allow_unsigned": True}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={
            **os.environ,
            "AIRFLOW_CONN_OPEN": json.dumps({"conn_type": "outreach_source", "extra": extra}),
            "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": store.url.render_as_string(hide_password=False),
        },
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        while heard and "Receiving on" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        assert [_post(port, f"/outreach/in/{name}") for name in ("nobody", "open")] == [404, 202]
        time.sleep(0.5)  # where nothing was heard, what says that it listens comes a moment later
    finally:
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        process.stderr.close()
        process.wait(30)
    assert said == ""


@pytest.mark.slow
def test_receiving_is_said_when_it_listens_and_not_before(airflow_db: None, store: Store) -> None:
    """A port that is somebody's: one line that says so, exit code 1, and never *Receiving on*."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = (
            "import argparse\nfrom airflow_outreach_provider.cli.events import receive\n"
            f"receive(argparse.Namespace(host='127.0.0.1', port={port}, workers=1))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": store.url.render_as_string(hide_password=False)},
        )  # fmt: skip
    assert ran.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ran.stderr
    assert "Receiving on" not in ran.stdout
    assert "Traceback" not in ran.stderr


def _post(port: int, path: str) -> int:
    for _ in range(600):  # two workers that import Airflow
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", path, b'{"event": "x"}', {"Content-Type": "application/json"})
            return connection.getresponse().status
        except ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the receiver did not start")


def test_a_source_is_switched_from_the_command_line(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, airflow_db: None
) -> None:
    """Off and on, with the reason in the list and an audit row each; an unknown source is refused."""
    from airflow_outreach_provider.store import audit

    connection = {
        "conn_type": "outreach_source",
        "password": "a-token-of-length",
        "extra": {"platform": "tether"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TETHER_MAIN", json.dumps(connection))
    run(commands.SOURCES, "--off", "tether_main", "--reason", "moving")
    assert "takes no more events" in capsys.readouterr().out
    run(commands.SOURCES, "-o", "json")
    (row,) = [each for each in json.loads(capsys.readouterr().out) if each["source"] == "tether_main"]
    assert row["on"] == "no: moving"
    run(commands.SOURCES, "--on", "tether_main")
    assert "takes events again" in capsys.readouterr().out
    assert [row.action for row in audit.entries(store).rows] == ["enable source", "disable source"]
    with pytest.raises(SystemExit, match="no source 'nobody'"):
        run(commands.SOURCES, "--off", "nobody")
