"""Signatures of webhooks, in and out: five schemes behind two functions.

======================  =======================================================  ============================
scheme                  header and what is signed                                published at
======================  =======================================================  ============================
``standard-webhooks``   ``webhook-signature: v1,<base64 HMAC-SHA256>`` or         standardwebhooks.com, spec
                        ``v1a,<base64 ed25519>`` of ``{id}.{timestamp}.{body}``   "Signature scheme"
``autoreach``           ``X-Webhook-Signature: sha256=<hex>`` of the body         AutoReach, "Webhooks"
``github``              ``X-Hub-Signature-256: sha256=<hex>`` of the body         GitHub, "Validating webhook
                                                                                  deliveries"
``stripe``              ``Stripe-Signature: t=<unix>,v1=<hex>`` of                Stripe, "Verify signatures
                        ``{t}.{body}``                                            manually"
``none``                nothing                                                   –
======================  =======================================================  ============================

Always over the exact bytes of the body; comparisons in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from airflow_outreach_provider.core.errors import SignatureError

MIN_SECRET_LENGTH = 16
TOLERANCE_SECONDS = 300

_HMAC_PREFIX, _PRIVATE_PREFIX, _PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
_ED25519_BYTES = 32
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_UNIX_TIME = re.compile(r"[0-9]{1,12}")
# During a rotation there are two or three; each one more costs us a comparison.
_MAX_SIGNATURES = 20


class Scheme(StrEnum):
    """How a webhook proves where it comes from."""

    STANDARD_WEBHOOKS = "standard-webhooks"
    AUTOREACH = "autoreach"
    GITHUB = "github"
    STRIPE = "stripe"
    NONE = "none"


SIGNATURE_HEADER: Mapping[Scheme, str] = {
    Scheme.STANDARD_WEBHOOKS: "webhook-signature",
    Scheme.AUTOREACH: "X-Webhook-Signature",
    Scheme.GITHUB: "X-Hub-Signature-256",
    Scheme.STRIPE: "Stripe-Signature",
}
ID_HEADER: Mapping[Scheme, str] = {Scheme.STANDARD_WEBHOOKS: "webhook-id"}
"""The header with the id of a message, where it is signed and the same in every retry."""

Sign = Callable[[bytes, str, datetime], dict[str, str]]
"""From the body, the message's id and the time of this try, timezone-aware, to the headers that sign it."""
_Mac = Callable[[bytes], bytes]


def sign(
    scheme: Scheme, body: bytes, secrets: Sequence[str], *, message_id: str, now: datetime
) -> dict[str, str]:
    """The headers that sign ``body``; for many messages, make one :func:`signer`.

    :param message_id: stable over every try of the same message; part of what ``standard-webhooks`` signs.
    :param now: the time of this try, timezone-aware.
    :raises SignatureError: as :func:`signer`, or the message id cannot be signed.
    """
    return signer(scheme, secrets)(body, message_id, now)


def signer(scheme: Scheme, secrets: Sequence[str]) -> Sign:
    """A function that signs; the secrets are checked and their keys made once, not for every message.

    :param secrets: newest first. ``standard-webhooks`` and ``stripe`` carry one signature for each, so
        that a receiver may rotate; ``autoreach`` and ``github`` have room for one, and the first signs.
    :raises SignatureError: the secrets break the rules of :func:`check_secrets`, or are public keys.
    """
    check_secrets(scheme, secrets)
    match scheme:
        case Scheme.NONE:
            return lambda _body, _message_id, _now: {}
        case Scheme.AUTOREACH | Scheme.GITHUB:
            name, first = SIGNATURE_HEADER[scheme], _mac(secrets[0].encode())
            return lambda body, _message_id, _now: {name: f"sha256={first(body).hex()}"}
        case Scheme.STRIPE:
            return _stripe_signer([_mac(secret.encode()) for secret in secrets])
        case Scheme.STANDARD_WEBHOOKS:
            return _standard_signer([_standard_mac(secret) for secret in secrets])
        case _:
            assert_never(scheme)


def _stripe_signer(macs: Sequence[_Mac]) -> Sign:
    def sign_one(body: bytes, _message_id: str, now: datetime) -> dict[str, str]:
        timestamp = str(int(now.timestamp()))
        signed = timestamp.encode() + b"." + body
        parts = [f"v1={mac(signed).hex()}" for mac in macs]
        return {SIGNATURE_HEADER[Scheme.STRIPE]: ",".join([f"t={timestamp}", *parts])}

    return sign_one


def _standard_signer(macs: Sequence[tuple[str, _Mac]]) -> Sign:
    def sign_one(body: bytes, message_id: str, now: datetime) -> dict[str, str]:
        if not message_id or "." in message_id:
            raise SignatureError(f"message id {message_id!r} must not be empty or hold a '.'")
        timestamp = str(int(now.timestamp()))
        signed = _standard_content(message_id, timestamp, body)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                [f"{version},{base64.b64encode(mac(signed)).decode()}" for version, mac in macs]
            ),
        }

    return sign_one


