"""``airflow outreach simulate``: try a DAG against a stand-in that texts nobody."""

from __future__ import annotations

import shlex
from argparse import Namespace

from airflow.cli.cli_config import ActionCommand, Arg

from airflow_outreach_provider.cli.common import with_advice
from airflow_outreach_provider.simulator.options import ARGUMENTS, connection_json, simulator_from

_READY = """\
The outreach API is simulated on {url}; nobody is texted. Ctrl-C ends it.
Point Airflow at it:

export AIRFLOW_CONN_OUTREACH_DEFAULT={connection}

Who was texted how often: curl {url}/_sim/report
"""


def simulate(args: Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM. Exits with what is wrong and what to do where it cannot start."""

    def serve() -> None:
        simulator = simulator_from(args)
        # Below the check: it imports what may be missing.
        from airflow_outreach_provider.simulator.runner import run

        def ready(url: str) -> None:
            print(_READY.format(url=url, connection=shlex.quote(connection_json(simulator, url))), flush=True)

        run(simulator, args.host, args.port, ready)

    with_advice(serve, serves=True)


SIMULATE = ActionCommand(
    name="simulate",
    help="Stand in for the outreach API, with the failures you ask for; texts nobody",
    func=simulate,
    args=tuple(Arg(flags=flags, **keywords) for flags, keywords in ARGUMENTS),
    epilog=(
        "A fault is kind[=value][,option=value...]. Kinds: status=CODE, drop, partial, slow=SECONDS, hang=SECONDS, "
        "latency=SECONDS, close, rate=PER_SECOND, connections=N. Options: p, first, every, skip, ending, per_phone, "
        "on, when=before|after|late, body=json|empty|html|invalid|unsuccessful, retry_after=SECONDS|date+SECONDS, "
        "location, how=reset|close, jitter, answer, announce."
    ),
)
