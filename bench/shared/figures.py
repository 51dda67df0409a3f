"""How every bench is asked and answers: its sizes, ``--small``, and figures beside their baselines.

A line of figures reads ``what | ours unit | baseline unit, of what | ratio ×``, so that people and programs find
the same in it. A bench that prints none has measured nothing, and ends with an error.
"""

from __future__ import annotations

import argparse
import math
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spent:
    """What some work took.

    :ivar seconds: by the clock on the wall. :ivar cpu: seconds of this process's processor time, which a busy
        machine changes less.
    """

    seconds: float
    cpu: float


def timed(work: Callable[[], object]) -> Spent:
    """What ``work`` takes."""
    cpu, started = time.process_time(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - started, time.process_time() - cpu)


def median(spent: Sequence[Spent]) -> Spent:
    """The median of each of the two."""
    return Spent(statistics.median(s.seconds for s in spent), statistics.median(s.cpu for s in spent))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Bench:
    """One bench: what it may be asked, and what it found.

    :param description: of ``--help``, the bench's own docstring.
    :ivar small: whether the smallest sizes were asked for, at which aims are not judged.
    """

    def __init__(self, description: str | None) -> None:
        self.parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.parser.add_argument("--small", action="store_true", help="the smallest sizes: seconds, no aims")
        self.parser.add_argument("--strict", action="store_true", help="a missed aim is an error")
        self.small = False
        self._sizes: dict[str, tuple[float, float]] = {}
        self._figures = 0
        self._missed: list[str] = []

    def size(self, name: str, usual: float, small: float, what: str) -> None:
        """Let ``--name`` be given, a number with two defaults."""
        self._sizes[name] = (usual, small)
        self.parser.add_argument(
            f"--{name}", type=type(usual), help=f"{what} (default {usual:,}; small {small:,})"
        )

    def run(self, measure: Callable[[argparse.Namespace], object]) -> int:
        """Read the command line, measure, and say how it went.

        :return: the exit code: 1 where nothing was measured, or ``--strict`` and an aim was missed.
        """
        asked = self.parser.parse_args()
        self.small = asked.small
        for name, (usual, small) in self._sizes.items():
            if getattr(asked, name) is None:
                setattr(asked, name, small if self.small else usual)
        # Ended in order, so that what a bench started is ended too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        started = time.monotonic()
        measure(asked)
        self.note(f"took {time.monotonic() - started:.0f} s")
        if not self._figures:
            print("nothing was measured", file=sys.stderr)
        return int(not self._figures or (asked.strict and bool(self._missed)))

    def rounds(self, count: int, seconds: float) -> Iterator[int]:
        """Up to ``count`` rounds, at least one: on a slow machine none begins after so many seconds."""
        started = time.monotonic()
        for number in range(count):
            if number and time.monotonic() - started > seconds:
                self.note(f"{number} of {count} rounds: {seconds:.0f} s are over")
                return
            yield number

    def compare(
        self,
        what: str,
        ours: float,
        baseline: float,
        beside: str,
        *,
        unit: str,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Print a figure beside its baseline, both measured in this run, and the first as a multiple of the second.

        :param beside: what the baseline is.
        :param at_least, at_most: what the multiple should be.
        :raises ValueError: a figure is no number, or the baseline is nothing to compare with.
        """
        if not (math.isfinite(ours) and math.isfinite(baseline) and baseline > 0):
            raise ValueError(f"{what}: {ours} {unit} beside {baseline} {unit} is no comparison")
        ratio = ours / baseline
        aim = self._aim(what, ratio, at_least, at_most)
        shown = f"{_number(ours):>9} {unit:<6}| {_number(baseline):>9} {unit}, {beside}"
        print(f"{what:<44}| {shown:<74}| {ratio:,.2f} ×{aim}", flush=True)
        self._figures += 1

    def note(self, text: str) -> None:
        """Something to know beside the figures."""
        print(f"  {text}", flush=True)

    def _aim(self, what: str, ratio: float, at_least: float | None, at_most: float | None) -> str:
        wanted = [
            f"{sign} {bound:,g}" for sign, bound in (("≥", at_least), ("≤", at_most)) if bound is not None
        ]
        if not wanted:
            return ""
        met = (at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most)
        if self.small:
            return f"   (aim {', '.join(wanted)}, not judged at this size)"
        if not met:
            self._missed.append(what)
        return f"   (aim {', '.join(wanted)}: {'met' if met else 'MISSED'})"


def _number(value: Any) -> str:
    """Three figures that count, or all that stand before the point; of a count all."""
    if isinstance(value, int) or value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
