"""Signatures: the published examples, an independent library, and every way to be wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import needed

from airflow_outreach_provider.core.errors import SignatureError
from airflow_outreach_provider.core.signing import SIGNATURE_HEADER, Scheme, check_secrets, sign, verify

NOW = datetime(2026, 3, 25, 18, 30, 0, 900_000, tzinfo=UTC)
BODY = b'{"type":"reply","note":"caf\xc3\xa9 & <b>"}'
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_2 = "whsec_" + base64.b64encode(b"another key, of thirty-two bytes").decode()
# RFC 8032 section 7.1, test 2: seed and public key.
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
PRIVATE_KEY = "whsk_" + base64.b64encode(SEED).decode()
PUBLIC_KEY = "whpk_" + base64.b64encode(PUBLIC).decode()
PLAIN, PLAIN_2 = "a-secret-of-at-least-16", "its-successor-in-rotation"

SECRETS = {
    Scheme.STANDARD_WEBHOOKS: (STANDARD, STANDARD_2),
    Scheme.AUTOREACH: (PLAIN, PLAIN_2),
    Scheme.GITHUB: (PLAIN, PLAIN_2),
    Scheme.STRIPE: (PLAIN, PLAIN_2),
}
signing_schemes = pytest.mark.parametrize("scheme", list(SECRETS))


def test_vector_of_the_standard_webhooks_specification() -> None:
    """The example of the specification and its reference libraries comes out to the byte."""
    headers = sign(
        Scheme.STANDARD_WEBHOOKS,
        b'{"test": 2432232314}',
        [STANDARD],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=datetime.fromtimestamp(1614265330, tz=UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_vector_of_github() -> None:
    """GitHub's own example ("Testing the webhook payload validation") comes out to the byte."""
    headers = sign(
        Scheme.GITHUB, b"Hello, World!", ["It's a Secret to Everybody"], message_id="unused", now=NOW
    )
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert headers == {"X-Hub-Signature-256": f"sha256={digest}"}


def test_autoreach_is_the_plain_hmac_of_the_body() -> None:
    """The documented three steps, done by hand, give the same header."""
    digest = hmac.new(PLAIN.encode(), BODY, hashlib.sha256).hexdigest()
    headers = sign(Scheme.AUTOREACH, BODY, [PLAIN, PLAIN_2], message_id="m", now=NOW)
    assert headers == {"X-Webhook-Signature": f"sha256={digest}"}


def test_stripe_signs_time_and_body_with_every_secret() -> None:
    """The documented manual steps, done by hand for two secrets, give the same header."""
    timestamp = int(NOW.timestamp())
    one, two = (
        hmac.new(secret.encode(), f"{timestamp}.".encode() + BODY, "sha256").hexdigest()
        for secret in (PLAIN, PLAIN_2)
    )
    headers = sign(Scheme.STRIPE, BODY, [PLAIN, PLAIN_2], message_id="m", now=NOW)
    assert headers == {"Stripe-Signature": f"t={timestamp},v1={one},v1={two}"}


def test_none_signs_and_checks_nothing() -> None:
    """The scheme without signatures adds no header and asks for none."""
    assert sign(Scheme.NONE, BODY, [], message_id="m", now=NOW) == {}
    verify(Scheme.NONE, BODY, {}, [], now=NOW)


def test_an_independent_library_accepts_ours_and_we_accept_its() -> None:
    """The reference library of standardwebhooks.com verifies what we sign, and signs what we verify."""
    library = pytest.importorskip("standardwebhooks")
    now = datetime.now(UTC)
    webhook = library.Webhook(STANDARD)
    body = b'{"id": 1}'
    ours = sign(Scheme.STANDARD_WEBHOOKS, body, [STANDARD_2, STANDARD], message_id="m1", now=now)
    assert webhook.verify(body, ours) == {"id": 1}
    theirs = {
        "webhook-id": "m2",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("m2", now, body.decode()),
    }
    verify(Scheme.STANDARD_WEBHOOKS, body, theirs, [STANDARD], now=now)


def test_openssl_verifies_our_ed25519_signature(tmp_path: Path) -> None:
    """A v1a signature is plain ed25519 over id, time and body, as openssl sees it."""
    needed("openssl", "openssl")
    headers = sign(Scheme.STANDARD_WEBHOOKS, BODY, [PRIVATE_KEY], message_id="m", now=NOW)
    version, _, encoded = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    (tmp_path / "content").write_bytes(f"m.{int(NOW.timestamp())}.".encode() + BODY)
    (tmp_path / "signature").write_bytes(base64.b64decode(encoded))
    # RFC 8410: the fixed DER head of an ed25519 public key.
    (tmp_path / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + PUBLIC)
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in content -sigfile signature"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", [PRIVATE_KEY, "whsk_" + base64.b64encode(SEED + PUBLIC).decode()])
def test_ed25519_keys_of_both_lengths_meet_their_public_key(key: str) -> None:
    """A private key written as seed, or as seed and public key, signs alike; the public key verifies."""
    headers = sign(Scheme.STANDARD_WEBHOOKS, BODY, [key], message_id="m", now=NOW)
    verify(Scheme.STANDARD_WEBHOOKS, BODY, headers, [PUBLIC_KEY], now=NOW)
    with pytest.raises(SignatureError, match="not made with any"):
        verify(Scheme.STANDARD_WEBHOOKS, BODY + b" ", headers, [PUBLIC_KEY], now=NOW)
    with pytest.raises(SignatureError, match="public key"):
        sign(Scheme.STANDARD_WEBHOOKS, BODY, [PUBLIC_KEY], message_id="m", now=NOW)


