"""What a run remembers of what it met, in little memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.services.submit.tally import SeenHashes

_KEYS = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 50))


@given(st.lists(_KEYS, max_size=200))
def test_a_key_is_new_exactly_once(keys: list[tuple[str, int]]) -> None:
    """Like a set of the keys themselves."""
    seen, met = SeenHashes(), set[tuple[str, int]]()
    for key in keys:
        assert (key in seen) == (key in met)
        assert seen.add(key) == (key not in met)
        met.add(key)


def test_many_keys_take_little_memory() -> None:
    """A table grows with what is in it, and forgets nobody when it does."""
    seen = SeenHashes()
    assert all(seen.add(("on", f"+1416{n:07d}")) for n in range(50_000))
    assert not any(seen.add(("on", f"+1416{n:07d}")) for n in range(50_000))
    assert ("on", "+14169999999") not in seen
    assert len(seen._slots) * seen._slots.itemsize <= 32 * 50_000
