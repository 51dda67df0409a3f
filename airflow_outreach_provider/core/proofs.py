"""How a source of ``platform: custom`` proves itself: a keyed hash of its own making, a token in a header, basic.

What is signed is written as a template of what the platform's documentation concatenates, e.g. ``{body}``,
``{timestamp}.{body}`` or HubSpot's ``{method}{url}{body}{timestamp}``; ``{form}`` is Twilio's: every field of a form
in the order of the names, name and value with nothing between them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from urllib.parse import parse_qsl

from airflow_outreach_provider.core.errors import SignatureError

Algorithm = Literal["sha256", "sha1", "sha512"]
Encoding = Literal["hex", "base64"]
PARTS = ("body", "timestamp", "id", "method", "url", "form")
MAX_FIELDS = 1_000
_MAX_SIGNATURES = 20
_PART = re.compile(r"\{([^{}]*)\}")
_UNIX_TIME = re.compile(r"[0-9]{1,13}")
_MILLISECONDS = 10**11


class Proof(Protocol):
    """What a request has to show.

    :ivar signs: it covers the request, and is no token that whoever captured one request has too.
    """

    @property
    def signs(self) -> bool: ...

    @property
    def words(self) -> str:
        """For lists of sources."""

    @property
    def dated(self) -> bool:
        """Whether a time is among what is signed."""

    def check(
        self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime, tolerance: int
    ) -> None:
        """:raises SignatureError: it proves nothing, or the wrong thing. :param tolerance: seconds."""

    def content(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The bytes that were signed, of a request that was checked."""

    def headers(self, body: bytes, secret: str, message_id: str, now: datetime) -> dict[str, str]:
        """What would prove ``body``: for trying a source without its platform."""


