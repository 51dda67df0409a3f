"""``/_sim/…``: how tests, benches and people ask the simulator, and change it while it runs.

========================  ===================================================================================
GET  ``/_sim/report``     the totals; ``?full=1`` shows whole phone numbers
GET  ``/_sim/texts``      how often each phone was texted; ``?phone=+1416…`` one person with the last payload
GET  ``/_sim/faults``     the faults, each with how often it hit
POST ``/_sim/faults``     ``{"faults": ["status=503,p=0.1"], "seed": 7}`` replaces them
POST ``/_sim/reset``      forget everybody and every count; faults stay and start anew
========================  ===================================================================================

They are open to whoever reaches the port: a simulator holds test people only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import parse_qs

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.simulator.faults import Faults
from airflow_outreach_provider.simulator.wire import ApiRequest, Reply, failure, json_answer


class Controls(Protocol):
    """What can be asked of a simulator, in process or through HTTP."""

    def report(self, *, full: bool = False) -> dict[str, Any]: ...

    def texts(self, phone: str | None = None) -> dict[str, Any]: ...

    def fault_report(self) -> dict[str, Any]: ...

    def set_faults(self, faults: Faults, seed: int | None = None) -> None: ...

    def reset(self) -> None: ...


def control(simulator: Controls, request: ApiRequest) -> Reply:
    """Answer a request below ``/_sim/``."""
    handlers: dict[tuple[bytes, str], Callable[[], Any]] = {
        (b"GET", "/_sim/report"): lambda: simulator.report(full=_asked(request, "full") not in (None, "0")),
        (b"GET", "/_sim/texts"): lambda: simulator.texts(_asked(request, "phone")),
        (b"GET", "/_sim/faults"): simulator.fault_report,
        (b"POST", "/_sim/faults"): lambda: _set_faults(simulator, request),
        (b"POST", "/_sim/reset"): lambda: _reset(simulator),
    }
    handler = handlers.get((request.method, request.path))
    if handler is None:
        known = ", ".join(f"{method.decode()} {path}" for method, path in handlers)
        return failure(404, f"The simulator knows {known}")
    try:
        return json_answer(200, handler())
    except ConfigurationError as error:
        return failure(400, str(error))


def _asked(request: ApiRequest, name: str) -> str | None:
    return parse_qs(request.query).get(name, [None])[-1]


def _reset(simulator: Controls) -> dict[str, Any]:
    simulator.reset()
    return {"reset": True}


def _set_faults(simulator: Controls, request: ApiRequest) -> dict[str, Any]:
    try:
        asked = json.loads(request.body)
        rules, seed = asked["faults"], asked.get("seed")
        understood = all(isinstance(rule, str) for rule in rules) and isinstance(seed, int | None)
    except (ValueError, TypeError, KeyError, AttributeError):
        understood = False
    if not understood:
        raise ConfigurationError(
            "The faults cannot be read", 'send {"faults": ["status=503,p=0.1"], "seed": 0}'
        )
    simulator.set_faults(Faults.of(*rules), seed)
    return simulator.fault_report()
