"""``airflow outreach new lead-sync | event-route``. Imported on every ``airflow`` call: nothing heavy here."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ActionCommand, Arg

from airflow_outreach_provider.cli.common import exit_with_advice
from airflow_outreach_provider.workflows.arguments import (
    NEW_EVENT_ROUTE_ARGUMENTS,
    NEW_LEAD_SYNC_ARGUMENTS,
    Argument,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WAYS = ("endpoint", "python", "outreach", "suppress")


@exit_with_advice
def new_lead_sync(args: Namespace) -> None:
    """Write a lead sync whose mapping is made from the columns of its source."""
    from airflow_outreach_provider.core.workflows.drafts import LeadDraft, lead_sync_lines, recognises_phone
    from airflow_outreach_provider.workflows.new import KINDS, columns_of, is_sql, leads_section

    ask = _Asking(args, "lead-sync")
    ask.for_needed("rows_from", f"Rows of (a file {KINDS}; a query; a table)")
    if args.rows_from is not None and is_sql(args.rows_from, args.sql_conn_id):
        ask.for_needed("sql_conn_id", "Connection of the database")
    ask.for_needed("name", "Name of the workflow", _name_of(args.rows_from or ""))
    ask.for_target()
    ask.done()
    leads = leads_section(args.rows_from, args.sql_conn_id, args.target)
    columns = columns_of(args.rows_from, args.sql_conn_id)
    if args.phone is None and ask.asks and not recognises_phone(columns):
        ask.for_needed("phone", f"Column with the phone number, of {', '.join(columns)}")
    ask.for_wanted("configuration_id", "Configuration id of the campaign", "the connection's own")
    ask.for_wanted("default_region", "Country of numbers without country code, e.g. US", "none")
    ask.for_wanted("schedule", "When it runs: cron, @daily, 15m", "by hand")
    given = {
        key: getattr(args, key)
        for key in ("phone", "conn_id", "configuration_id", "schedule", "default_region")
    }
    lines = lead_sync_lines(LeadDraft(args.name, leads, columns, **given))
    _write("lead_syncs", args.name, lines, args.target, ask)
    shown = shlex.quote(str(args.target))
    print(f"airflow outreach lint --connections --data {shown}")
    print(f"airflow outreach plan {args.name} --path {shown}    # sends nothing")


@exit_with_advice
def new_event_route(args: Namespace) -> None:
    """Write an event route."""
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.core.workflows.drafts import RouteDraft, event_route_lines

    ask = _Asking(args, "event-route")
    given = [way for way in _WAYS if getattr(args, way)]
    if len(given) > 1:
        raise ConfigurationError(
            f"--{given[0]} and --{given[1]} both say where events go",
            "give one; another route can have the other",
        )
    ask.for_needed("name", "Name of the workflow")
    ask.for_wanted("source", "Only events of the connection (type outreach_source)", "all")
    ask.for_wanted("kinds", "Kinds of event, e.g. replied interested", "all")
    if not given:
        ask.for_needed(
            "endpoint",
            "They go to the connection (type outreach_endpoint)",
            flags="--endpoint (or another way)",
        )
    ask.for_target()
    ask.done()
    way = next(way for way in _WAYS if getattr(args, way))
    value = "true" if way == "suppress" else getattr(args, way)
    said = args.kinds.split() if isinstance(args.kinds, str) else args.kinds or []
    kinds = [kind for each in said for kind in each.split(",") if kind]
    lines = event_route_lines(RouteDraft(args.name, (way, value), args.source, kinds, args.where))
    _write("event_routes", args.name, lines, args.target, ask)
    shown = shlex.quote(str(args.target))
    print(f"airflow outreach lint --connections {shown}")
    print(f"airflow outreach explain {args.name} --path {shown}")
    if args.source:
        kind = f" --kind {kinds[0]}" if kinds else ""
        print(
            f"airflow outreach events send-test {shlex.quote(args.source)}{kind}    # once its DAG is unpaused"
        )


class _Asking:
    """Asks at a terminal for what the flags leave open; elsewhere notes what is missing.

    :ivar asks: whether anybody is there to answer.
    """

    def __init__(self, args: Namespace, command: str) -> None:
        for key, value in list(vars(args).items()):
            if (
                isinstance(value, str) and not value.strip()
            ):  # a script's variable that is not set says nothing
                setattr(args, key, None)
        self._args, self._command = args, command
        self._missing: list[str] = []
        self.asks = sys.stdin.isatty() and not args.yes

    def for_needed(self, key: str, question: str, usual: str = "", flags: str = "") -> None:
        """Without an answer there is no workflow."""
        while getattr(self._args, key) is None:
            if not self.asks:
                self._missing.append(flags or f"--{'from' if key == 'rows_from' else key.replace('_', '-')}")
                return
            setattr(self._args, key, _answer(question, usual) or usual or None)

    def for_wanted(self, key: str, question: str, without: str) -> None:
        """No answer is one, too."""
        if getattr(self._args, key) is None and self.asks:
            setattr(self._args, key, _answer(question, without) or None)

    def for_target(self) -> None:
        """The workflow file, as ``args.target``."""
        name = self._args.name
        self.for_needed(
            "to", "Workflow file", str(_dags_folder() / "workflows" / f"{name}.yaml") if self.asks else ""
        )
        self._args.target = Path(self._args.to or "")

    def done(self) -> None:
        """:raises ConfigurationError: something is missing, and nobody can be asked."""
        from airflow_outreach_provider.core.errors import ConfigurationError

        if self._missing:
            raise ConfigurationError(
                f"missing: {', '.join(self._missing)}",
                f"give them, or run airflow outreach new {self._command} at a terminal, without --yes: it asks",
            )

    def agrees(self, text: str, target: Path) -> bool:
        """Whether it may be written, once it was seen."""
        if not self.asks:
            return True
        print(f"\n{text}\n")
        return _answer(f"Write it to {target}", "yes").lower() in {"", "y", "yes"}


def _answer(question: str, usual: str) -> str:
    try:
        return input(f"{question}{f' [{usual}]' if usual else ''}: ").strip()
    except EOFError:  # Ctrl-D: as Ctrl-C
        print()
        raise KeyboardInterrupt from None


def _write(section: str, name: str, lines: Sequence[str], target: Path, ask: _Asking) -> None:
    from airflow_outreach_provider.workflows.lint import lint
    from airflow_outreach_provider.workflows.new import check_lines, write_workflow

    check_lines(section, lines)
    if not ask.agrees("\n".join(lines), target):
        print("nothing was written")
        raise SystemExit(1)
    new = write_workflow(section, name, lines, target)
    print(f"{'wrote' if new else 'added to'} {target}")
    lint([str(target)], sys.stdout)
    print("\nnext:\n")
    if not _is_loaded(target):
        print("airflow outreach init    # once: the loader that makes DAGs of the files in workflows/")


def _is_loaded(target: Path) -> bool:
    """Whether a Python file beside the file or its folder loads workflows."""
    folders = {target.resolve().parent, target.resolve().parent.parent}
    return any(b"load_workflows" in path.read_bytes() for folder in folders for path in folder.glob("*.py"))


def _name_of(rows: str) -> str:
    """A name by the file or table; '' of a query."""
    import re

    if re.match(r"\s*(select|with)\b", rows, re.IGNORECASE):
        return ""
    last = rows.strip().rstrip("/").rpartition("/")[2].partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_]+", "_", last).strip("_")[:100]


def _dags_folder() -> Path:
    from airflow_outreach_provider.workflows.dag_folders import dags_folder

    return dags_folder()


def _command(name: str, text: str, run: Callable[[Any], None], table: tuple[Argument, ...]) -> ActionCommand:
    return ActionCommand(
        name=name, help=text, func=run, args=tuple(Arg(flags=flags, **keywords) for flags, keywords in table)
    )


NEW_COMMANDS = (
    _command(
        "lead-sync",
        "Write a lead sync: its mapping is made from the columns of the file or query",
        new_lead_sync,
        NEW_LEAD_SYNC_ARGUMENTS,
    ),
    _command("event-route", "Write an event route", new_event_route, NEW_EVENT_ROUTE_ARGUMENTS),
)