@dataclass(frozen=True, slots=True)
class HmacProof:
    """A keyed hash in a header.

    :param header: whose value is ``prefix`` and the hash; several, by comma or blank, while a secret is rotated.
    :param signed: a template of the names in :data:`PARTS`; it holds ``{body}`` or ``{form}``.
    :param timestamp_header: seconds or milliseconds since 1970; needed for ``{timestamp}``.
    :param id_header: needed for ``{id}``.
    :param url: needed for ``{url}``: as the platform calls it, with its query.
    """

    header: str
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp_header: str = ""
    id_header: str = ""
    url: str = ""

    @property
    def signs(self) -> bool:
        return True

    @property
    def dated(self) -> bool:
        return "{timestamp}" in self.signed

    @property
    def words(self) -> str:
        return f"signature ({self.algorithm} in {self.header})"

    def check(
        self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime, tolerance: int
    ) -> None:
        value = _required(headers, self.header)
        if self.dated:
            _require_fresh(self.timestamp_header, self._said(headers, self.timestamp_header), now, tolerance)
        parts = self._behind_prefix(value)
        if len(parts) > _MAX_SIGNATURES:
            raise SignatureError(f"{self.header} holds {len(parts)} parts, more than {_MAX_SIGNATURES}")
        given = [raw for part in parts if (raw := self._raw(part)) is not None]
        if not given:
            shape = f"{self.prefix}<{self.encoding} of a keyed {self.algorithm}>"
            raise SignatureError(f"{self.header} must read {shape}")
        content = self.content(body, headers)
        expected = [self._hash(secret, content) for secret in secrets]
        # Every secret is compared before the answer is looked at: time tells nothing about which one fits.
        matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
        if not any(matches):
            raise SignatureError(f"{self.header} was not made with any of our secrets for this request")

    def content(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        found: list[bytes] = []
        for place, piece in enumerate(_PART.split(self.signed)):
            if place % 2 == 0:
                found.append(piece.encode())
            elif piece == "body":
                found.append(body)
            elif piece == "form":
                found.append(_form_fields(body))
            else:
                found.append(self._named(piece, headers).encode("utf-8", "replace"))
        return b"".join(found)

    def headers(self, body: bytes, secret: str, message_id: str, now: datetime) -> dict[str, str]:
        made = {self.timestamp_header: str(int(now.timestamp() * 1000))} if self.timestamp_header else {}
        if self.id_header:
            made[self.id_header] = message_id
        raw = self._hash(secret, self.content(body, made))
        text = raw.hex() if self.encoding == "hex" else base64.b64encode(raw).decode()
        return {**made, self.header: self.prefix + text}

    def _named(self, name: str, headers: Mapping[str, str]) -> str:
        match name:
            case "timestamp":
                return self._said(headers, self.timestamp_header)
            case "id":
                return self._said(headers, self.id_header)
            case "url":
                return self.url
            case _:
                return "POST"

    def _said(self, headers: Mapping[str, str], name: str) -> str:
        value = (header_of(headers, name) or "").strip()
        if not value:
            raise SignatureError(f"the request has no {name} header, or an empty one")
        return value

    def _behind_prefix(self, value: str) -> list[str]:
        """What stands behind each prefix, up to a comma or blank: there may be one in the prefix itself (``v1,``)."""
        found: list[str] = re.findall(rf"(?:^|[,\s]){re.escape(self.prefix)}([^,\s]+)(?=[,\s]|$)", value)
        return found

    def _raw(self, text: str) -> bytes | None:
        try:
            raw = bytes.fromhex(text) if self.encoding == "hex" else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return None
        return raw if len(raw) == hashlib.new(self.algorithm).digest_size else None

    def _hash(self, secret: str, content: bytes) -> bytes:
        return hmac.new(secret.encode(), content, self.algorithm).digest()


@dataclass(frozen=True, slots=True)
class TokenProof:
    """One of the secrets in a header, behind ``prefix``; whoever captured one request has it."""

    header: str
    prefix: str = ""

    @property
    def signs(self) -> bool:
        return False

    @property
    def dated(self) -> bool:
        return False

    @property
    def words(self) -> str:
        return f"token in {self.header}"

    def check(
        self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime, tolerance: int
    ) -> None:
        value = _required(headers, self.header)
        _require_equal(self.header, value, [self.prefix + secret for secret in secrets])

    def content(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        return body

    def headers(self, body: bytes, secret: str, message_id: str, now: datetime) -> dict[str, str]:
        return {self.header: self.prefix + secret}


@dataclass(frozen=True, slots=True)
class BasicProof:
    """A user name and one of the secrets as its password, as HTTP's basic authentication writes them."""

    user: str

    @property
    def signs(self) -> bool:
        return False

    @property
    def dated(self) -> bool:
        return False

    @property
    def words(self) -> str:
        return "basic (user and password)"

    def check(
        self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime, tolerance: int
    ) -> None:
        scheme, _, given = (header_of(headers, "authorization") or "").strip().partition(" ")
        if scheme.lower() != "basic" or not given:
            raise SignatureError("the request has no Authorization: Basic header")
        _require_equal("Authorization", given.strip(), [self._written(secret) for secret in secrets])

    def content(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        return body

    def headers(self, body: bytes, secret: str, message_id: str, now: datetime) -> dict[str, str]:
        return {"Authorization": f"Basic {self._written(secret)}"}

    def _written(self, secret: str) -> str:
        return base64.b64encode(f"{self.user}:{secret}".encode()).decode()


def unknown_parts(signed: str) -> list[str]:
    """The names in a template of what is signed that stand for nothing."""
    return [name for name in _PART.findall(signed) if name not in PARTS]


def _required(headers: Mapping[str, str], name: str) -> str:
    """:raises SignatureError: there is no such header, or nothing in it."""
    value = header_of(headers, name)
    if not value:
        raise SignatureError(f"the request has no {name} header, or an empty one")
    return value


def header_of(headers: Mapping[str, str], name: str) -> str | None:
    """A header in any case."""
    found = headers.get(name)
    if found is not None:
        return found
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), None)


def read_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in their order.

    :raises ValueError: not a form, or of more than 1,000 fields; never quotes it.
    """
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace")
    except UnicodeDecodeError:
        raise ValueError("the body is no form: it holds bytes that a form writes as %XX") from None
    except ValueError:
        raise ValueError(f"the body is a form of more than {MAX_FIELDS} fields") from None


def _form_fields(body: bytes) -> bytes:
    try:
        pairs = sorted(set(read_form(body)))
    except ValueError as error:
        raise SignatureError(str(error)) from None
    return "".join(name + value for name, value in pairs).encode("utf-8", "replace")


def _require_fresh(name: str, value: str, now: datetime, tolerance: int) -> None:
    if not _UNIX_TIME.fullmatch(value):
        raise SignatureError(f"{name} holds no time in seconds or milliseconds since 1970")
    seconds = int(value) / (1000 if int(value) >= _MILLISECONDS else 1)
    off = now.timestamp() - seconds
    if abs(off) > tolerance:
        raise SignatureError(
            f"{name} is {abs(off):.0f} s {'old' if off > 0 else 'in the future'}, more than the {tolerance} s allowed "
            "— a replay, or a clock that is off"
        )


def is_one_of(given: str, secrets: Sequence[str]) -> bool:
    """Whether a token from a header or a URL is one of these. A server reads the bytes of both as Latin-1."""
    offered = [given.encode("utf-8", "surrogatepass")]
    if not given.isascii() and max(given) <= "\xff":
        offered.append(given.encode("latin-1"))
    # Every secret is compared, so that time tells nothing about which one came close.
    matches = [hmac.compare_digest(each, secret.encode()) for secret in secrets for each in offered]
    return any(matches)


def _require_equal(name: str, given: str, expected: Sequence[str]) -> None:
    if not is_one_of(given, expected):
        raise SignatureError(f"{name} does not hold what the connection's password says")
