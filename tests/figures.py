"""What a bench prints."""

from __future__ import annotations

import re

import pytest

# name | ours unit | baseline unit, what the baseline is | ratio ×
_FIGURE = re.compile(
    r"^(?P<what>\S.*?) *\| +(?P<ours>[\d.,]+) (?P<unit>\S+) *\| +(?P<baseline>[\d.,]+) (?P=unit), (?P<beside>\S.*?) *"
    r"\| (?P<ratio>[\d.,]+) ×(   \(aim .*\))?$",
    re.MULTILINE,
)


def figures(shown: str) -> list[dict[str, str]]:
    """The figures with a baseline that a bench printed."""
    return [found.groupdict() for found in _FIGURE.finditer(shown)]


def assert_measured(shown: str) -> None:
    """There is a figure, each has a baseline, and how the two compare is as they are."""
    found = figures(shown)
    assert any(_number(each["ours"]) > 0 for each in found), shown
    for each in found:
        ours, baseline, ratio = (_number(each[name]) for name in ("ours", "baseline", "ratio"))
        assert baseline > 0, each
        # What is shown is rounded to three figures, and the multiple to two places.
        assert ratio == pytest.approx(ours / baseline, rel=0.02, abs=0.01), each


def _number(text: str) -> float:
    return float(text.replace(",", ""))
