"""The operator half of an event route: deliver a batch to an endpoint, or give each event to Python."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.observability import stats

from airflow_outreach_provider.core.arguments import (
    check_callable,
    check_connection,
    check_handler,
    check_mapping,
    check_text,
    check_whole,
    read_flag,
    said_later,
)
from airflow_outreach_provider.core.batch_form import group_form
from airflow_outreach_provider.core.custom_events import made_events
from airflow_outreach_provider.core.deliveries import check_route
from airflow_outreach_provider.core.errors import (
    AddressForbidden,
    ConfigurationError,
    DeliveriesFailed,
    OutreachUnavailable,
)
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import Payload, RequestForm
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.hooks.trials import stays_out
from airflow_outreach_provider.operators.defaults import RetryingForHours
from airflow_outreach_provider.operators.lineage import RouteLineage
from airflow_outreach_provider.operators.links import OutreachLink
from airflow_outreach_provider.operators.notices import Listeners, call, checked_listeners, tell_listeners
from airflow_outreach_provider.operators.task_tries import task_try
from airflow_outreach_provider.services.deliveries.batch import DEFAULT_CONCURRENCY, Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.callables import handle
from airflow_outreach_provider.store.connections import DELIVERING

if TYPE_CHECKING:
    from airflow.sdk import Context

EventBatch = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Sequence[str]
"""A batch of ``ContactEventSensor``; or events a DAG made itself; or ids of events in the inbox."""

_MAP_INDEX_TEMPLATE = (
    "{{ task.batch['label'] if task.batch is mapping and task.batch['label'] is defined else '' }}"
)


class MadeEvents:
    """Events made by a DAG, kept out of Airflow's database: rendered fields and serialised DAGs show a count."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.events = events

    def serialize(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{len(self.events)} events made by the DAG (personal data, not shown)"


class BatchOperator(RouteLineage, RetryingForHours, BaseOperator):
    """What the operators on batches share: reading the batch, knowing the try, telling Airflow the result.

    :param batch: one batch of a ``ContactEventSensor``, or a list of events as mappings (``type`` needed;
        ``id``, ``kind``, ``occurred_at``, ``contact``, ``campaign_id``, ``data`` if there), or one such
        mapping, or a list of ids of events in the inbox. An event with an ``id`` reaches the route once, whichever list
        it is in; without one it is known again within its task instance by what it says. What it holds is data, no template.
    :param route: under this name deliveries are kept; each event reaches each route.
    :param retry_schedule: the pause before each retry, and so how many there are: seconds, timedeltas or texts such as
        ``"2m"``, at most 50, in any order; each up to a tenth longer. By default 5 s, 30 s, 2 min, 10 min, 30 min, 2 h,
        5 h, 10 h. ``retries`` or ``retry_delay`` instead of it mean what they mean to Airflow; both are an error.
    :param on_outreach_event: called once for each operational event of this route and endpoint (resting, recovered,
        failing, disabled, deliveries dead), of sources that refuse and of events that no run reads: a function of
        ``{"kind", "subject", "detail", "at", "count"}``, an Airflow notifier (``outreach_event`` in its context), or several.
    """

    template_fields: Sequence[str] = ("batch", "route")
    handles_batches: ClassVar[bool] = True
    operator_extra_links = (OutreachLink(),)

    def __init__(
        self,
        *,
        batch: EventBatch,
        route: str,
        map_index_template: str | None = _MAP_INDEX_TEMPLATE,
        retry_schedule: Iterable[float | str | timedelta] | None = None,
        on_outreach_event: Listeners = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(map_index_template=map_index_template, **kwargs)
        self.on_outreach_event = checked_listeners(on_outreach_event)
        self.retry_schedule = retry_schedule
        self.batch = _discreet(batch)
        self._task: TaskTry | None = None
        if not said_later(route):
            check_route(route)  # a mistake shows in the DAG list, not in the first run
        self.route = route

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        """Events that came by XCom are kept out of the rendered fields Airflow stores."""
        super()._do_render_template_fields(*args, **kwargs)
        self.batch = _discreet(self.batch)

    def execute(self, context: Context) -> dict[str, int]:
        """Deliveries of the batch by state."""
        if stays_out(context, self.log):
            return {}
        try:
            return self._do(context)
        finally:
            subjects = {self.route, getattr(self, "endpoint_conn_id", "")}
            tell_listeners(self.on_outreach_event, subjects, context, self.log)

    @abstractmethod
    def _do(self, context: Context) -> dict[str, int]:
        """The work itself."""

    def _work(self, context: Context) -> tuple[Batch, TaskTry]:
        self._task = task = task_try(context["ti"], self)
        return read_batch(self.batch, check_route(self.route), task.owner, datetime.now(UTC)), task

    def on_kill(self) -> None:
        """Begin nothing more, give what is under way a moment, and give back the rest."""
        if self._task is not None:
            self._task.stop.set()

    def _conclude(self, report: Report, batch: Batch) -> dict[str, int]:
        """Green only when nothing of this batch is left to this task; else the exception that says what is."""
        self.states = states = report.states
        told = ", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "nothing to deliver"
        self.log.info("Route %s: %s", self.route, told)
        if came := sum(report.meanwhile.values()):
            self.log.info("Route %s: %d of them came in while this task was at work", self.route, came)
        for state, count in report.attempts.items():
            stats.incr(f"outreach.deliveries.{state}", count, tags={"route": self.route})
        why = f" — {report.rest or report.reason()}" if report.rest or report.reasons else ""
        if report.left:
            raise OutreachUnavailable(
                f"route {self.route!r}: {report.left} of {sum(states.values())} events are not done{why}",
                report.retry_after,
            )
        if report.busy_until is not None:
            wait = (report.busy_until - datetime.now(UTC)).total_seconds()
            raise OutreachUnavailable(
                f"route {self.route!r}: another task instance is at this batch", max(1.0, wait)
            )
        if report.elsewhere and batch.plan is None:
            raise OutreachUnavailable(
                f"route {self.route!r}: {report.elsewhere} of {sum(states.values())} events wait for an earlier "
                "event of their contact, which is another task's"
            )
        if dead := states.get("dead", 0):
            raise (DeliveriesFailed if report.used_up else ConfigurationError)(
                f"route {self.route!r}: {dead} of {sum(states.values())} deliveries failed{why}",
                "mend the cause, then clear this task or run 'airflow outreach deliveries redeliver'",
            )
        if unknown := states.get("unknown", 0):
            raise ConfigurationError(
                f"route {self.route!r}: {unknown} of {sum(states.values())} events are not stored",
                "correct their ids; where a person was forgotten or old events were purged, mark this task as success",
            )
        self._tell_waiting(report)
        return dict(states)

    def _tell_waiting(self, report: Report) -> None:
        """A retry of this task would not help: a warning; pink where nothing was delivered, or something still waits."""
        waiting = []
        if report.parked:
            waiting.append(
                f"{report.parked} deliveries wait for their time and another run takes them"
                + (f": {report.rest}" if report.rest else f": {report.reason()}")
            )
        if held := report.states.get("held", 0):
            waiting.append(f"the endpoint is disabled; {held} deliveries are held until it is enabled")
        if report.elsewhere:
            waiting.append(
                f"{report.elsewhere} deliveries are with another task, or wait for an earlier event of their contact"
            )
        if not waiting:
            return
        said = f"route {self.route!r}: {', and '.join(waiting)}"
        if report.parked or not report.states.get("delivered"):
            raise AirflowSkipException(said)
        self.log.warning("%s", said)


class DeliverEventsOperator(BatchOperator):
    """Deliver events to an endpoint as signed webhooks, in order per contact.

    A failed delivery fails the task, so that Airflow's retry, with its delay or the one the endpoint asks
    for, does what is left. What was delivered is not sent again. After the last try a delivery is dead:
    kept, shown, and redelivered by clearing the task or by the CLI. What is the endpoint's fault (401, 403, a wrong
    certificate, an outage for several contacts) kills none: the endpoint rests, one request asks at growing pauses,
    and then everything goes out in order.

    :param endpoint_conn_id: a connection of type ``outreach_endpoint``, or of Airflow's type ``http``.
    :param payload: ``"canonical"`` (our JSON, the same for every platform), ``"received"`` (the raw body), ``"none"``
        (no body: usual with DELETE), or a mapping or list whose texts may hold expressions such as
        ``{{ contact.email }}``, however deep.
    :param method: ``POST``, ``PUT``, ``PATCH`` or ``DELETE``; the connection's where None, else ``POST``.
    :param path: below the endpoint's URL, e.g. ``"contacts/{{ contact.email }}"``. What an event brings is encoded and
        stays in its place; an event that has nothing for it is refused.
    :param query: name → template, after ``?``. :param headers: name → template, besides those of the connection.
    :param omit_empty: leave out of the payload what is none or an empty text, list or mapping.
    :param content_type: ``"json"``, or ``"form"`` for a payload that is a mapping; the connection's where None, else JSON.
    :param save: name → template over ``response``, the answer's JSON (``{"crm_id": "{{ response.id }}"}``); requests for later
        events of the contact to this endpoint have it as ``{{ saved.crm_id }}``.
    :param batching: events of several contacts in one request: ``size``, ``items`` (the name of their list in the body),
        ``body`` (what is beside it), ``results`` and ``ok`` (the answer's list, and the condition on ``result`` by which
        each event is taken). The sensor's ``events_per_batch`` hands out as many together.
    :param concurrency: contacts at a time.
    :param on_endpoint_disabled: called with ``{"conn_id", "route", "reason"}`` when these deliveries disabled
        the endpoint: after HTTP 410, or five days (``[outreach] endpoint_disabled_after_days``) without one success.
    """

    template_fields: Sequence[str] = (*BatchOperator.template_fields, "endpoint_conn_id")
    ui_color = "#d9e8f5"

    def __init__(
        self,
        *,
        endpoint_conn_id: str,
        payload: Payload | None = None,
        method: str | None = None,
        path: str = "",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        omit_empty: bool = False,
        content_type: str | None = None,
        save: Mapping[str, Any] | None = None,
        batching: Mapping[str, Any] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        on_endpoint_disabled: Callable[[dict[str, str]], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_whole("concurrency", concurrency, "use a whole number from 1 on")
        self.endpoint_conn_id = check_connection("endpoint_conn_id", endpoint_conn_id, "crm")
        for name, value in {"query": query, "headers": headers, "save": save}.items():
            check_mapping(
                name, value, 'write names and their templates, e.g. {"id": "{{ contact.external_id }}"}'
            )
        check_text("path", path, 'write a text, e.g. "contacts/{{ contact.email }}"')
        self.form = RequestForm(
            payload, method, path, query or {}, headers or {}, read_flag("omit_empty", omit_empty), content_type, save or {},
            group_form(batching),
        )  # fmt: skip
        self.form.check()  # a mistake shows in the DAG list, not in the first run
        self.concurrency = concurrency
        if on_endpoint_disabled is not None:
            check_callable("on_endpoint_disabled", on_endpoint_disabled)
        self.on_endpoint_disabled = on_endpoint_disabled

    def _do(self, context: Context) -> dict[str, int]:
        # Imported late: only where something is sent.
        from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook
        from airflow_outreach_provider.services.deliveries.webhooks import deliver

        batch, task = self._work(context)
        endpoint = OutreachEndpointHook(self.endpoint_conn_id).endpoint()
        try:
            report = deliver(
                open_store(DELIVERING), batch, endpoint, task, form=self.form, concurrency=self.concurrency
            )
        except AddressForbidden as error:
            raise ConfigurationError(
                f"connection {self.endpoint_conn_id!r}: {error}",
                "correct its URL; to call a private network on purpose, name it in allow_networks",
            ) from error
        if report.disabled is not None:
            self._tell_disabled(report.disabled)
        return self._conclude(report, batch)

    def _tell_disabled(self, reason: str) -> None:
        if self.on_endpoint_disabled is not None:
            told = {"conn_id": self.endpoint_conn_id, "route": self.route, "reason": reason}
            try:
                call(self.on_endpoint_disabled, told)
            except Exception:
                # Whatever a user's callback does, the reason below must reach the task's log and state.
                self.log.exception("on_endpoint_disabled failed")
        raise ConfigurationError(
            f"endpoint {self.endpoint_conn_id!r} is disabled now: {reason}",
            "its deliveries are held; mend it, then 'airflow outreach deliveries enable' sends them",
        )


class HandleEventsOperator(BatchOperator):
    """Give each event to a Python callable: any hook, any system, without a webhook.

    Every event is acknowledged by itself, so a retry calls the callable only for those that failed. An
    exception fails the event and holds back later events of its contact, not those of others; a
    ``ConfigurationError`` stops the batch, and ``AirflowSkipException`` counts the event as done.

    :param python_callable: a function, plain or ``async``, called with one :class:`~core.events.ContactEvent`,
        then ``op_kwargs``. It may see an event twice when a worker dies between the call and its commit:
        de-duplicate on ``event.id``.
    :param op_kwargs: further keyword arguments.
    """

    template_fields: Sequence[str] = (*BatchOperator.template_fields, "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_kwargs": "py"}
    ui_color = "#ffefeb"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_callable("python_callable", python_callable)
        check_mapping("op_kwargs", op_kwargs, 'write names and values, e.g. {"dry": True}')
        check_handler("python_callable", python_callable, op_kwargs or {})
        self.python_callable = python_callable
        self.op_kwargs = dict(op_kwargs or {})

    def _do(self, context: Context) -> dict[str, int]:
        batch, task = self._work(context)
        report = handle(open_store(), batch, task, self._call, passed_over=(AirflowSkipException,))
        return self._conclude(report, batch)

    def _call(self, event: ContactEvent) -> Any:
        return self.python_callable(event, **self.op_kwargs)


def read_batch(value: EventBatch | MadeEvents, route: str, owner: Owner, now: datetime) -> Batch:
    """A batch in any of the forms an operator takes.

    :raises ConfigurationError: none of them.
    """
    if isinstance(value, MadeEvents):
        value = value.events
    if isinstance(value, Mapping) and "events" in value and "plan" in value:
        events, consumer = [str(each) for each in value["events"]], str(value.get("consumer") or "")
        return Batch(route, events, str(value["plan"]), consumer=consumer)
    is_one = isinstance(value, Mapping | str) or not isinstance(value, Iterable)
    items = [value] if is_one else list(value)
    if all(isinstance(each, str) for each in items):
        return Batch(route, [str(each) for each in items])
    described = [each for each in items if isinstance(each, Mapping)]
    if len(described) < len(items):
        raise ConfigurationError(
            f"the batch of route {route!r} is neither a sensor's batch nor a list of events or event ids",
            "expand over the sensor's output, or give a list of mappings with a 'type'",
        )
    made = made_events(described, unique=owner.key, source=owner.dag_id, now=now)
    return Batch(route, [event.id for event in made], None, made)


def _discreet(value: Any) -> Any:
    if isinstance(value, Mapping) and "plan" not in value:
        value = [value]
    is_made = isinstance(value, Sequence) and not isinstance(value, str) and value
    return MadeEvents(value) if is_made and all(isinstance(each, Mapping) for each in value) else value
