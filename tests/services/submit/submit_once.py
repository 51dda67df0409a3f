"""One run of a batch in a process of its own, to be killed: ``python submit_once.py JSON``; prints its tally."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.store.engine import Store


def main(given: dict[str, object]) -> None:
    rows = [{"phone": f"+1416{2_000_000 + n}", "firstName": f"P{n}"} for n in given["rows"]]  # type: ignore[attr-defined]
    options = SubmitOptions(
        LeadRules(configuration_id=str(given["configuration_id"])),
        window=int(given["window"]),  # type: ignore[call-overload]
        lease=timedelta(seconds=float(given.get("lease", 300))),  # type: ignore[arg-type]
        conn_id=str(given.get("conn_id", "")),
        on_unknown=given.get("on_unknown", "hold"),  # type: ignore[arg-type]
    )
    client = OutreachClient(
        ApiSettings(str(given["url"]), str(given["api_key"]), trust_env=False, timeout=10)
    )
    run = SubmitRun(
        Store(str(given["store"])),
        client,
        read_list(rows),
        options,
        owner=Owner(str(given["owner"]), try_number=int(given.get("try", 1))),  # type: ignore[call-overload]
    )
    error = None
    print("started", flush=True)
    try:
        loop.run(run.run())
    except OutreachError as raised:
        error = type(raised).__name__
    carried = dict(run.tally.carried)
    print(
        json.dumps(
            {"read": run.tally.read, "counts": run.tally.by_state(), "carried": carried, "error": error}
        ),
        flush=True,
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
