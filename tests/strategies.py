"""What Hypothesis makes for more than one test file."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Whatever JSON may hold."""


def examples(usual: int) -> int:
    """How many examples a law is tried with: ten times as many with ``--hypothesis-profile=nightly``."""
    return usual * 10 if settings.get_current_profile_name() == "nightly" else usual
