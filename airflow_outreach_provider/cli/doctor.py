"""``airflow outreach doctor``: does everything stand as it should? Imported on every call: nothing heavy here."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from argparse import Namespace
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg

from airflow_outreach_provider.cli.common import exit_with_advice

if TYPE_CHECKING:
    from airflow_outreach_provider.core.setup import CheckResult

_NARROWEST = 60


@exit_with_advice
def doctor(args: Namespace) -> None:
    """Look at everything, each check by itself; exit code 1 when one of them fails."""
    from airflow_outreach_provider.core.setup import CheckState, worst
    from airflow_outreach_provider.hooks.setup import look_around

    found = look_around(test=not args.no_tests, mounted=False)
    state = worst(found)
    if args.json:
        checks = [each.as_dict() for each in found]
        print(json.dumps({"state": state.value, "checks": checks}, indent=2, ensure_ascii=False))
    else:
        print(_as_text(found))
    if state is CheckState.FAIL:
        sys.stdout.flush()
        raise SystemExit(1)


def _as_text(found: list[CheckResult]) -> str:
    from airflow_outreach_provider.core.setup import summed_up

    width = max(_NARROWEST, shutil.get_terminal_size((100, 24)).columns)
    lines = []
    for each in found:
        lines += _wrapped(f"{each.name}: {each.found}", f"{each.state.value:<8}", width)
        if each.remedy:
            lines += _wrapped(each.remedy, "         → ", width)
    return "\n".join([*lines, "", summed_up(found)])


def _wrapped(text: str, begin: str, width: int) -> list[str]:
    """Long words, such as URLs, stay whole: they are to be copied."""
    return textwrap.wrap(
        text, width, initial_indent=begin, subsequent_indent=" " * len(begin), break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


DOCTOR = ActionCommand(
    name="doctor",
    help="Check store, rights, plugin, receiver, connections, triggerer, DAGs, clock, versions; a remedy for each",
    description="Texts nobody and changes nothing. Exit code 1 when a check fails.",
    func=doctor,
    args=(
        Arg(flags=("--json",), action="store_true", help="Print one JSON object"),
        Arg(flags=("--no-tests",), action="store_true", help="Ask no other side: no connection is tested"),
    ),
)
