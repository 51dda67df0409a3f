"""What becomes of an event besides a delivery: a lead of a campaign, an entry of the do-not-contact list."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import get_current_context

from airflow_outreach_provider.core.arguments import check_mapping, read_flag, wrong
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachUnavailable
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.expressions.compile import Value, compile_value
from airflow_outreach_provider.core.expressions.scope import EVENT
from airflow_outreach_provider.core.opt_outs import is_opt_out
from airflow_outreach_provider.core.same_number import refuse_same_number
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.hooks.settings import lease, open_store, owner_of
from airflow_outreach_provider.operators.events import BatchOperator
from airflow_outreach_provider.operators.given import with_lost
from airflow_outreach_provider.operators.lead_source import ListSource
from airflow_outreach_provider.services.deliveries.callables import handle
from airflow_outreach_provider.services.deliveries.suppress import suppress_contact
from airflow_outreach_provider.services.submit.options import SubmitArguments, SubmitOptions
from airflow_outreach_provider.services.submit.runner import run_to_the_end, start
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.claims import Ledger

if TYPE_CHECKING:
    from airflow.sdk import Context

_log = logging.getLogger(__name__)

LEAD_OF_A_CONTACT: Mapping[str, str] = {
    "phoneNumber": "contact.phone",
    "firstName": "contact.first_name",
    "lastName": "contact.last_name",
    "email": "contact.email",
}


_OF_A_LIST = {
    "dry_run", "incremental", "max_people", "max_rows", "max_suppressed", "min_rows", "order_by", "shard", "shards", "stage_only",
}  # fmt: skip


class SubmitEventLeadsOperator(BatchOperator):
    """Make each event's contact a lead of the outreach API, through the ledger: once a campaign.

    :param mapping: field of the lead → field of the event (``contact.phone``) or a template over them.
    :param lead_arguments: further arguments of ``SubmitLeadsOperator``: ``outreach_conn_id``,
        ``configuration_id``, ``campaign``, ``payload_format``, ``quiet_hours``, … Templated.
    """

    template_fields = (*BatchOperator.template_fields, "lead_arguments")
    ui_color = "#dcebf7"

    def __init__(
        self,
        *,
        mapping: Mapping[str, str] = LEAD_OF_A_CONTACT,
        lead_arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_fields(mapping)
        check_mapping(
            "lead_arguments",
            lead_arguments,
            'write arguments of SubmitLeadsOperator, e.g. {"campaign": "spring"}',
        )
        for source in mapping.values():
            event_value(source)  # a mistake shows in the DAG list, not in the first run
        self.mapping = mapping
        self.lead_arguments = dict(lead_arguments or {})
        for name in _OF_A_LIST & self.lead_arguments.keys():
            raise ConfigurationError(
                f"lead_arguments: {name} is of a list, and each event is one lead",
                "leave it out; what would be sent shows Try it on the route's page"
                if name == "dry_run"
                else "leave it out",
            )
        said = {name: each for name, each in self.lead_arguments.items() if name != "outreach_conn_id"}
        SubmitArguments.of(said).check_written(tuple(said))

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        written = self.lead_arguments
        super()._do_render_template_fields(*args, **kwargs)
        self.lead_arguments = with_lost(written, self.lead_arguments)

    def _do(self, context: Context) -> dict[str, int]:
        batch, task = self._work(context)
        submit = SubmitEvent(self.mapping, self.lead_arguments)
        return self._conclude(handle(open_store(), batch, task, submit), batch)


class SuppressContactsOperator(BatchOperator):
    """Put the contacts of opt-out events on the do-not-contact list of all campaigns.

    Opt-outs are bounces, unsubscriptions, "not interested", and calls that ended as spam, wrong number or
    not interested. Other events of the batch are passed over.

    :param any_event: suppress the contact of every event, because the sensor chose them already.
    """

    ui_color = "#f5dcdc"

    def __init__(self, *, any_event: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.any_event = read_flag("any_event", any_event)

    def _do(self, context: Context) -> dict[str, int]:
        batch, task = self._work(context)
        return self._conclude(handle(open_store(), batch, task, self._suppress), batch)

    def _suppress(self, event: ContactEvent) -> None:
        if self.any_event or is_opt_out(event):
            suppress_event_contact(event)


def _check_fields(mapping: object) -> None:
    """:raises ConfigurationError: it is no mapping of fields of the lead to texts that read an event."""
    remedy = 'write fields of the lead and of the event, e.g. {"phoneNumber": "contact.phone"}'
    if mapping is None:
        raise wrong("mapping", mapping, remedy)
    check_mapping("mapping", mapping, remedy)
    for target, source in cast("Mapping[str, object]", mapping).items():
        if not isinstance(source, str):
            raise wrong(f"mapping[{target!r}]", source, remedy)
        refuse_same_number(target, source, "event")


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
        # Imported late: only where a lead is sent.
        from airflow_outreach_provider.hooks.outreach import OutreachHook

        lead = {target: value(event.to_dict()) for target, value in self._values().items()}
        # The person's address is looked for on the do-not-contact list, whether it is sent or not.
        row = {"email": event.contact.email, **lead} if event.contact.email else lead
        asked = {"mapping": {target: target for target in lead}, "max_rejected": None, **self.arguments}
        asked |= {name: value for name, value in templated.items() if value}
        hook = OutreachHook(asked.pop("outreach_conn_id", OutreachHook.default_conn_name))
        run = start(
            SubmitArguments.of(asked),
            hook,
            partial(ListSource, [row], f"event {event.id}"),
            owner_of(get_current_context()["ti"]),
            store=open_store(),
            lease=lease(),
        )
        # A time-out or a kill interrupts the waiting, not the loop: what became of the lead is still written.
        conclude(run_to_the_end(run), run.options, row, run.store)

    def _values(self) -> dict[str, Value]:
        return {target: event_value(source) for target, source in self.mapping.items()}


def event_value(source: str) -> Value:
    """A field of the event by its name (``contact.phone``), or a template over the event's fields."""
    return compile_value(source if "{{" in source else "{{" + source + "}}", EVENT)


def conclude(tally: Tally, options: SubmitOptions, row: Mapping[str, Any], store: Store) -> None:
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
            now = datetime.now(UTC)
            draft = options.rules.draft(row, now)
            full = Ledger(store, 0, options.rules.per_person).full([draft.phone], now).get(draft.phone)
            why = f"the contact has had {full.detail}" if full else "quiet hours at the contact's"
            opens = full.not_before if full else draft.not_before
            raise OutreachUnavailable(why, max(1.0, (opens - now).total_seconds() if opens else 60.0))
        case RowState.PLANNED | RowState.ELSEWHERE:
            raise OutreachUnavailable(f"the lead is {state.value} ({reason})")
