"""``airflow outreach …``. Imported with every ``airflow`` call, so nothing heavy is imported up here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import GroupCommand


def get_commands() -> list[GroupCommand]:
    """What Airflow adds to its command line."""
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    from airflow_outreach_provider.cli import (
        deliveries,
        doctor,
        events,
        leads,
        new,
        person,
        simulate,
        store,
        workflows,
    )
    from airflow_outreach_provider.cli.common import refusing_empty

    def group(name: str, text: str, commands: tuple[ActionCommand, ...]) -> GroupCommand:
        return GroupCommand(name=name, help=text, subcommands=refusing_empty(commands))

    return [
        GroupCommand(
            name="outreach",
            help="Leads, contact events and deliveries of the outreach provider",
            subcommands=(
                *refusing_empty(workflows.COMMANDS),
                # Of these an empty text is one that is missing: they ask for it.
                GroupCommand("new", "Write a workflow, asking for what is not said", new.NEW_COMMANDS),
                doctor.DOCTOR,
                group("leads", "Look at leads, settle held ones", leads.LEADS_COMMANDS),
                group("person", "All about one person: show, export, forget", person.PERSON_COMMANDS),
                group("suppressions", "The do-not-contact list", leads.SUPPRESSIONS_COMMANDS),
                group("events", "Look at contact events, replay them", events.EVENTS_COMMANDS),
                group("deliveries", "Look at deliveries, send them again", deliveries.DELIVERIES_COMMANDS),
                *refusing_empty((*events.COMMANDS, simulate.SIMULATE)),
                group("db", "The outreach store's tables", store.DB_COMMANDS),
                *refusing_empty((store.PURGE,)),
            ),
        )
    ]
