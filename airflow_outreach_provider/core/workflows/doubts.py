"""What is no mistake in a workflow file and hardly meant: told by ``lint``, and keeps no DAG from being built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import time

from airflow_outreach_provider.core.phones import LineType, tells_mobile
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.said_zones import without_summer_time
from airflow_outreach_provider.core.workflows.loading import Loaded
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.outreach_sections import SendRules
from airflow_outreach_provider.core.workflows.problems import Path, Problem
from airflow_outreach_provider.core.workflows.unread_fields import unread_fields

_BY_DAY, _BY_NIGHT = (time(10), time(13), time(16)), time(3)


def doubts_about(workflows: Iterable[Loaded[DagSettings]]) -> list[Problem]:
    """All of them, where they stand. :param workflows: as they are in each environment."""
    every = list(workflows)
    return [
        problem
        for workflow in every
        for problem in (
            *(each for path, rules in _rules(workflow.model) for each in _line_types(workflow, path, rules)),
            *(
                each
                for path, rules in _rules(workflow.model)
                for each in _quiet_by_day(workflow, path, rules)
            ),
            *_waits_for_ever(workflow, every),
            *_unread_fields(workflow),
            *_still_zones(workflow),
        )
    ]


def _doubt(workflow: Loaded[DagSettings], path: Path, message: str, hint: str) -> Problem:
    return Problem.at(workflow.spot(*path), message, hint, (workflow.section, workflow.name, *path))


def _waits_for_ever(workflow: Loaded[DagSettings], every: Iterable[Loaded[DagSettings]]) -> Iterator[Problem]:
    """It depends on one that is switched off."""
    if not workflow.model.enabled:
        return
    beside = {each.name: each.model.enabled for each in every if each.environment == workflow.environment}
    for at, name in enumerate(workflow.model.depends_on or ()):
        if not beside.get(name, True):
            told = f" in {workflow.environment}" if workflow.environment else ""
            message = f"{name} is not enabled{told}, so that this never runs by itself"
            yield _doubt(workflow, ("depends_on", at), message, f"enable {name}, or switch this off too")


def _unread_fields(workflow: Loaded[DagSettings]) -> Iterator[Problem]:
    for path, message, hint in unread_fields(workflow.model):
        yield _doubt(workflow, path, message, hint)


def _still_zones(workflow: Loaded[DagSettings]) -> Iterator[Problem]:
    """A zone in which nobody's clocks go."""
    model = workflow.model
    zones: list[tuple[Path, str | None]] = [
        (("timezone",), model.timezone),
        (("schedule", "timezone"), model.schedule.zone if model.schedule else None),
    ]
    for path, zone in zones:
        if zone is not None and (still := without_summer_time(zone)) is not None:
            yield _doubt(workflow, path, *still)


def _rules(model: DagSettings) -> Iterator[tuple[Path, SendRules]]:
    if isinstance(model, LeadSync):
        yield ("rules",), model.rules
    elif isinstance(model, EventRoute) and model.deliver.outreach is not None:
        yield ("deliver", "outreach", "rules"), model.deliver.outreach.rules


def _quiet_by_day(workflow: Loaded[DagSettings], path: Path, rules: SendRules) -> Iterator[Problem]:
    """The hours in which people may be texted, written where those go in which nobody is."""
    if rules.quiet_hours is None:
        return
    quiet = QuietHours.parse(rules.quiet_hours)
    if not all(map(quiet.covers, _BY_DAY)) or quiet.covers(_BY_NIGHT):
        return
    start, end = f"{quiet.start:%H:%M}", f"{quiet.end:%H:%M}"
    message = f"nobody is texted in quiet_hours: people would be from {end} to {start}, by night"
    yield _doubt(
        workflow, (*path, "quiet_hours"), message, f'to text from {start} to {end}, write "{end}-{start}"'
    )


def _line_types(workflow: Loaded[DagSettings], path: Path, rules: SendRules) -> Iterator[Problem]:
    kinds, region = set(rules.line_types or ()), rules.default_region
    asked = kinds & {LineType.MOBILE.value, LineType.FIXED_LINE.value}
    if not asked or region is None or LineType.FIXED_LINE_OR_MOBILE.value in kinds or tells_mobile(region):
        return
    wanted = ", ".join([*(rules.line_types or ()), LineType.FIXED_LINE_OR_MOBILE.value])
    where = (*path, "line_types")
    yield Problem.at(
        workflow.spot(*where),
        f"in {region} mobile and fixed lines cannot be told apart: its numbers are fixed_line_or_mobile, "
        "and line_types lets none of them through",
        f"write line_types: [{wanted}]",
        (workflow.section, workflow.name, *where),
    )