def verify(
    scheme: Scheme,
    body: bytes,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    *,
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
    header: str | None = None,
) -> None:
    """Return when one of ``secrets`` signed ``body``; otherwise raise.

    :param body: the raw bytes as received, before any parsing.
    :param headers: of the request; names are looked up in any case.
    :param secrets: every one is tried; for ``standard-webhooks`` also ``whpk_`` public keys.
    :param now: the receiver's time, timezone-aware.
    :param tolerance_seconds: how far a signed timestamp may be off, to either side.
    :param header: name of the header that carries the signature where a platform uses its own
        (Varda signs like Stripe in ``X-Varda-Signature``).
    :raises SignatureError: no, a malformed, a wrong or a stale signature. ``none`` never raises.
    """
    if scheme is Scheme.NONE:
        return
    check_secrets(scheme, secrets, verifying=True)
    lowered = {name.lower(): value for name, value in headers.items()}
    name = header or SIGNATURE_HEADER[scheme]
    value = lowered.get(name.lower())
    if not value:
        raise SignatureError(f"the request has no {name} header, or an empty one")
    match scheme:
        case Scheme.AUTOREACH | Scheme.GITHUB:
            prefix, _, digest = value.strip().partition("=")
            if prefix != "sha256":
                raise SignatureError(f"{name} must read sha256=<hex>")
            _require_hmac(name, [digest], body, secrets)
        case Scheme.STRIPE:
            timestamp, digests = _stripe_parts(name, value)
            _require_fresh(name, timestamp, now, tolerance_seconds)
            _require_hmac(name, digests, timestamp.encode() + b"." + body, secrets)
        case Scheme.STANDARD_WEBHOOKS:
            message_id, timestamp = (
                lowered.get("webhook-id", ""),
                lowered.get("webhook-timestamp", "").strip(),
            )
            if not message_id or not timestamp:
                raise SignatureError("the request has no webhook-id or no webhook-timestamp header")
            _require_fresh("webhook-timestamp", timestamp, now, tolerance_seconds)
            _require_standard(name, value, _standard_content(message_id, timestamp, body), secrets)
        case _:
            assert_never(scheme)


