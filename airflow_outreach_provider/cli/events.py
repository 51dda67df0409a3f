"""``airflow outreach receive | sources | events …``. Imported on every call: nothing heavy."""

from __future__ import annotations

from argparse import Namespace
from itertools import islice
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg

from airflow_outreach_provider.cli.common import (
    LAST_PORT,
    actor,
    exit_with_advice,
    positive_int,
    print_rows,
    since,
    with_advice,
)
from airflow_outreach_provider.hooks.advice import nobody_reads

if TYPE_CHECKING:
    import socket

    from airflow_outreach_provider.store.inbox.lists import EventFilter


def receive(args: Namespace) -> None:
    """Serve the receiver alone until Ctrl-C or SIGTERM."""
    import inspect
    import threading

    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from airflow_outreach_provider.receiver.protocol import limits

    def run() -> None:
        from airflow_outreach_provider.hooks.settings import open_store

        open_store()  # a store that is not ready is said here, once, and not by every worker
        config = uvicorn.Config(
            "airflow_outreach_provider.web.app:create_receiver",
            factory=True,
            workers=args.workers,
            access_log=False,  # URLs may hold tokens
            proxy_headers=False,  # who sends it is nothing we ask
            log_level="warning",
            **limits(),
        )
        bound = _bind(args.host, args.port)
        threading.Thread(target=_say_when_listening, args=(bound.getsockname()[:2],), daemon=True).start()
        server = uvicorn.Server(config)
        if args.workers == 1:
            server.run(sockets=[bound])
            return
        # Older versions are told what to run.
        older = "target" in inspect.signature(Multiprocess).parameters
        Multiprocess(config, **({"target": server.run} if older else {}), sockets=[bound]).run()

    with_advice(run, serves=True)


def _bind(host: str, port: int) -> socket.socket:
    """A socket that is the receiver's; whoever calls is refused until a process of it listens.

    :raises ConfigurationError: it cannot be had.
    """
    import socket

    from airflow_outreach_provider.core.errors import ConfigurationError

    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"the receiver cannot listen on {host}:{port}: {error.strerror}",
            "choose another --host or --port",
        ) from error
    bound.set_inheritable(True)  # for --workers
    return bound


