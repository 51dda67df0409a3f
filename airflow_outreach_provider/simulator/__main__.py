"""``python -m airflow_outreach_provider.simulator``: the simulator as a process for tests and benches.

Writes one JSON line when it is ready: ``{"url", "api_key", "configuration_id", "connection"}``, the last being
the Airflow connection.
"""

from __future__ import annotations

import argparse
import json
import sys

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.simulator.options import ARGUMENTS, connection_json, simulator_from


def main() -> None:
    parser = argparse.ArgumentParser(prog="airflow_outreach_provider.simulator", description=__doc__)
    for flags, keywords in ARGUMENTS:
        parser.add_argument(*flags, **keywords)
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that started it"
    )
    args = parser.parse_args()
    try:
        simulator = simulator_from(args)
        # Below the check: it imports what may be missing.
        from airflow_outreach_provider.simulator.runner import run

        def ready(url: str) -> None:
            connection = json.loads(connection_json(simulator, url))
            line = {
                "url": url,
                "api_key": simulator.account.api_key,
                "configuration_id": connection["extra"]["configuration_id"],
                "connection": connection,
            }
            print(json.dumps(line), flush=True)

        run(simulator, args.host, args.port, ready, until_stdin_closes=args.until_stdin_closes)
    except ConfigurationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