def dated_content(
    scheme: Scheme, body: bytes, headers: Mapping[str, str], *, header: str | None = None
) -> bytes | None:
    """The bytes a verified signature covers, where a time is among them; else None.

    Who captured a request can send these again and nothing beside them can be trusted: so the same bytes are the
    same message, whatever the other headers say.

    :param headers: of a request that :func:`verify` let pass.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    match scheme:
        case Scheme.STRIPE:
            name = header or SIGNATURE_HEADER[scheme]
            value = lowered.get(name.lower())
            return _stripe_parts(name, value)[0].encode() + b"." + body if value else None
        case Scheme.STANDARD_WEBHOOKS:
            message_id, timestamp = lowered.get("webhook-id", ""), lowered.get("webhook-timestamp", "")
            return _standard_content(message_id, timestamp.strip(), body) if timestamp else None
        case Scheme.AUTOREACH | Scheme.GITHUB | Scheme.NONE:
            return None
        case _:
            assert_never(scheme)


def check_secrets(scheme: Scheme, secrets: Sequence[str], *, verifying: bool = False) -> None:
    """Raise unless these secrets can be used with ``scheme``; no message repeats a secret.

    At least one of at least 16 characters each. For ``standard-webhooks`` each is ``whsec_<base64>`` (or
    the bare base64, as the published libraries take it) or ``whsk_<base64 ed25519 private key>``.

    :param verifying: ``whpk_`` public keys are enough to verify, never to sign.
    :raises SignatureError: which secret, by its place, and what to write instead.
    """
    if not secrets and scheme is not Scheme.NONE:
        raise SignatureError(f"signature {scheme.value} needs at least one signing secret")
    for place, secret in enumerate(secrets, start=1):
        if len(secret) < MIN_SECRET_LENGTH:
            raise SignatureError(
                f"signing secret {place} has {len(secret)} characters — use at least {MIN_SECRET_LENGTH}"
            )
        if scheme is not Scheme.STANDARD_WEBHOOKS:
            continue
        if secret.startswith(_PUBLIC_PREFIX) and not verifying:
            raise SignatureError(f"signing secret {place} is a public key — sign with its whsk_ private key")
        try:
            _check_standard_secret(secret)
        except (ValueError, binascii.Error) as error:
            raise SignatureError(
                f"signing secret {place} does not fit standard-webhooks ({error}) — write whsec_<base64 of "
                f"24 to 64 random bytes> or whsk_<base64 of an ed25519 private key>"
            ) from None


def _check_standard_secret(secret: str) -> None:
    if secret.startswith(_PRIVATE_PREFIX):
        _private_key(secret)
    elif secret.startswith(_PUBLIC_PREFIX):
        _public_key(secret)
    elif len(key := _hmac_key(secret)) < MIN_SECRET_LENGTH:
        raise ValueError(f"its key is {len(key)} bytes long")


def _hmac(key: bytes, content: bytes) -> bytes:
    # Not hmac.digest(): that gives up the interpreter lock for these few bytes, and waits to get it back.
    return hmac.new(key, content, hashlib.sha256).digest()


def _standard_content(message_id: str, timestamp: str, body: bytes) -> bytes:
    # A header may hold anything; what cannot be encoded is simply not what we signed.
    return f"{message_id}.{timestamp}.".encode(errors="replace") + body


def _mac(key: bytes) -> _Mac:
    keyed = hmac.new(key, digestmod=hashlib.sha256)

    def digest(content: bytes) -> bytes:
        # A copy of the keyed state: the key's own two blocks are hashed once for all messages.
        mac = keyed.copy()
        mac.update(content)
        return mac.digest()

    return digest


def _standard_mac(secret: str) -> tuple[str, _Mac]:
    if secret.startswith(_PRIVATE_PREFIX):
        return "v1a", _private_key(secret).sign
    return "v1", _mac(_hmac_key(secret))


def _hmac_key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_HMAC_PREFIX), validate=True)


def _private_key(secret: str) -> Ed25519PrivateKey:
    # 32 bytes are the seed; 64 are seed and public key, as libsodium and the published examples write it.
    key = base64.b64decode(secret.removeprefix(_PRIVATE_PREFIX), validate=True)
    if len(key) not in {_ED25519_BYTES, 2 * _ED25519_BYTES}:
        raise ValueError(f"an ed25519 private key has 32 or 64 bytes, not {len(key)}")
    return Ed25519PrivateKey.from_private_bytes(key[:_ED25519_BYTES])


def _public_key(secret: str) -> Ed25519PublicKey:
    if secret.startswith(_PRIVATE_PREFIX):
        return _private_key(secret).public_key()
    return Ed25519PublicKey.from_public_bytes(
        base64.b64decode(secret.removeprefix(_PUBLIC_PREFIX), validate=True)
    )


def _require_fresh(name: str, timestamp: str, now: datetime, tolerance_seconds: int) -> None:
    if not _UNIX_TIME.fullmatch(timestamp):
        raise SignatureError(f"{name} holds no time in whole seconds since 1970")
    off = now.timestamp() - int(timestamp)
    if abs(off) > tolerance_seconds:
        raise SignatureError(
            f"{name} is {abs(off):.0f} s {'old' if off > 0 else 'in the future'}, more than the "
            f"{tolerance_seconds} s allowed — a replay, or a clock that is off"
        )


def _require_hmac(name: str, digests: Sequence[str], content: bytes, secrets: Sequence[str]) -> None:
    given = [bytes.fromhex(digest) for digest in digests if _HEX_SHA256.fullmatch(digest)]
    if not given:
        raise SignatureError(f"{name} holds no hexadecimal SHA-256")
    expected = [_hmac(secret.encode(), content) for secret in secrets]
    _require_any(name, [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given])


def _require_standard(name: str, value: str, content: bytes, secrets: Sequence[str]) -> None:
    symmetric, asymmetric = [], []
    for part in _few(name, value.split()):
        version, _, encoded = part.partition(",")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            continue
        if version == "v1":
            symmetric.append(signature)
        elif version == "v1a":
            asymmetric.append(signature)
    matches = []
    for secret in secrets:
        if secret.startswith((_PRIVATE_PREFIX, _PUBLIC_PREFIX)):
            key = _public_key(secret)
            matches += [_signed_by(key, signature, content) for signature in asymmetric]
        else:
            expected = _hmac(_hmac_key(secret), content)
            matches += [hmac.compare_digest(expected, signature) for signature in symmetric]
    _require_any(name, matches)


def _signed_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _stripe_parts(name: str, value: str) -> tuple[str, list[str]]:
    pairs = [part.strip().partition("=") for part in _few(name, value.split(","))]
    times = [text for key, _, text in pairs if key == "t"]
    if len(times) != 1:
        raise SignatureError(f"{name} must read t=<unix time>,v1=<hex>")
    return times[0], [text for key, _, text in pairs if key == "v1"]


def _few(name: str, parts: list[str]) -> list[str]:
    if len(parts) > _MAX_SIGNATURES:
        raise SignatureError(f"{name} holds {len(parts)} parts, more than {_MAX_SIGNATURES}")
    return parts


def _require_any(name: str, matches: Sequence[bool]) -> None:
    # Every secret was compared before the answer is looked at: time tells nothing about which one fits.
    if not any(matches):
        raise SignatureError(f"{name} was not made with any of our secrets for this body")
