"""``airflow outreach deliveries …``: look at deliveries, send them again, switch endpoints. Nothing heavy here."""

from __future__ import annotations

from argparse import Namespace
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg

from airflow_outreach_provider.cli.common import actor, exit_with_advice, positive_int, print_rows, since

if TYPE_CHECKING:
    from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter

# As core.deliveries.DeliveryWord has them, and the old word for failed.
_STATES = ("pending", "retrying", "delivered", "failed", "held", "ignored", "handed", "dead")


@exit_with_advice
def deliveries_list(args: Namespace) -> None:
    """List deliveries, newest first, contacts masked."""
    from airflow_outreach_provider.core.deliveries import word_of
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store.deliveries import lists as deliveries_lists

    found = deliveries_lists.every_delivery(open_store(), _filter(args, args.state))
    shown = [
        {
            "id": row.id,
            "recorded_at": row.created_at.isoformat(timespec="seconds"),
            "route": row.route,
            "event": row.event_id,
            "what": row.label,
            "state": word_of(row.state).value,
            "tries": row.tries,
            "status": row.last_status or "",
            "error": row.last_error,
        }
        for row in islice(found, args.limit)
    ]
    print_rows(shown, args.output)


@exit_with_advice
def deliveries_attempts(args: Namespace) -> None:
    """Show every attempt of one delivery, with the task that made it and what was answered."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store.deliveries import lists as deliveries_lists

    attempts = deliveries_lists.attempts_of(open_store(), args.delivery)
    shown = [
        {
            "at": each.at.isoformat(timespec="seconds"),
            "verdict": each.verdict,
            "status": each.status or "",
            "ms": each.latency_ms,
            "error": each.error,
            "task": f"{each.dag_id}.{each.task_id}[{each.map_index}] try {each.try_number}",
            "run": each.airflow_run_id,
            "answer": each.answer[:200],
        }
        for each in attempts
    ]
    print_rows(shown, args.output)


@exit_with_advice
def deliveries_redeliver(args: Namespace) -> None:
    """Send deliveries again with all their tries: counts first, and does it with --yes."""
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions
    from airflow_outreach_provider.services.deliveries.redelivering import held_again

    if not (args.id or args.event or args.route or args.endpoint or args.since):
        raise ConfigurationError(
            "nothing says which deliveries", "give --id, --event, --route, --endpoint or --since"
        )
    wanted = _filter(args, args.state or ["failed"])
    count = sum(actions.redeliverable(open_store(), wanted).values())
    if held := held_again(open_store(), wanted):
        print(held)
    if not args.yes:
        print(f"{count} deliveries would be sent again; add --yes to do it")
        return
    count = actions.redeliver(open_store(), wanted, actor=actor(), expected=count).count
    print(f"{count} deliveries are pending again; the next run of their route sends them")


@exit_with_advice
def deliveries_endpoints(args: Namespace) -> None:
    """List endpoints that were delivered to: enabled or not, the last answer, failures in a row."""
    from airflow_outreach_provider.core.deliveries import DeliveryState
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store.deliveries import endpoints
    from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
    from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter

    store = open_store()
    shown = []
    for each in endpoints.statuses(store):
        counts = deliveries_lists.count(store, DeliveryFilter(endpoint=each.conn_id))
        shown.append(
            {
                "endpoint": each.conn_id,
                "enabled": "no: " + each.disabled_reason if each.disabled_at else "yes",
                "rests_until": each.rest_until.isoformat(timespec="seconds") if each.rest_until else "",
                "last_at": each.last_at.isoformat(timespec="seconds") if each.last_at else "",
                "last_status": each.last_status or "",
                "last_error": each.last_error,
                "failures_in_a_row": each.failures,
                "held": counts.get("held", 0),
                "failed": counts.get(DeliveryState.DEAD.value, 0),
            }
        )
    print_rows(shown, args.output)


@exit_with_advice
def deliveries_enable(args: Namespace) -> None:
    """Let deliveries to an endpoint go on, and say what becomes of those that were held."""
    from airflow_outreach_provider.hooks.known import require_endpoint
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions
    from airflow_outreach_provider.store.deliveries.endpoints import Release

    require_endpoint(open_store(), args.endpoint)
    done = actions.enable_endpoint(open_store(), args.endpoint, Release(args.release), actor=actor())
    dead = f", {done.dropped} have failed for good" if done.dropped else ""
    print(
        f"{args.endpoint} is enabled; {done.sent} held deliveries are sent by the next run of their route{dead}"
    )


@exit_with_advice
def deliveries_disable(args: Namespace) -> None:
    """Stop deliveries to an endpoint without deleting it; they are held."""
    from airflow_outreach_provider.hooks.known import require_endpoint
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    require_endpoint(open_store(), args.endpoint)
    changed = actions.disable_endpoint(open_store(), args.endpoint, reason=args.reason, actor=actor())
    print(f"{args.endpoint} is disabled{'' if changed else ' already'}; its deliveries are held")


@exit_with_advice
def deliveries_test(args: Namespace) -> None:
    """Send a signed test event, which names no person, and show the answer; exit code 1 unless 2xx."""
    from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    hook = OutreachEndpointHook(args.endpoint)
    hook.endpoint()  # one that cannot be used is a mistake like any other, not an answer
    actions.note(open_store(), "test endpoint", args.endpoint, actor=actor())
    ok, message = hook.test_connection()
    print(message)
    if not ok:
        raise SystemExit(1)


def _filter(args: Namespace, states: list[str] | None) -> DeliveryFilter:
    from airflow_outreach_provider.core.deliveries import DeliveryWord, current_word
    from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter

    return DeliveryFilter(
        ids=getattr(args, "id", None) or (),
        event_ids=args.event or (),
        route=args.route,
        endpoint=args.endpoint,
        states=[DeliveryWord(str(current_word(word))).state for word in states or ()],
        kinds=args.kind or (),
        since=since(args.since),
    )


def _many(flag: str, help_text: str, **more: Any) -> Arg:
    return Arg(flags=(flag,), action="append", help=f"{help_text}; may be given several times", **more)


_CHOICE = (
    _many("--event", "Only of this event"),
    Arg(flags=("--route",), help="Only of this route"),
    Arg(flags=("--endpoint",), help="Only to this endpoint (a connection id)"),
    _many("--kind", "Only of this kind of event"),
    Arg(flags=("--since",), help="Recorded since: 90m, 2h, 3d, or ISO 8601"),
)
_ENDPOINT = Arg(flags=("endpoint",), help="A connection id of type outreach_endpoint")

DELIVERIES_COMMANDS = (
    ActionCommand(
        name="list",
        help="List deliveries, newest first",
        func=deliveries_list,
        args=(
            *_CHOICE,
            _many("--state", "Only in this state", choices=_STATES),
            Arg(
                flags=("--limit",),
                type=positive_int(allow_zero=False),
                default=50,
                help="At most (default: 50)",
            ),
            ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="attempts",
        help="Show every attempt of one delivery",
        func=deliveries_attempts,
        args=(Arg(flags=("delivery",), type=positive_int(allow_zero=False), help="Its id"), ARG_OUTPUT),
    ),
    ActionCommand(
        name="redeliver",
        help="Send deliveries again (failed ones, unless --state says otherwise); counts only, unless --yes",
        func=deliveries_redeliver,
        args=(
            _many("--id", "This delivery", type=positive_int(allow_zero=False)),
            *_CHOICE,
            _many(
                "--state",
                "Only in this state (default: failed)",
                choices=("failed", "delivered", "ignored", "dead"),
            ),
            Arg(flags=("--yes",), action="store_true", help="Do it, not only count"),
        ),
    ),
    ActionCommand(
        name="endpoints",
        help="List endpoints: enabled or not, last answer, failures, held deliveries",
        func=deliveries_endpoints,
        args=(ARG_OUTPUT,),
    ),
    ActionCommand(
        name="enable",
        help="Let deliveries to an endpoint go on",
        func=deliveries_enable,
        args=(
            _ENDPOINT,
            Arg(
                flags=("--release",),
                choices=("all", "latest", "none"),
                required=True,
                help="Held deliveries to send: all, the latest of each contact, or none",
            ),
        ),
    ),
    ActionCommand(
        name="disable",
        help="Stop deliveries to an endpoint; they are held",
        func=deliveries_disable,
        args=(
            _ENDPOINT,
            Arg(flags=("--reason",), default="disabled by hand", help="Why, for those who look"),
        ),
    ),
    ActionCommand(
        name="test",
        help="Send a signed test event to an endpoint and show the answer",
        func=deliveries_test,
        args=(_ENDPOINT,),
    ),
)
