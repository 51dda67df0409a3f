"""One request under fire: delays, the forged or broken answer, and what became of the lead."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_outreach_provider.simulator.api import Call, processed
from airflow_outreach_provider.simulator.dice import Plan
from airflow_outreach_provider.simulator.faults import Body, Fault, Kind
from airflow_outreach_provider.simulator.wire import (
    JSON,
    Answer,
    Request,
    encode,
    failure,
    html_page,
    http_date,
    json_answer,
)

if TYPE_CHECKING:
    from airflow_outreach_provider.simulator.connection import Connection

_TRICKLE_STEPS = 20
_DELIVERY_SECONDS = 0.02


class Exchange:
    """Wait, act, wait, answer; :meth:`abandon` when the client leaves in between."""

    def __init__(self, connection: Connection, request: Request, call: Call, plan: Plan) -> None:
        self._connection, self._request, self._call, self._plan = connection, request, call, plan
        self._answer: Answer | None = None
        self._acted = self._counted = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._after(self._plan.before, self._act)

    def abandon(self) -> None:
        """The client is gone: what was to be processed late still is, anything else is over."""
        if not self._acted and self._plan.late:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not self._acted:
            self._acted = True
            self._plan.settle(texted=False)
        self._count(None)

    def _act(self) -> None:
        self._acted = True
        before = self._connection.site.texted()
        if self._plan.processes:
            self._answer = perform(self._call)
        self._plan.settle(texted=self._connection.site.texted() > before)
        if self._connection.gone:
            self._count(None)
        else:
            self._after(self._plan.after, self._reply)

    def _reply(self) -> None:
        fault, connection = self._plan.outcome, self._connection
        answer = self._answer or forge(fault, self._request)
        if fault is None:
            self._send(answer)
        elif fault.kind is Kind.DROP:
            self._count(None)
            connection.cut(fault.how)
        elif fault.kind is Kind.PARTIAL:
            self._count(None)
            whole = encode(answer, close=False)
            connection.write(whole[: len(whole) - (len(answer.body) + 1) // 2])
            self._timer = connection.loop.call_later(_DELIVERY_SECONDS, connection.cut, fault.how)
        elif fault.kind is Kind.SLOW:
            self._trickle(answer, fault.value or 0.0)
        else:
            self._send(forge(fault, self._request))

    def _send(self, answer: Answer) -> None:
        close = self._plan.close
        announced = close is not None and close.announce
        self._count(answer.status)
        self._connection.answer(
            self._request, answer, close=announced, silent_close=close is not None and not announced
        )
        self._connection.next()

    def _trickle(self, answer: Answer, seconds: float) -> None:
        """The head at once, the body in pieces spread evenly over ``seconds``."""
        whole, body = encode(answer, close=False), answer.body
        step = max(1, -(-len(body) // _TRICKLE_STEPS))
        pieces = [body[start : start + step] for start in range(0, len(body), step)]
        self._connection.write(whole[: len(whole) - len(body)])

        def send(index: int) -> None:
            self._connection.write(pieces[index])
            if index + 1 < len(pieces):
                self._after(seconds / len(pieces), lambda: send(index + 1))
            else:
                self._count(answer.status)
                if self._plan.close is not None or not self._request.keep_alive:
                    self._connection.finish()
                self._connection.next()

        self._after(seconds / len(pieces), lambda: send(0))

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        self._timer = None
        if seconds > 0:
            self._timer = self._connection.loop.call_later(seconds, step)
        else:
            step()

    def _count(self, status: int | None) -> None:
        if not self._counted:
            self._counted = True
            self._connection.site.count(self._call, status, self._plan)


def perform(call: Call) -> Answer:
    """Act on the request; what the simulator itself cannot do (a full disk) is an answer too."""
    try:
        return call.run()
    except Exception:  # noqa: BLE001 - a server answers; the trace is for the simulator's owner
        complain()
        return failure(500, "The simulator failed; see its error output")


def complain() -> None:
    """The current exception on standard error, which may lie on the same full disk."""
    with contextlib.suppress(OSError):
        traceback.print_exc(file=sys.stderr)


def forge(fault: Fault | None, request: Request) -> Answer:
    """The answer a fault invents; where it invents none, a 200 for a contact that does not exist."""
    if fault is None or fault.kind not in (Kind.STATUS, Kind.RATE, Kind.CONNECTIONS):
        return processed(0)
    status = int(fault.answer or fault.value or 500)
    headers = b""
    if fault.retry_after is not None:
        headers += b"Retry-After: %b\r\n" % _retry_after(fault.retry_after).encode()
    if 300 <= status < 400:
        headers += b"Location: %b\r\n" % (fault.location or f"{request.path}?moved=1").encode()
    if fault.body is Body.EMPTY:
        return Answer(status, headers=headers)
    if fault.body is Body.HTML:
        return html_page(status)._replace(headers=headers)
    if fault.body is Body.INVALID:
        return Answer(status, b'{"success": tru', JSON, headers)
    if fault.body is Body.UNSUCCESSFUL:
        return json_answer(status, {"success": False, "message": "The lead could not be processed"}, headers)
    return (
        processed(0)._replace(headers=headers)
        if status == 200
        else failure(status, MESSAGES.get(status, "Error"), headers)
    )


def _retry_after(text: str) -> str:
    """``date+7`` becomes the HTTP date in 7 s; all else goes out as written."""
    prefix, plus, seconds = text.partition("+")
    return http_date(float(seconds)) if prefix == "date" and plus else text


MESSAGES = {
    400: "Outreach configuration is not active",
    401: "Invalid or missing API key",
    404: "Outreach configuration not found",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}
