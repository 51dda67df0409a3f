"""``SubmitLeadsOperator``: a whole batch of leads in one task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator, XComArg
from airflow.sdk.observability import stats

from airflow_outreach_provider.core.arguments import as_written, check_connection, said_later
from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.leads import PayloadFormat
from airflow_outreach_provider.core.masking import shown_url
from airflow_outreach_provider.core.progress import settled, share_done, time_left
from airflow_outreach_provider.core.row_order import read_order
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.hooks.connection_fields import OUTREACH_DEFAULT
from airflow_outreach_provider.hooks.settings import lease, open_store, owner_of
from airflow_outreach_provider.hooks.trials import rings_no_follower, trial_in
from airflow_outreach_provider.operators.defaults import AheadOfDeliveries
from airflow_outreach_provider.operators.given import NEVER_NOTHING, given_by, with_lost
from airflow_outreach_provider.operators.lead_source import (
    LeadRows,
    SqlLeads,
    check_leads,
    kept_private,
    open_source,
    private_leads,
    within,
)
from airflow_outreach_provider.operators.lineage import SyncLineage
from airflow_outreach_provider.operators.links import OutreachLink
from airflow_outreach_provider.operators.notices import Listeners, checked_listeners, tell_listeners
from airflow_outreach_provider.operators.trials import try_rows
from airflow_outreach_provider.services.submit.columns import column_reader
from airflow_outreach_provider.services.submit.options import SubmitArguments, SubmitOptions
from airflow_outreach_provider.services.submit.reconcile import (
    Contacts,
    Reconciled,
    absent_after,
    reconcile_once,
)
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.services.submit.runner import RowSource, run_to_the_end, start
from airflow_outreach_provider.store.connections import SENDING

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_outreach_provider.hooks.outreach import OutreachHook
    from airflow_outreach_provider.store.engine import Store


class SubmitLeadsOperator(SyncLineage, AheadOfDeliveries, BaseOperator):
    """Submit leads to the outreach API, each person at most once a campaign.

    The ledger remembers who was submitted: a retry, a Clear, a backfill, another DAG with the same file send
    only what is left. Returns the rows by state; they add up to the rows read.

    :param leads: a None written in the DAG sends what is planned in the ledger (see ``StageLeadsOperator``), one that
        a template or an upstream task yields is an error; else a list of dicts, a table of Arrow, pandas or Polars, a
        path or URI of ``.csv``, ``.jsonl``, ``.json``, ``.parquet`` or ``.xlsx`` files (text optionally ``.gz``; ``*`` in
        the file name; any object store Airflow knows), ``FileLeads``, ``SqlLeads`` (whose query may be the name of a
        ``.sql`` file), or a list of such sources. Streamed. Templated, but for what the rows of a list hold: that is data.
    :param configuration_id: the platform's outreach configuration; the connection's where None; a row's own
        ``configurationId`` comes before both. Templated.
    :param mapping: field of the lead → column of the row, a ``{{ row.column | trim }}`` template, or a value that is the
        same for everybody: a number, a boolean, None, a list, an object, or a text in quotes of its own, ``"'sms'"``.
        None recognises the usual names of phone, first and last name and e-mail, and sends all other columns as
        custom properties.
    :param where: a condition on the row's columns, e.g. ``title == 'Nurse' and row['Last seen'] >= data_interval_start``;
        rows that do not meet it are counted as *filtered*, and nothing else is made of them. Each file of several has the
        columns it names, or the task fails; one that may be missing is asked for: ``optout is not defined or …``. It and ``mapping`` know the
        run too: ``ds``, ``data_interval_start``, ``data_interval_end``, ``params.…``, ``var.value.…``.
    :param order_by: columns by which rows go out, e.g. ``["score desc", "created_at"]``; the source is read to its end first,
        sorted on disk where it is large. As they come where None.
    :param unique: ``"email"``: of leads of the campaign with one address one is texted, whatever their numbers; the
        others are duplicates (``same_address``). Looked at when a row is staged.
    :param incremental: a column such as ``updated_at``: only rows are taken from where the last run of this DAG for the
        campaign came to that ended well and read its whole source; older ones are *filtered* (``not_new``). Of mapped tasks,
        and of several in a DAG, each goes by its own runs; mapped ones over lists that nothing tells apart from run to run, as
        another task gives them, take all rows. It holds times in
        ISO 8601 or numbers: rows with anything else, or a time to come, are read by every run, noted, and set no mark.
    :param payload_format: ``raw`` (flat) or ``fixed`` (contacts, applications, conversations).
    :param campaign: what a phone number is unique within; the configuration id where None or empty. Blanks around it count for
        nothing. Templated: as of ``configuration_id``, ``default_region`` and ``dry_run``, a None that a template yields is an
        error, for its value is lost; ``{{ params.campaign or '' }}`` means the default.
    :param default_region: where numbers without country code belong, e.g. ``US``; the connection's where None.
    :param on_unknown: leads whose outcome is unknown are held (``hold``, at most one text a person) or sent
        again by the next try (``resend``, at least one).
    :param resubmit: accepted leads whose row changed: ``never``, ``changed``, or a timedelta: changed, and
        accepted at least that long ago. Compared are values, not their writing.
    :param changed_on: the columns whose values count as a change; None for all that is sent.
    :param per_person: e.g. ``"1 per 7d"``: no more texts to a person in that time, of whatever campaign; who has had
        them waits as *deferred* for the run after it.
    :param quiet_hours: e.g. ``21:00-08:00``: hours at the recipient's in which nobody is texted; a later run does.
        Looked at when a row is read and again before it is sent.
    :param require_consent: a column that must say yes; a name that no row has is an error.
    :param line_types: kinds of line that may be texted, e.g. ``["mobile", "fixed_line_or_mobile"]``.
    :param time_zone: a column that says where the person is (an IANA name), for quiet hours; without it, or where it
        is empty, the number's own zones count, and for one that is in no place (satellite, toll-free) all zones of the
        campaign's other numbers and of ``default_region``. A lead that its source lists no more is judged by its number.
    :param several_phones: a cell with several numbers is rejected (``reject``), or its first that can be read is taken
        (``first``).
    :param unknown_ranges: numbers that have as many digits as their country's mobiles and are in no range known to be in use
        are rejected (``reject``, reason ``phone_unknown_range``), or taken (``allow``).
    :param max_rejected: how many rows may fail, ``"5%"`` or a number, before the task does; None for any number.
        With this or one of the next two the source is read to its end and judged before anybody is texted.
    :param max_suppressed: the same for suppressed rows: a rule that lets nobody through is no success.
    :param min_rows: fewer rows than this fail the task before anybody is texted: a number, or
        ``"50% of last run"``: of the rows of the last successful run of this DAG for the campaign, of several
        tasks each of its own; a first run has none to compare with, which is allowed, and said in the log.
    :param dry_run: do everything but send and write. Templated; what comes out must say true or false.
    :param max_rows: read no more rows than this, with 0 none at all; all where None or empty. Templated.
    :param concurrency: most requests in flight, and most leads a crash leaves in doubt; the connection's where None.
    :param requests_per_second: shared by all tasks of the connection; the connection's where None.
    :param patience: seconds without a good answer after which the rest is Airflow's retry's; 5 at most before a run's first.
    :param shard: with ``leads=None``, which share of the planned leads this mapped task sends first, from 0.
    :param shards: into how many shares they are divided; a task that is done helps the others.
    :param outreach_conn_id: a connection of type ``outreach``. Templated.
    :param on_outreach_event: told once when leads of this campaign are held; see ``DeliverEventsOperator``.
    """

    template_fields: Sequence[str] = (
        "leads", "outreach_conn_id", "configuration_id", "campaign", "default_region", "dry_run", "max_rows",
    )  # fmt: skip
    template_ext = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"leads": "py"}
    ui_color = "#dcebf7"
    operator_extra_links = (OutreachLink(),)
    stage_only = False
    max_people: int | None = None
    given: Mapping[str, object] | None = None

    def __init__(
        self,
        *,
        leads: str | Iterable[Mapping[str, Any]] | SqlLeads | Any,
        configuration_id: str | None = None,
        mapping: Mapping[str, Any] | None = None,
        where: str | None = None,
        order_by: str | Iterable[str] | None = None,
        unique: str | Iterable[str] | None = None,
        incremental: str | None = None,
        payload_format: PayloadFormat = "raw",
        campaign: str | None = None,
        default_region: str | None = None,
        on_unknown: Literal["hold", "resend"] = "hold",
        resubmit: Literal["never", "changed"] | timedelta = "never",
        changed_on: Iterable[str] | None = None,
        per_person: str | None = None,
        quiet_hours: str | None = None,
        require_consent: str | None = None,
        line_types: Iterable[str] | None = None,
        time_zone: str | None = None,
        several_phones: Literal["reject", "first"] = "reject",
        unknown_ranges: Literal["reject", "allow"] = "reject",
        max_rejected: str | int | None = "5%",
        max_suppressed: str | int | None = None,
        min_rows: int | str | None = None,
        dry_run: bool | str = False,
        max_rows: int | str | None = None,
        concurrency: int | None = None,
        requests_per_second: float | None = None,
        patience: float = 30.0,
        shard: int = 0,
        shards: int = 1,
        outreach_conn_id: str = OUTREACH_DEFAULT,
        on_outreach_event: Listeners = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.leads = private_leads(leads)
        self.configuration_id = configuration_id
        self.mapping, self.where = mapping, where
        self.order_by, self.unique, self.incremental = order_by, unique, incremental
        self.payload_format = payload_format
        self.campaign, self.default_region = campaign, default_region
        self.on_unknown, self.per_person = on_unknown, per_person
        self.resubmit, self.changed_on = resubmit, changed_on
        self.quiet_hours, self.time_zone = quiet_hours, time_zone
        self.require_consent, self.line_types = require_consent, line_types
        self.several_phones, self.unknown_ranges = several_phones, unknown_ranges
        self.max_rejected, self.max_suppressed = max_rejected, max_suppressed
        self.min_rows, self.max_rows, self.dry_run = min_rows, max_rows, dry_run
        self.concurrency, self.requests_per_second = concurrency, requests_per_second
        self.patience, self.shard, self.shards = patience, shard, shards
        self.outreach_conn_id = check_connection("outreach_conn_id", outreach_conn_id, OUTREACH_DEFAULT)
        self.on_outreach_event = checked_listeners(on_outreach_event)
        self._run: SubmitRun | None = None
        # A mistake shows in the DAG list, not in the first run.
        self.arguments().check_written(self.template_fields)
        check_leads(leads)
        XComArg.apply_upstream_relationship(self, within(self.leads))

    def execute(self, context: Context) -> dict[str, int]:
        """:return: rows by state; of a dry run, ``planned`` are all whom a run would text, what earlier runs left included."""
        # Imported late: only where something is sent.
        from airflow_outreach_provider.hooks.outreach import OutreachHook

        hook = OutreachHook(self.outreach_conn_id)
        self.given = given_by(context)
        if trial_in(context) is not None:
            return try_rows(partial(self._start, hook, context), self, owner_of(context["ti"]))
        run = self._start(hook, context)
        _settle_held(run, hook, self.log)
        self.log.info("Submitting leads of %s to %s", run.source, shown_url(hook.settings.api.base_url))
        try:
            run_to_the_end(run)
        finally:
            self.log.info("Rows by state:\n%s", run.tally.table())
            _measure(run, _tags(self))
            tell_listeners(self.on_outreach_event, {run.campaign}, context, self.log)
        return _announced(run, self.outlets, context)

    def _start(self, hook: OutreachHook, context: Context) -> SubmitRun:
        self._run = start(
            self.arguments(), hook, self._open, owner_of(context["ti"]), store=open_store(SENDING), lease=lease(),
            progress=lambda source: ProgressLog(source, self.log.info, tags=_tags(self)),
        )  # fmt: skip
        return self._run

    def _open(self) -> RowSource:
        ordered = [each.column for each in read_order(self.order_by)]
        named = (self.require_consent, self.time_zone, self.changed_on, ordered, self.incremental)
        return open_source(self.leads, column_reader(self.mapping, *named, where=self.where))

    def on_kill(self) -> None:
        """Claim nothing more and give the requests in flight a moment to be answered."""
        if self._run is not None:
            self._run.stop("the task was killed")

    def arguments(self) -> SubmitArguments:
        """What this task asks for, as written in the DAG and rendered by Airflow."""
        said = {
            each.name: getattr(self, each.name) for each in fields(SubmitArguments) if each.name != "apart"
        }
        return SubmitArguments(**said, apart=_is_one_of_several(self))

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        """Leads that came by XCom, or as a list written as text, are kept out of the rendered fields Airflow stores.

        Only a None written in the DAG means "what is planned": one that a template or an upstream task yields is a list
        that is missing.
        """
        asked_for_planned = self.leads is None
        written = {name: getattr(self, name) for name in NEVER_NOTHING}
        super()._do_render_template_fields(*args, **kwargs)
        for name, value in with_lost(written, {name: getattr(self, name) for name in NEVER_NOTHING}).items():
            setattr(self, name, value)
        lost = self.leads is None and not asked_for_planned
        self.leads = LeadRows(None) if lost else kept_private(self.leads)


def _is_one_of_several(sync: SubmitLeadsOperator) -> bool:
    """Whether other tasks of its DAG, mapped ones among them, may send other leads for the campaign."""
    tasks = sync.dag.tasks if sync.has_dag() and sync.dry_run is not True else ()
    others = (_written(each) for each in tasks if each.task_id != sync.task_id)
    return any(each is not None and _may_send_beside(sync, each) for each in others)


def _written(task: Any) -> Mapping[str, Any] | None:
    """What a DAG says of a task that sends leads: of a mapped one what holds for all of them. None of another's."""
    kind = getattr(task, "operator_class", type(task))
    if not (isinstance(kind, type) and issubclass(kind, SubmitLeadsOperator)):
        return None
    return as_written(task)