@signing_schemes
@given(body=st.binary(max_size=200))
def test_what_is_signed_verifies_with_either_secret_and_any_case_of_header(
    scheme: Scheme, body: bytes
) -> None:
    """Sign then verify is the identity, during a rotation too, and a changed body never passes."""
    new, old = SECRETS[scheme]
    headers = sign(scheme, body, [new, old], message_id="m", now=NOW)
    upper = {name.upper(): value for name, value in headers.items()}
    for known in ([new], [old, new], [new, old]):
        verify(scheme, body, upper, known, now=NOW)
    with pytest.raises(SignatureError):
        verify(scheme, body + b"x", headers, [new, old], now=NOW)
    with pytest.raises(SignatureError):
        verify(scheme, body, headers, [STANDARD[:-4] + "AAAA"], now=NOW)


@pytest.mark.parametrize("scheme", [Scheme.STANDARD_WEBHOOKS, Scheme.STRIPE])
def test_both_signatures_of_a_rotation_are_carried(scheme: Scheme) -> None:
    """A receiver that still knows only the old secret goes on accepting."""
    new, old = SECRETS[scheme]
    headers = sign(scheme, BODY, [new, old], message_id="m", now=NOW)
    verify(scheme, BODY, headers, [old], now=NOW)


@pytest.mark.parametrize("scheme", [Scheme.STANDARD_WEBHOOKS, Scheme.STRIPE])
@pytest.mark.parametrize("off", [-301, 302])
def test_a_stale_or_future_time_is_refused(scheme: Scheme, off: int) -> None:
    """A signed time more than the tolerance away, on either side, is a replay."""
    secrets = SECRETS[scheme]
    headers = sign(scheme, BODY, secrets, message_id="m", now=NOW)
    with pytest.raises(SignatureError, match="more than the"):
        verify(scheme, BODY, headers, secrets, now=NOW + timedelta(seconds=off))
    verify(scheme, BODY, headers, secrets, now=NOW + timedelta(seconds=off), tolerance_seconds=400)


def test_a_platform_may_use_a_header_of_its_own() -> None:
    """Varda signs like Stripe in X-Varda-Signature."""
    value = sign(Scheme.STRIPE, BODY, [PLAIN], message_id="m", now=NOW)["Stripe-Signature"]
    verify(Scheme.STRIPE, BODY, {"x-varda-signature": value}, [PLAIN], now=NOW, header="X-Varda-Signature")
    with pytest.raises(SignatureError, match="X-Varda-Signature"):
        verify(Scheme.STRIPE, BODY, {"stripe-signature": value}, [PLAIN], now=NOW, header="X-Varda-Signature")


@signing_schemes
@given(
    value=st.text(max_size=60)
    | st.sampled_from(["sha256=", "sha256=é", "t=1", "t=,v1=", "v1,", "v1,é", "," * 99])
)
def test_a_malformed_header_is_a_signature_error_and_nothing_else(scheme: Scheme, value: str) -> None:
    """Whatever stands in the headers, the only error is the one the receiver answers 401 to."""
    for timestamp in (str(int(NOW.timestamp())), value):
        headers = {
            "webhook-id": value or "x",
            "webhook-timestamp": timestamp,
            SIGNATURE_HEADER[scheme]: value,
        }
        with pytest.raises(SignatureError):
            verify(scheme, BODY, headers, SECRETS[scheme], now=NOW)


@pytest.mark.parametrize(
    ("scheme", "secrets", "words"),
    [
        (Scheme.AUTOREACH, [], "at least one"),
        (Scheme.STRIPE, ["x" * 15], "15 characters"),
        (Scheme.GITHUB, [PLAIN, "short"], "secret 2"),
        (Scheme.STANDARD_WEBHOOKS, [PLAIN], "whsec_<base64"),
        (Scheme.STANDARD_WEBHOOKS, ["whsec_" + base64.b64encode(b"x" * 12).decode()], "12 bytes"),
        (Scheme.STANDARD_WEBHOOKS, ["whsk_" + base64.b64encode(b"x" * 31).decode()], "not 31"),
    ],
)
def test_a_secret_that_breaks_the_rules_is_named_by_place_never_by_value(
    scheme: Scheme, secrets: list[str], words: str
) -> None:
    """The error says which secret and what to write, and does not repeat it."""
    with pytest.raises(SignatureError, match=words) as raised:
        check_secrets(scheme, secrets)
    assert not any(secret in str(raised.value) for secret in secrets)


def test_a_message_id_with_a_dot_is_refused() -> None:
    """Id, time and body are joined by dots, so an id with one could shift the borders."""
    with pytest.raises(SignatureError, match="message id"):
        sign(Scheme.STANDARD_WEBHOOKS, BODY, [STANDARD], message_id="a.1", now=NOW)
