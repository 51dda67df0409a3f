"""What a check of an installation says: a name, how it is, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from airflow_outreach_provider.core.addresses import forbidden_reason

# A signed time may be five minutes old, and a lease is renewed three times in its time: seconds do no harm.
CLOCK_WARN, CLOCK_FAIL = timedelta(seconds=5), timedelta(seconds=60)
_INNER_ENDINGS = (".local", ".internal", ".lan", ".intranet", ".localhost", ".invalid", ".test")


class CheckState(StrEnum):
    """``ok``; ``warn``: works, and hardly as it is meant; ``fail``: something will not work; ``unknown``: it cannot be
    found out from here."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    :ivar found: for a person, without secrets. :ivar remedy: what to do next; empty where nothing is.
    """

    name: str
    state: CheckState
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain, for JSON."""
        return {**asdict(self), "state": self.state.value}


def ok(name: str, found: str) -> CheckResult:
    """Nothing to do."""
    return CheckResult(name, CheckState.OK, found)


def warn(name: str, found: str, remedy: str) -> CheckResult:
    """It works, and hardly as it is meant."""
    return CheckResult(name, CheckState.WARN, found, remedy)


def fail(name: str, found: str, remedy: str) -> CheckResult:
    """Something will not work."""
    return CheckResult(name, CheckState.FAIL, found, remedy)


def unknown(name: str, found: str, remedy: str = "") -> CheckResult:
    """It cannot be found out from here."""
    return CheckResult(name, CheckState.UNKNOWN, found, remedy)


def worst(findings: Iterable[CheckResult]) -> CheckState:
    """The worst state among them; ok where there is none."""
    order = (CheckState.OK, CheckState.UNKNOWN, CheckState.WARN, CheckState.FAIL)
    return max((each.state for each in findings), key=order.index, default=CheckState.OK)


def summed_up(findings: Sequence[CheckResult]) -> str:
    """``12 checks: 9 ok, 2 warn, 1 fail``."""
    counts = [(state, sum(each.state is state for each in findings)) for state in CheckState]
    said = ", ".join(f"{count} {state.value}" for state, count in counts if count)
    return f"{len(findings)} check{'' if len(findings) == 1 else 's'}: {said or 'nothing was looked at'}"


def judge_clocks(database: float, host: float) -> CheckResult:
    """:param database: seconds since the epoch by the store's clock, :param host: by this machine's, at one moment."""
    apart = timedelta(seconds=abs(database - host))
    found = f"the store's clock and this host's are {apart.total_seconds():.1f} s apart"
    remedy = "set both by NTP: quiet hours, leases and signatures go by them"
    if apart >= CLOCK_FAIL:
        return fail("clock", found, remedy)
    return warn("clock", found, remedy) if apart >= CLOCK_WARN else ok("clock", found)


def public_reason(url: str) -> str:
    """Why nobody outside can reach a URL, as far as its writing tells; empty where it does not."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        host = ""
    if not host:
        return "it names no host"
    try:
        reason = forbidden_reason(ip_address(host))
    except ValueError:
        inner = "." not in host or host.endswith(_INNER_ENDINGS)
        return f"{host} is a name of this machine or network alone" if inner else ""
    return f"{host} is not a public address ({reason})" if reason else ""


def judge_address(url: str) -> CheckResult | None:
    """Whether the URL that platforms are given can be the receiver's; None where nothing speaks against it."""
    remedy = "set [api] base_url to the public https:// URL of the API server, or of the proxy before it"
    if reason := public_reason(url):
        return warn("receiver", f"platforms are given {url}, and {reason}", remedy)
    if urlsplit(url).scheme != "https":
        return warn("receiver", f"platforms are given {url}, where tokens are readable on the way", remedy)
    return None


def judge_answer(url: str, status: int, allow: str) -> CheckResult:
    """What the answer to ``GET`` of a source's URL says: the receiver takes POST and nothing else.

    :param allow: its header ``Allow``.
    """
    try_it = f"try it from outside: curl -i {url} answers 405 where all is well"
    if status == 405 and "POST" in allow.upper():
        return ok("receiver", f"{url} answers from here; {try_it}")
    if status == 503:
        return fail(
            "receiver",
            f"{url} answers 503",
            "the store is not ready: see its check, and the API server's log",
        )
    if status in (301, 302, 303, 307, 308, 401, 403):
        return fail(
            "receiver", f"{url} answers {status}: a log-in or a redirect stands before it",
            f"let the path /outreach/in/ through without log-in and redirect; {try_it}",
        )  # fmt: skip
    return fail(
        "receiver", f"{url} answers {status}, which is not the receiver",
        "install the package beside the API server, restart it, and let the proxy pass /outreach/in/ on",
    )  # fmt: skip