def _say_when_listening(address: tuple[str, int]) -> None:
    import socket
    import time

    while True:
        try:
            socket.create_connection(address, timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    host, port = address
    shown = f"[{host}]" if ":" in host else host
    try:
        print(f"Receiving on http://{shown}:{port}/outreach/in/<connection id>", flush=True)
    except BrokenPipeError:
        nobody_reads()


@exit_with_advice
def sources(args: Namespace) -> None:
    """List sources: the URL to paste into the platform, how events are proven, the last event; or switch one."""
    if args.on or args.off:
        _switch(args)
        return
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.hooks.sources import list_sources, source_url
    from airflow_outreach_provider.store.inbox import lists as inbox_lists
    from airflow_outreach_provider.store.inbox.sources import SourceStatus, statuses

    listed = list(list_sources())
    activity = inbox_lists.source_activity(open_store(), [each.name for each in listed])
    known = statuses(open_store())
    rows = []
    for each in listed:
        last = activity.get(each.name)
        status = known.get(each.name) or SourceStatus(each.name)
        rows.append(
            {
                "source": each.name,
                "platform": each.settings.platform if each.settings else "",
                "url": source_url(each.name),
                "proof": each.settings.proof if each.settings else "",
                "last_event_at": last.last_received_at.isoformat(timespec="seconds") if last else "",
                "last_kind": last.last_kind if last else "",
                "on": f"no: {status.disabled_reason}" if status.disabled_at else "yes",
                "refused": status.refused,
                "last_refusal": f"{status.refused_status} {status.refused_reason}" if status.refused else "",
                "problem": each.problem or "",
            }
        )
    print_rows(rows, args.output)


def _switch(args: Namespace) -> None:
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.hooks.known import require_source
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    if args.on and args.off:
        raise ConfigurationError("--on and --off are both given", "switch one source at a time")
    name = args.on or args.off
    require_source(open_store(), name)
    if args.on:
        changed = actions.enable_source(open_store(), name, actor=actor())
        print(f"{name} {'takes events again, within a few seconds' if changed else 'was on'}")
    else:
        changed = actions.disable_source(open_store(), name, reason=args.reason or "", actor=actor())
        print(f"{name} {'takes no more events, within a few seconds' if changed else 'was off'}")


@exit_with_advice
def events_list(args: Namespace) -> None:
    """List stored events, newest first, personal data masked."""
    from airflow_outreach_provider.core.masking import mask_email, mask_phone
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store.inbox import lists as inbox_lists

    found = inbox_lists.every_event(open_store(), _filter(args))
    rows = [
        {
            "id": event.event_id,
            "received_at": event.received_at.isoformat(timespec="seconds"),
            "source": event.source,
            "type": event.type,
            "kind": event.kind,
            "phone": mask_phone(event.phone),
            "email": mask_email(event.email),
        }
        for event in islice(found, args.limit)
    ]
    print_rows(rows, args.output)


@exit_with_advice
def events_replay(args: Namespace) -> None:
    """Let one consumer read events again: counts first, and does it with --yes."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    wanted = _filter(args)
    count = actions.replayable(open_store(), args.consumer, wanted)
    if not args.yes:
        print(f"{count} events would be read again by {args.consumer}; add --yes to do it")
        return
    count = actions.replay(open_store(), args.consumer, wanted, actor=actor(), expected=count)
    print(f"{count} events will be read again by {args.consumer}")


@exit_with_advice
def events_consumers(args: Namespace) -> None:
    """List consumers: what each has read, and what it keeps from being purged."""
    from airflow_outreach_provider.hooks.settings import consumer_abandoned_after, open_store
    from airflow_outreach_provider.store.inbox import progress

    store, after = open_store(), consumer_abandoned_after()
    now = store.now()
    rows = [
        {
            "consumer": each.name,
            "not_read": each.behind,
            "not_acknowledged": each.pending,
            "last_read_at": each.read_at.isoformat(timespec="seconds"),
            "last_looked_at": each.looked_at.isoformat(timespec="minutes") if each.looked_at else "",
            "abandoned": "yes" if each.abandoned(now, after) else "",
        }
        for each in progress.consumers(store)
    ]
    print_rows(rows, args.output)


@exit_with_advice
def events_remove_consumer(args: Namespace) -> None:
    """Remove the progress of a consumer whose route is gone, so that its events can be purged."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    known = actions.consumer(open_store(), args.consumer)
    waiting = f"{known.behind + known.pending} events wait for {known.name}"
    if not args.yes:
        print(f"{waiting}; it would start anew under this name; add --yes to remove it")
        return
    actions.remove_consumer(open_store(), known, actor=actor())
    print(f"{known.name} is removed")


@exit_with_advice
def events_reparse(_args: Namespace) -> None:
    """Read stored unrecognised events again, after an upgrade or a change of a source's platform."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.hooks.sources import find_source
    from airflow_outreach_provider.services import actions

    count = actions.reparse(open_store(), find_source, actor=actor())
    print(f"{count} events are recognised now")


@exit_with_advice
def events_send_test(args: Namespace) -> None:
    """Make a signed event, give it to the receiver, and show the answer; exit code 1 unless it was stored."""
    from datetime import UTC, datetime
    from pathlib import Path

    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.core.events import EventKind
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.hooks.sources import get_source
    from airflow_outreach_provider.receiver.trial import make_trial, send_trial
    from airflow_outreach_provider.services import actions
    from airflow_outreach_provider.store.inbox.rows import check_kinds

    (kind,) = check_kinds([args.kind])
    source, store = get_source(args.source), open_store()
    try:
        body = Path(args.body).read_bytes() if args.body else None
    except OSError as error:
        raise ConfigurationError(f"{args.body} cannot be read ({error.strerror})", "give a file") from None
    trial = make_trial(source, EventKind(kind), datetime.now(UTC), body=body)
    actions.note(store, "test source", f"{source.name}: {kind}", actor=actor())
    status, said = send_trial(store, source, trial)
    print(f"{source.name} answered {said}")
    if status >= 300:
        raise SystemExit(1)


def _filter(args: Namespace) -> EventFilter:
    from airflow_outreach_provider.store.inbox.lists import EventFilter

    return EventFilter(
        source=args.source, kinds=args.kind, since=since(args.since), event_ids=getattr(args, "id", None)
    )


_SOURCE = Arg(flags=("--source",), help="Only events of this source (a connection id)")
_KIND = Arg(flags=("--kind",), action="append", help="Only events of this kind; may be given several times")
_SINCE = Arg(flags=("--since",), help="Received since: 90m, 2h, 3d, or ISO 8601")

RECEIVE = ActionCommand(
    name="receive",
    help="Receive webhooks without the API server",
    func=receive,
    args=(
        Arg(flags=("--host",), default="127.0.0.1", help="Address to listen on (default: 127.0.0.1)"),
        Arg(
            flags=("--port",),
            type=positive_int(allow_zero=True, most=LAST_PORT),
            default=8000,
            help="Port (default: 8000)",
        ),
        Arg(
            flags=("--workers",),
            type=positive_int(allow_zero=False),
            default=1,
            help="Processes (default: 1)",
        ),
    ),
)
SOURCES = ActionCommand(
    name="sources",
    help="List sources: the URL for the platform, the proof, the last event; or switch one on or off",
    func=sources,
    args=(
        Arg(flags=("--off",), metavar="SOURCE", help="Take no more events of this source"),
        Arg(flags=("--on",), metavar="SOURCE", help="Take events of this source again"),
        Arg(flags=("--reason",), help="Why it is switched off, for those who look"),
        ARG_OUTPUT,
    ),
)
EVENTS_LIST = ActionCommand(
    name="list",
    help="List stored events, newest first",
    func=events_list,
    args=(
        _SOURCE,
        _KIND,
        _SINCE,
        Arg(
            flags=("--limit",), type=positive_int(allow_zero=False), default=50, help="At most (default: 50)"
        ),
        ARG_OUTPUT,
    ),
)
EVENTS_REPLAY = ActionCommand(
    name="replay",
    help="Let a consumer read events again; counts only, unless --yes",
    func=events_replay,
    args=(
        Arg(flags=("consumer",), help="The consumer's name, as the sensor has it"),
        _SOURCE,
        _KIND,
        _SINCE,
        Arg(flags=("--id",), action="append", help="This event; may be given several times"),
        Arg(flags=("--yes",), action="store_true", help="Do it, not only count"),
    ),
)
EVENTS_CONSUMERS = ActionCommand(
    name="consumers",
    help="List consumers and what waits for them",
    func=events_consumers,
    args=(ARG_OUTPUT,),
)
EVENTS_REMOVE_CONSUMER = ActionCommand(
    name="remove-consumer",
    help="Remove the progress of a consumer that is gone; counts only, unless --yes",
    func=events_remove_consumer,
    args=(
        Arg(flags=("consumer",), help="The consumer's name, as the sensor had it"),
        Arg(flags=("--yes",), action="store_true", help="Do it, not only count"),
    ),
)
EVENTS_REPARSE = ActionCommand(
    name="reparse",
    help="Read unrecognised events again with the parsers of this version",
    func=events_reparse,
    args=(),
)
EVENTS_SEND_TEST = ActionCommand(
    name="send-test",
    help="Send a signed event about nobody through the receiver, to try a route without its platform",
    func=events_send_test,
    args=(
        Arg(flags=("source",), help="The connection id of the source"),
        Arg(flags=("--kind",), default="replied", help="What happened (default: replied)"),
        Arg(
            flags=("--body",), metavar="FILE", help="A request of the platform's own instead, signed as it is"
        ),
    ),
)
# ``airflow outreach receive`` and ``sources``; the others stand under ``airflow outreach events``.
COMMANDS = (RECEIVE, SOURCES)
EVENTS_COMMANDS = (
    EVENTS_LIST,
    EVENTS_REPLAY,
    EVENTS_CONSUMERS,
    EVENTS_REMOVE_CONSUMER,
    EVENTS_REPARSE,
    EVENTS_SEND_TEST,
)
