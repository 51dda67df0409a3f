"""A keyed hash in a header, however a platform writes it: checked against hashes that are made here."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import SignatureError
from airflow_outreach_provider.core.proofs import Algorithm, Encoding, HmacProof

NOW = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
SECRETS = ["s" * 20, "t" * 20]
BODY = b'{"event": "replied"}'


def written(secret: str, content: bytes, algorithm: str = "sha256", encoding: str = "hex") -> str:
    raw = hmac.new(secret.encode(), content, algorithm).digest()
    return raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()


def is_taken(proof: HmacProof, value: str, body: bytes = BODY, **headers: str) -> bool:
    try:
        proof.check(body, {"X-Sig": value, **headers}, SECRETS, NOW, 300)
    except SignatureError:
        return False
    return True


# A header's value has no blank at its ends.
prefixes = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(str.lstrip)
algorithms = st.sampled_from(["sha256", "sha1", "sha512"])
encodings = st.sampled_from(["hex", "base64"])


@given(prefixes, algorithms, encodings, st.sampled_from(SECRETS), st.sampled_from([",", ", ", " "]))
def test_a_hash_behind_any_prefix_is_taken_and_no_other(
    prefix: str, algorithm: Algorithm, encoding: Encoding, secret: str, between: str
) -> None:
    """Alone, and beside one by a secret of before; never of another body, by another secret, or behind another prefix."""
    proof = HmacProof("X-Sig", algorithm, encoding, prefix)
    good, other, strange = (
        prefix + written(each, BODY, algorithm, encoding) for each in (secret, "u" * 20, "v" * 20)
    )
    assert is_taken(proof, good)
    assert is_taken(proof, other + between + good)
    assert is_taken(proof, good + between + other)
    assert is_taken(proof, proof.headers(BODY, secret, "m1", NOW)["X-Sig"])
    assert not is_taken(proof, other + between + strange)
    assert not is_taken(proof, good, BODY + b" ")
    assert not is_taken(proof, good[:-4])
    if prefix:
        assert not is_taken(proof, "!" + good)


@pytest.mark.parametrize(
    ("prefix", "before", "after"),
    [
        ("v1,", "", ""),
        ("v1,", "v2,AAAA ", ""),
        ("t=1,v1=", "", ",v0=00"),
        ("HMAC-SHA256 ", "", ""),
        ("sha256=", "sha1=abcdef,", " "),
    ],
)
def test_a_prefix_may_hold_a_comma_or_a_blank(prefix: str, before: str, after: str) -> None:
    """As platforms write it, with what else stands in the header."""
    value = before + prefix + written(SECRETS[1], BODY) + after
    assert is_taken(HmacProof("X-Sig", prefix=prefix), value)
    assert not is_taken(HmacProof("X-Sig", prefix=prefix), value, b"{}")


@pytest.mark.parametrize(
    ("off", "fresh"), [(-300, True), (-300.001, False), (300, True), (300.001, False), (0, True)]
)
def test_a_signed_time_is_held_to_the_tolerance_at_both_edges(off: float, fresh: bool) -> None:
    """In milliseconds, old or ahead."""
    stamp = str(round((NOW + timedelta(seconds=off)).timestamp() * 1000))
    proof = HmacProof("X-Sig", signed="{id}.{timestamp}.{body}", timestamp_header="X-Time", id_header="X-Id")
    value = written(SECRETS[0], f"m1.{stamp}.".encode() + BODY)
    assert is_taken(proof, value, **{"X-Time": stamp, "X-Id": "m1"}) is fresh
    assert not is_taken(proof, value, **{"X-Time": stamp, "X-Id": "m2"})
    assert not is_taken(proof, value, **{"X-Time": str(int(stamp) + 1), "X-Id": "m1"})
