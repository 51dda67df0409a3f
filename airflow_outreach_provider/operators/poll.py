"""Poll a platform's contact list into the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_outreach_provider.core.arguments import check_connection, wrong
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.times import read_time
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.hooks.sources import get_source
from airflow_outreach_provider.hooks.trials import stays_out
from airflow_outreach_provider.operators.defaults import RetryingDefaults
from airflow_outreach_provider.services.events.poll import OVERLAP, PollResult, contact_list, poll_contacts
from airflow_outreach_provider.services.runtime.loop import run_async
from airflow_outreach_provider.store.inbox.sources import disabled

if TYPE_CHECKING:
    from airflow.sdk import Context


class PollContactsOperator(RetryingDefaults, BaseOperator):
    """Read a contact list (Tether, SuperSend) and store who is new and who changed, each once.

    Run it as often as you like: what was found before is found again within the overlap and stored once.
    Skipped while the source is switched off.

    :param source: an ``outreach_source`` connection with polling credentials.
    :param start: where the first poll goes back to, ISO 8601 or a timezone-aware datetime. Without it the
        first poll takes what changed within ``overlap``; contacts older than that are history.
    :param overlap: how much further back than the polls before each poll looks.
    :return: ``contacts``, ``events``, ``duplicates``, ``complete``, ``since``, ``pages`` (how many were read) and
        ``whole``: False where the list comes in the order of its changes and was read only as far as what is known. No
        platform promises that order: where a list has another, all of it is read each time.
    """

    template_fields: Sequence[str] = ("source", "start")
    ui_color = "#dcefe6"

    def __init__(
        self,
        *,
        source: str,
        start: str | datetime | None = None,
        overlap: timedelta = OVERLAP,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(overlap, timedelta) or overlap < timedelta(0):
            raise wrong("overlap", overlap, "write a timedelta, e.g. timedelta(hours=1)")
        self.source = check_connection("source", source, "tether")
        self.start = start
        self.overlap = overlap

    def execute(self, context: Context) -> dict[str, Any]:
        if stays_out(context, self.log):
            return {"contacts": 0, "events": 0, "duplicates": 0}
        start = _moment(self.start)
        source = get_source(self.source)
        store = open_store()
        if source.name in disabled(store):
            raise AirflowSkipException(f"source {source.name!r} is switched off")

        async def poll() -> PollResult:
            async with contact_list(source) as contacts:
                return await poll_contacts(store, source, contacts, start=start, overlap=self.overlap)

        result = run_async(poll())
        self.log.info(
            "%s: %d contacts, %d new events, %d known ones, changes since %s; %d pages, %s",
            source.name,
            result.contacts,
            result.events,
            result.duplicates,
            result.since,
            result.pages,
            "the whole list" if result.whole else "as far as what is known",
        )
        if not result.complete:
            self.log.warning(
                "The contact list of %s did not keep still long enough to be read as a whole; the next poll "
                "looks as far back as this one",
                source.name,
            )
        return {
            "contacts": result.contacts,
            "events": result.events,
            "duplicates": result.duplicates,
            "complete": result.complete,
            "since": result.since.isoformat(),
            "pages": result.pages,
            "whole": result.whole,
        }


def _moment(value: str | datetime | None) -> datetime | None:
    if not value:
        return None
    moment = read_time(value)
    if moment is None:
        raise ConfigurationError(f"start is {value!r}", "write ISO 8601, e.g. 2026-03-25T00:00:00+00:00")
    return moment
