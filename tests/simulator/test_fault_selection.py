"""The same seed hits the same people."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.simulator.fault_selection import FaultSelector
from airflow_outreach_provider.simulator.faults import ApiEndpoint, Faults

PHONES = [f"+1416555{n:04}" for n in range(2000)]


def hits(phones: list[str], seed: int, *specs: str) -> Counter[str]:
    """How often each phone was hit by an outcome."""
    selector = FaultSelector(Faults.of(*specs), seed, {})
    rolled = [(phone, selector.select(ApiEndpoint.OUTREACH, phone, 0.0)) for phone in phones]
    return Counter(phone for phone, plan in rolled if plan is not None and plan.outcome is not None)


@pytest.mark.slow
@given(st.integers(0, 2**32), st.randoms(use_true_random=False), st.floats(0, 1))
def test_the_order_of_arrival_changes_nobodys_fate(seed: int, order: random.Random, p: float) -> None:
    """Concurrent clients arrive in any order; who is hit, and how often, depends on the seed alone."""
    phones = PHONES[:30] * 3
    shuffled = order.sample(phones, len(phones))
    assert hits(phones, seed, f"drop,p={p}") == hits(shuffled, seed, f"drop,p={p}")


def test_seeds_differ_and_the_share_is_right() -> None:
    """Another seed hits others; of 2,000 people about a tenth."""
    first, second = hits(PHONES, 1, "drop,p=0.1"), hits(PHONES, 2, "drop,p=0.1")
    assert first == hits(PHONES, 1, "drop,p=0.1")
    assert first != second
    assert 140 < len(first) < 260
    assert 140 < len(second) < 260


def test_two_faults_draw_apart() -> None:
    """Two faults of the same probability do not hit the same people; a person hit once may be spared next time."""
    both = hits(PHONES, 0, "drop,p=0.5", "status=500,p=0.5")
    assert 1400 < len(both) < 1600
    again = hits(PHONES * 2, 0, "drop,p=0.5")
    assert {1, 2} == set(again.values())


def test_delays_add_to_the_outcome() -> None:
    """A plan sums the delays on both sides of the processing and names one outcome."""
    selector = FaultSelector(
        Faults.of("hang=1", "latency=2", "hang=3,when=late", "drop", "status=500"), 0, {}
    )
    plan = selector.select(ApiEndpoint.OUTREACH, PHONES[0], 0.0)
    assert plan is not None
    assert (plan.before, plan.after, plan.late) == (4.0, 2.0, True)
    assert plan.outcome is not None
    assert str(plan.outcome) == "drop"


def test_a_rate_is_kept_over_time() -> None:
    """Over ten seconds of constant overload, ten seconds' worth and one burst pass."""
    selector = FaultSelector(Faults.of("rate=50"), 0, {})
    passed = sum(selector.select(ApiEndpoint.OUTREACH, None, 1000 + n / 200) is None for n in range(2000))
    assert 545 <= passed <= 551
