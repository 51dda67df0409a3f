"""What an event route does with an event, besides delivering it: a function, a lead, the do-not-contact list."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from airflow.sdk import get_current_context

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachUnavailable
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.expressions import EVENT, Value, compile_value
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.hooks.outreach import OutreachHook
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator
from airflow_outreach_provider.services.reading import read_list
from airflow_outreach_provider.services.submit import SubmitOptions, SubmitRun
from airflow_outreach_provider.services.suppress import suppress_contact
from airflow_outreach_provider.services.tally import Tally
from airflow_outreach_provider.store.runs import Owner

_log = logging.getLogger(__name__)


def import_function(path: str) -> Callable[..., Any]:
    """The function a dotted path names.

    :raises ConfigurationError: there is no such module or function.
    """
    module_name, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module_name), name, None)
    except ImportError as error:
        raise ConfigurationError(
            f"{path} cannot be imported: {error}", "put the module on the workers' Python path"
        ) from error
    if not callable(found):
        raise ConfigurationError(f"{module_name} has no function {name!r}", "check the name in the workflow")
    return found  # type: ignore[no-any-return]


class CallFunction:
    """``deliver: {python: package.module.function}``; imported when the first event comes."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, event: ContactEvent) -> Any:
        return import_function(self.path)(event)


def suppress_event_contact(event: ContactEvent) -> None:
    """``deliver: {suppress: true}``."""
    known = suppress_contact(open_store(), event)
    _log.info("Event %s (%s): %d numbers of the contact are suppressed now", event.id, event.kind, known)


class SubmitEvent:
    """``deliver: {outreach: …}``: the event's contact as a lead, once a campaign like any other.

    Quiet hours at the contact's put the event off: Airflow retries when they end.

    :param mapping: field of the lead → field of the event, or a template over them.
    :param arguments: of ``SubmitLeadsOperator``; what is templated comes with the call.
    """

    def __init__(self, mapping: Mapping[str, str], arguments: Mapping[str, Any]) -> None:
        self.mapping, self.arguments = dict(mapping), dict(arguments)

    def __call__(self, event: ContactEvent, **templated: Any) -> None:
        row = {target: value(event.to_dict()) for target, value in self._values().items()}
        context = get_current_context()
        ti = context["ti"]
        operator = SubmitLeadsOperator(
            task_id=f"{ti.task_id.rpartition('.')[2]}_lead",
            leads=[row],
            mapping={target: target for target in row},
            max_rejected=None,
            dag=None,
            **self.arguments | {key: value for key, value in templated.items() if value},
        )
        hook = OutreachHook(operator.outreach_conn_id)
        options = operator.build_options(hook.settings)
        owner = Owner(ti.dag_id, ti.task_id, ti.run_id, _map_index(ti), ti.try_number)
        run = SubmitRun(
            open_store(), hook.client(), read_list([row]), options, owner=owner, source=f"event {event.id}"
        )
        # The caller is inside an event loop already.
        with ThreadPoolExecutor(1, thread_name_prefix="outreach-event") as thread:
            tally = thread.submit(asyncio.run, run.run()).result()
        conclude(tally, options, row)

    def _values(self) -> dict[str, Value]:
        return {target: event_value(source) for target, source in self.mapping.items()}


def event_value(source: str) -> Value:
    """A field of the event by its name (``contact.phone``), or a template over the event's fields."""
    return compile_value(source if "{{" in source else "{{" + source + "}}", EVENT)


def conclude(tally: Tally, options: SubmitOptions, row: Mapping[str, Any]) -> None:
    """Say what the one row's state means for its event.

    :raises LeadRejected: it was not sent and will not be. :raises OutreachUnavailable: not yet.
    """
    [state] = [each for each, count in tally.counts.items() if count]
    [reason] = [name for (_, name) in tally.reasons] or [""]
    match state:
        case RowState.ACCEPTED | RowState.UNCHANGED | RowState.DUPLICATE | RowState.SUPPRESSED:
            _log.info("The contact is %s%s", state.value, f" ({reason})" if reason else "")
        case RowState.REJECTED:
            raise LeadRejected(reason, "the event's contact cannot be a lead")
        case RowState.HELD:
            raise LeadRejected("held", f"{reason}; settle it: airflow outreach leads resolve")
        case RowState.DEFERRED:
            opens = options.rules.draft(row, datetime.now(UTC)).not_before
            wait = (opens - datetime.now(UTC)).total_seconds() if opens else 60.0
            raise OutreachUnavailable("quiet hours at the contact's", max(1.0, wait))
        case RowState.PLANNED | RowState.ELSEWHERE:
            raise OutreachUnavailable(f"the lead is {state.value} ({reason})")


def _map_index(ti: Any) -> int:
    return ti.map_index if ti.map_index is not None else -1