def _may_send_beside(sync: SubmitLeadsOperator, said: Mapping[str, Any]) -> bool:
    if said.get("dry_run") is True or ("leads" in said and said["leads"] is None):
        return False
    theirs, ours = said.get("campaign"), sync.campaign
    # Where one is not said it is the configuration's, which may be called the same.
    return not theirs or not ours or said_later(theirs) or str(theirs).strip() == str(ours).strip()


def _announced(run: SubmitRun, outlets: Iterable[Any], context: Context) -> dict[str, int]:
    """Rows by state, which the assets behind the task tell too; a dry run starts nobody who follows."""
    counts, dry_run = run.tally.by_state(), run.options.dry_run
    if dry_run:
        rings_no_follower(context)
    for outlet in outlets:
        context["outlet_events"][outlet].extra.update(counts, dry_run=dry_run)
    if dry_run:
        counts[RowState.PLANNED.value] = run.tally.to_text
    return counts


class StageLeadsOperator(SubmitLeadsOperator):
    """Read, check and plan leads, and leave the sending to ``SubmitLeadsOperator(leads=None)`` in mapped tasks.

    So a large sync is read once and sent by many workers::

        stage = StageLeadsOperator(task_id="stage", leads="s3://bucket/leads.csv")
        stage >> SubmitLeadsOperator.partial(task_id="submit", leads=None, shards=4).expand(shard=[0, 1, 2, 3])

    Takes the arguments of ``SubmitLeadsOperator``. What it planned is sent by whoever sends the campaign next.
    """

    ui_color = "#e8f1e4"
    stage_only = True


