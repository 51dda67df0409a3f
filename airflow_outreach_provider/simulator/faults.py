"""What may go wrong, as values and as text: ``kind[=value][,option=value…]``.

=============================  =========================================================================
``status=503,retry_after=2``   any status; ``body=json|empty|html|invalid|unsuccessful``; ``location=`` for 3xx
``drop``                       the lead is processed, then the connection dies; ``when=before``: it is not
``partial``                    half an answer, then the connection dies
``slow=5``                     the answer's body trickles in over 5 seconds
``hang=30``                    30 s before the lead is processed, which happens only if the client still waits;
                               ``when=after``: processed at once; ``when=late``: processed even if nobody waits
``latency=0.05,jitter=0.02``   0.05 s, up to 0.02 s more or less, between processing and answer
``close``                      the connection is closed after the answer; ``announce=no``: without saying so
``rate=50,retry_after=1``      more than 50 requests a second are refused with 429 (``answer=503`` for another)
``connections=20``             more than 20 connections are refused with an empty 503
=============================  =========================================================================

Which requests: ``p=0.05`` (probability), ``first=3``, ``every=10``, ``skip=100`` (leave the first 100 alone),
``ending=99`` (phones), ``per_phone=yes`` (count ``first``, ``every`` and ``skip`` for each phone),
``on=outreach|login|contacts|all``. All that is named must hold. Delays and ``close`` add to the first other
fault that hits; of the others only the first hits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.flags import flag_of
from airflow_outreach_provider.core.suggest import did_you_mean

Word = TypeVar("Word", bound=StrEnum)


class Kind(StrEnum):
    STATUS = "status"
    DROP = "drop"
    PARTIAL = "partial"
    SLOW = "slow"
    HANG = "hang"
    LATENCY = "latency"
    CLOSE = "close"
    RATE = "rate"
    CONNECTIONS = "connections"


class When(StrEnum):
    """Where the fault strikes: is the lead processed, and so the person texted?"""

    BEFORE = "before"
    AFTER = "after"
    LATE = "late"


class Body(StrEnum):
    """What a forged answer carries."""

    JSON = "json"
    EMPTY = "empty"
    HTML = "html"
    INVALID = "invalid"
    UNSUCCESSFUL = "unsuccessful"


class Cut(StrEnum):
    """How a connection dies: with a TCP reset, or with an ordinary FIN."""

    RESET = "reset"
    CLOSE = "close"


class ApiEndpoint(StrEnum):
    OUTREACH = "outreach"
    LOGIN = "login"
    CONTACTS = "contacts"
    ALL = "all"


# What the value means and is when left out; ``None``: the kind takes no value.
DEFAULT_VALUE: dict[Kind, float | None] = {
    Kind.STATUS: 500,
    Kind.DROP: None,
    Kind.PARTIAL: None,
    Kind.SLOW: 5.0,
    Kind.HANG: 30.0,
    Kind.LATENCY: 0.05,
    Kind.CLOSE: None,
    Kind.RATE: 50.0,
    Kind.CONNECTIONS: 20,
}
_DEFAULT_WHEN: dict[Kind, When] = {
    Kind.STATUS: When.BEFORE,
    Kind.HANG: When.BEFORE,
    Kind.RATE: When.BEFORE,
    Kind.CONNECTIONS: When.BEFORE,
}
_ALLOWED_WHEN: dict[Kind, frozenset[When]] = {
    Kind.STATUS: frozenset({When.BEFORE, When.AFTER}),
    Kind.DROP: frozenset({When.BEFORE, When.AFTER}),
    Kind.PARTIAL: frozenset({When.BEFORE, When.AFTER}),
    Kind.HANG: frozenset(When),
    Kind.LATENCY: frozenset(When),
}
_DEFAULT_ANSWER = {Kind.RATE: 429, Kind.CONNECTIONS: 503}
_DEFAULT_BODY = {Kind.CONNECTIONS: Body.EMPTY}


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One thing that goes wrong, and for which requests. See the module's table for the words.

    :param value: the status, the seconds, the requests a second or the connections; the kind says which.
    :param retry_after: sent as ``Retry-After``; ``"7"`` as it stands, ``"date+7"`` as a date 7 s ahead.
    :param p: probability from 0 to 1, drawn from the seed, the phone and how often it came before, so that the
        order in which requests arrive does not change who is hit.
    :param answer: the status of a refusal by ``rate`` or ``connections``.
    """

    kind: Kind
    value: float | None = None
    when: When | None = None
    body: Body | None = None
    retry_after: str | None = None
    location: str | None = None
    how: Cut = Cut.RESET
    announce: bool = True
    answer: int | None = None
    jitter: float = 0.0
    p: float = 1.0
    first: int | None = None
    every: int | None = None
    skip: int = 0
    ending: str = ""
    per_phone: bool = False
    on: ApiEndpoint = ApiEndpoint.OUTREACH

    def __post_init__(self) -> None:
        kind = _word(Kind, self.kind, "fault")
        defaults: dict[str, Any] = {
            "kind": kind,
            "value": DEFAULT_VALUE[kind] if self.value is None else self.value,
            "when": _DEFAULT_WHEN.get(kind, When.AFTER)
            if self.when is None
            else _word(When, self.when, "when"),
            "body": _DEFAULT_BODY.get(kind, Body.JSON)
            if self.body is None
            else _word(Body, self.body, "body"),
            "answer": _DEFAULT_ANSWER.get(kind) if self.answer is None else self.answer,
            "how": _word(Cut, self.how, "how"),
            "on": _word(ApiEndpoint, self.on, "on"),
        }
        for name, value in defaults.items():
            object.__setattr__(self, name, value)
        problem = _problem(self)
        if problem:
            raise ConfigurationError(f"Fault {self.kind}: {problem}", "correct the fault")

    @classmethod
    def parse(cls, spec: str) -> InjectedFault:
        """Read ``kind[=value][,option=value…]``; ConfigurationError names the part that cannot be read."""
        head, *options = [part.strip() for part in spec.strip().split(",")]
        name, _, value = head.partition("=")
        kind = _word(Kind, name.strip(), "fault")
        arguments: dict[str, Any] = {}
        if value:
            arguments["value"] = _read("value", float, value, spec)
        for option in options:
            key, equals, text = option.partition("=")
            if not equals or key not in _READERS:
                raise ConfigurationError(
                    f"Fault {spec!r}: {option!r} is no option{_did_you_mean(key, _READERS)}",
                    f"write option=value with one of {', '.join(_READERS)}",
                )
            arguments[key] = _read(key, _READERS[key], text, spec)
        return cls(kind, **arguments)

    def __str__(self) -> str:
        """The text :meth:`parse` reads back as an equal fault."""
        plain = InjectedFault(self.kind)
        value = "" if self.value is None else f"={self.value:g}"
        parts = [f"{self.kind}{value}"]
        for field in dataclasses.fields(self):
            given = getattr(self, field.name)
            if field.name in _READERS and given != getattr(plain, field.name):
                shown = ("yes" if given else "no") if isinstance(given, bool) else given
                parts.append(f"{field.name}={shown}")
        return ",".join(parts)


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a simulator, in the order they are tried."""

    rules: tuple[InjectedFault, ...] = ()

    @classmethod
    def of(cls, *rules: InjectedFault | str) -> Faults:
        """``Faults.of("status=500,p=0.05", Fault(Kind.DROP, p=0.01))``: values and texts alike."""
        return cls(tuple(InjectedFault.parse(rule) if isinstance(rule, str) else rule for rule in rules))

    def specs(self) -> list[str]:
        """Each fault as text."""
        return [str(rule) for rule in self.rules]


def _yes_no(text: str) -> bool:
    if (flag := flag_of(text)) is None:
        raise ValueError(text)
    return flag


_READERS: dict[str, Callable[[str], Any]] = {
    "when": lambda text: _word(When, text, "when"),
    "body": lambda text: _word(Body, text, "body"),
    "how": lambda text: _word(Cut, text, "how"),
    "on": lambda text: _word(ApiEndpoint, text, "on"),
    "retry_after": str,
    "location": str,
    "announce": _yes_no,
    "answer": int,
    "jitter": float,
    "p": float,
    "first": int,
    "every": int,
    "skip": int,
    "ending": str,
    "per_phone": _yes_no,
}


def _problem(fault: InjectedFault) -> str | None:
    """What is wrong with the numbers of ``fault``; None when nothing is."""
    value, status_like = fault.value, [fault.answer, fault.value if fault.kind is Kind.STATUS else None]
    checks = (
        (DEFAULT_VALUE[fault.kind] is None and value is not None, "takes no value"),
        (value is not None and not 0 <= value < float("inf"), f"{value} is not a number from 0 up"),
        (fault.kind is Kind.RATE and not value, "needs a rate above 0"),
        (any(s is not None and not (200 <= s <= 599 and s == int(s)) for s in status_like), "no such status"),
        (not 0 <= fault.p <= 1, f"p={fault.p} is not between 0 and 1"),
        (fault.jitter < 0 or fault.skip < 0, "jitter and skip start at 0"),
        (fault.first is not None and fault.first < 0, "first starts at 0"),
        (fault.every is not None and fault.every < 1, "every starts at 1"),
        (
            fault.when not in _ALLOWED_WHEN.get(fault.kind, {_DEFAULT_WHEN.get(fault.kind, When.AFTER)}),
            f"when={fault.when} means nothing here",
        ),
    )
    return next((text for wrong, text in checks if wrong), None)


def _read(name: str, reader: Callable[[str], Any], text: str, spec: str) -> Any:
    try:
        return reader(text.strip())
    except (ValueError, KeyError):
        raise ConfigurationError(f"Fault {spec!r}: {text!r} is no {name}", f"correct {name}") from None


def _word(kind: type[Word], text: str, name: str) -> Word:
    try:
        return kind(text)
    except ValueError:
        words = [str(word) for word in kind]
        raise ConfigurationError(
            f"{text!r} is no {name}{_did_you_mean(text, words)}", f"use one of {', '.join(words)}"
        ) from None


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    hint = did_you_mean(word, known, otherwise="")
    return f" ({hint})" if hint else ""
