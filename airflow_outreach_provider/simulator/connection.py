"""HTTP/1.1 on one connection: bare asyncio and llhttp, so that a bench measures the client.

A request that a fault was chosen for is an exchange of its own: delays, the forged or broken answer, and what
became of the lead.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from airflow_outreach_provider.simulator.api import Call, forge
from airflow_outreach_provider.simulator.fault_selection import FaultPlan
from airflow_outreach_provider.simulator.faults import Cut, InjectedFault, Kind
from airflow_outreach_provider.simulator.wire import MAX_BODY, ApiRequest, Reply, encode, failure

_TOO_LARGE = failure(413, "Body over 1 MiB")
_NO_UPGRADE = failure(501, "HTTP/1.1 only; no upgrade, no tunnel")
_WAITING = 64
_LINGER_SECONDS = 2.0
_TRICKLE_STEPS = 20
_DELIVERY_SECONDS = 0.02


class Site(Protocol):
    """What a connection needs from the simulator."""

    def admit(self, connection: Connection) -> InjectedFault | None: ...

    def leave(self, connection: Connection) -> None: ...

    def open(self, request: ApiRequest) -> Call | Reply: ...

    def select(self, call: Call) -> FaultPlan | None: ...

    def texted(self) -> int: ...

    def count(self, call: Call, status: int | None, plan: FaultPlan | None) -> None: ...


class Connection(asyncio.Protocol):
    """Reads requests and answers them in their order; a pipelined one waits until the former is answered."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.loop = asyncio.get_running_loop()
        self.gone = False
        self._deaf = self._draining = False
        self._refusal: InjectedFault | None = None
        self._waiting: deque[ApiRequest] = deque()
        self._exchange: FaultyExchange | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._authorization = b""
        self._body: list[bytes] = []
        self._size = 0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._refusal = self.site.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.site.leave(self)
        self._waiting.clear()
        if self._exchange is not None:
            self._exchange.abandon()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # turned away when its head was complete
        except httptools.HttpParserCallbackError:
            complain()
            self.cut(Cut.RESET)
        except httptools.HttpParserError:
            self._turn_away(failure(400, "Not HTTP/1.1"))

    # -- httptools callbacks

    def on_message_begin(self) -> None:
        self._url = self._authorization = b""
        self._body = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"authorization":
            self._authorization = value
        elif name == b"content-length" and int(value) > MAX_BODY:
            self._size = MAX_BODY + 1
        elif name == b"expect" and value.lower() == b"100-continue" and self._size <= MAX_BODY:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        if self._size > MAX_BODY:
            self._turn_away(_TOO_LARGE)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= MAX_BODY:
            self._body.append(body)
        else:
            self._turn_away(_TOO_LARGE)

    def on_message_complete(self) -> None:
        if self._deaf:
            return
        if self._parser.should_upgrade():
            self._turn_away(_NO_UPGRADE)
            return
        path, _, query = self._url.partition(b"?")
        if path[:1] != b"/":
            path = httptools.parse_url(path).path or b"/"
        request = ApiRequest(
            self._parser.get_method(),
            path.decode("latin-1"),
            query.decode("latin-1"),
            self._authorization,
            self._body[0] if len(self._body) == 1 else b"".join(self._body),
            self._parser.should_keep_alive(),
        )
        if self._exchange is None:
            self._serve(request)
        else:
            self._waiting.append(request)
            if len(self._waiting) == _WAITING:
                self._transport.pause_reading()

    # -- answering

    def _serve(self, request: ApiRequest) -> None:
        if self._refusal is not None:
            self.answer(request, forge(self._refusal, request), close=True)
            return
        call = self.site.open(request)
        if isinstance(call, Reply):
            self.answer(request, call)
            return
        plan = self.site.select(call)
        if plan is None:
            answer = perform(call)
            self.site.count(call, answer.status, None)
            self.answer(request, answer)
            return
        self._exchange = FaultyExchange(self, request, call, plan)
        self._exchange.start()

    def answer(
        self, request: ApiRequest, answer: Reply, *, close: bool = False, silent_close: bool = False
    ) -> None:
        """Write the answer; end the connection where client, fault or HTTP say so."""
        ends = close or not request.keep_alive
        self.write(encode(answer, close=ends, head=request.method == b"HEAD"))
        if ends or silent_close:
            self.finish()

    def write(self, data: bytes) -> None:
        if not self.gone:
            self._transport.write(data)

    def next(self) -> None:
        """An exchange is over: serve what waited for it."""
        self._exchange = None
        if self._draining:  # called from within the loop below: no recursion, however much is waiting
            return
        self._draining = True
        while self._waiting and self._exchange is None and not self._deaf:
            if len(self._waiting) == _WAITING:
                self._transport.resume_reading()
            self._serve(self._waiting.popleft())
        self._draining = False

    def finish(self) -> None:
        """No further request; what is written still goes out."""
        self._deaf = True
        self._transport.close()

    def cut(self, how: Cut) -> None:
        """End at once, with a reset or a FIN."""
        self._deaf = True
        if how is Cut.RESET and not self.gone:
            sock: socket.socket | None = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _turn_away(self, answer: Reply) -> None:
        """Answer in the middle of a request, and read on for a while: an early close would reset the answer."""
        if self._deaf:
            return
        if self._exchange is not None:
            self.cut(Cut.CLOSE)
            return
        self._deaf = True
        self.write(encode(answer, close=True))
        self._transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self._transport.abort)


class FaultyExchange:
    """Wait, act, wait, answer; :meth:`abandon` when the client leaves in between."""

    def __init__(self, connection: Connection, request: ApiRequest, call: Call, plan: FaultPlan) -> None:
        self._connection, self._request, self._call, self._plan = connection, request, call, plan
        self._answer: Reply | None = None
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

    def _send(self, answer: Reply) -> None:
        close = self._plan.close
        announced = close is not None and close.announce
        self._count(answer.status)
        self._connection.answer(
            self._request, answer, close=announced, silent_close=close is not None and not announced
        )
        self._connection.next()

    def _trickle(self, answer: Reply, seconds: float) -> None:
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


def perform(call: Call) -> Reply:
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
