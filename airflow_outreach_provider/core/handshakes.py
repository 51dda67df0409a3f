"""What a platform that asks whether a URL is ours is answered: its challenge, a keyed hash of it, or both.

==============================  ===============================================  =========================================
asked by                        handshake                                        answered
==============================  ===============================================  =========================================
GET ``?hub.challenge=…`` with   ``query``, ``token_query``, ``token``            the challenge, as plain text
a token of ours (Facebook)
GET ``?challenge=…`` without    ``query``, ``open``                              the challenge, as plain text
one (Dropbox)
GET ``?crc_token=…`` (X)        ``query``, ``hash_key``                          ``{"response_token": "sha256=…"}``
a signed POST with a key        ``body``                                         ``{"challenge": "…"}``
(Slack)
a signed POST with a key that   ``body``, ``hash_key``                           ``{"plainToken": "…",
is hashed (Zoom)                                                                 "encryptedToken": "…"}``
==============================  ===============================================  =========================================

Whoever may ask without a token gets letters and digits back, or their hash, and nothing else: no page for a browser, and
no body that could be sent in under that hash.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_CHALLENGE = 1_000
_MIN_TOKEN = 8
# No quote, brace, colon, "&" or "=" within: neither HTML, nor JSON with a key, nor a form with a value.
_PLAIN = re.compile(r"[A-Za-z0-9_.+/-]{1,500}={0,2}")


class HandshakeSection(BaseModel):
    """How the platform asks whether the URL is ours: by a query, or by a key of a (proven) body.

    :param query: the parameter of a GET that holds the challenge, e.g. ``hub.challenge``.
    :param token_query: the parameter that holds ``token``, e.g. ``hub.verify_token``.
    :param open: the platform sends no token with its GET.
    :param body: the key of a POST's body that holds the challenge, e.g. ``challenge``; below others with dots.
    :param hash_key: the key of the JSON answer that holds the challenge's HMAC, by the connection's password.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field("", max_length=100)
    token_query: str = Field("", max_length=100)
    token: str = Field("", repr=False, max_length=500)
    open: bool = False
    body: str = Field("", max_length=100)
    hash_key: str = Field("", max_length=100)
    hash_prefix: str = Field("", max_length=50)
    hash_encoding: Literal["hex", "base64"] = "hex"

    @model_validator(mode="after")
    def _fits(self) -> HandshakeSection:
        if not (self.query or self.body):
            raise ValueError("write 'query' (a GET with a challenge) or 'body' (a key of a POST)")
        if (self.hash_prefix or "hash_encoding" in self.model_fields_set) and not self.hash_key:
            raise ValueError("hash_prefix and hash_encoding have no effect without 'hash_key'")
        if self.open and (self.token_query or self.token):
            raise ValueError("open says that there is no token: leave one of them out")
        told = self.token_query and len(self.token) >= _MIN_TOKEN
        if self.query and not (told or self.open or (self.hash_key and not self.token_query)):
            raise ValueError(
                f"a handshake by query needs 'token_query' and a 'token' of at least {_MIN_TOKEN} characters; "
                "or 'hash_key', or 'open' where the platform sends no token"
            )
        return self


def asked_by_query(handshake: HandshakeSection, said: Mapping[str, str]) -> str | None:
    """The challenge of a GET; None where the token is not ours, or nothing that may be sent back is asked.

    :param said: the query's parameters.
    """
    challenge = said.get(handshake.query, "")
    if not handshake.token_query:
        return challenge if _PLAIN.fullmatch(challenge) else None
    token = said.get(handshake.token_query, "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(token, handshake.token.encode()):
        return None
    if handshake.hash_key and not _PLAIN.fullmatch(challenge):
        return None
    usable = 0 < len(challenge) <= MAX_CHALLENGE and challenge.isascii() and challenge.isprintable()
    return challenge if usable else None


def asked_by_body(handshake: HandshakeSection, value: object) -> str | None:
    """The challenge of a proven body; None where it asks nothing that may be sent back."""
    if not handshake.body:
        return None
    for key in handshake.body.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CHALLENGE or not value.isprintable():
        return None
    return value if not handshake.hash_key or _PLAIN.fullmatch(value) else None


def answer(
    handshake: HandshakeSection, challenge: str, secret: str, *, by_query: bool
) -> str | dict[str, str]:
    """What is sent back: a plain text, or a JSON object.

    :param secret: the newest of the source's; it is in no answer, only its hash of the challenge.
    """
    echo = {} if by_query else {handshake.body.rpartition(".")[2]: challenge}
    if not handshake.hash_key:
        return echo or challenge
    raw = hmac.new(secret.encode(), challenge.encode(), "sha256").digest()
    text = raw.hex() if handshake.hash_encoding == "hex" else base64.b64encode(raw).decode()
    return {**echo, handshake.hash_key: handshake.hash_prefix + text}