class ProgressLog:
    """A line now and then: after 3 seconds, then ever more seldom, up to every 30 seconds."""

    def __init__(
        self,
        source: RowSource,
        write: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._source, self._write, self._clock = source, write, clock
        self._tags = dict(tags or {})
        self._started = clock()
        self._pause = 3.0
        self._next = self._started + self._pause

    def __call__(self, run: SubmitRun) -> None:
        now = self._clock()
        if now < self._next:
            return
        self._pause = min(30.0, self._pause * 1.5)
        self._next = now + self._pause
        elapsed = now - self._started
        tally = run.tally
        states = ", ".join(f"{state.value} {n:,}" for state in RowState if (n := tally.counts[state]))
        self._write(
            "%s rows read, %.0f rows/s, %d in flight%s: %s",
            f"{tally.read:,}", tally.read / elapsed, run.flight.in_flight, self._left(run, elapsed), states or "nothing settled yet",
        )  # fmt: skip
        stats.gauge("outreach.leads.in_flight", run.flight.in_flight, tags=self._tags)

    def _left(self, run: SubmitRun, elapsed: float) -> str:
        """By what is done with: a list that is judged first is read long before it is sent."""
        fraction = self._source.fraction()
        if not fraction or fraction < 0.01:
            return ""
        left = time_left(elapsed, share_done(fraction, settled(run.tally.by_state()), run.tally.read))
        return f", {fraction:.0%} read" + (f", about {left} left" if left is not None else "")


def _tags(task: BaseOperator) -> dict[str, str]:
    return {"dag_id": task.dag_id, "task_id": task.task_id}


def _measure(run: SubmitRun, tags: dict[str, str]) -> None:
    tally = run.tally
    for state in RowState:
        if tally.counts[state]:
            stats.incr(f"outreach.leads.{state.value}", tally.counts[state], tags=tags)
    stats.gauge("outreach.leads.held_now", tally.counts[RowState.HELD], tags=tags)
    stats.gauge("outreach.leads.in_flight", run.flight.in_flight, tags=tags)
    stats.timing("outreach.leads.latency", run.pace.latency_ms, tags=tags)
    stats.incr("outreach.leads.rate_waits", run.rate_waits, tags=tags)


def _settle_held(run: SubmitRun, hook: OutreachHook, log: Any) -> None:
    """What earlier tries left held, where the connection can see the contact list.

    Where a source lists leads, before: what becomes of a held row is counted when it is read. Else meanwhile.
    """
    contacts = hook.contacts()
    if contacts is None or run.options.dry_run:
        return
    delay = absent_after(hook.settings.api.timeout)
    settle = partial(_look_up_held, run.store, contacts, run.options, delay, log)
    if run.sends_planned:
        run.beside = settle
    else:
        asyncio.run(settle())


async def _look_up_held(
    store: Store, contacts: Contacts, options: SubmitOptions, delay: timedelta, log: Any
) -> None:
    """One of the tasks that send a campaign asks its contact list for all; an aid, never a fault."""
    campaign = options.rules.campaign or options.rules.configuration_id
    try:
        done = await reconcile_once(store, contacts, conn_id=options.conn_id, delay=delay, campaign=campaign)
    except OutreachError as error:
        log.warning("Held leads could not be looked up in the contact list: %s", error)
        return
    if done != Reconciled():
        log.info(
            "Held leads by the contact list: %d accepted, %d to be sent again, %d still held",
            done.accepted, done.planned, done.waiting,
        )  # fmt: skip


__all__ = ["LeadRows", "SqlLeads", "StageLeadsOperator", "SubmitLeadsOperator"]
