"""The question some platforms ask before they send events: is this URL yours? The answer is what they sent."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

from airflow_outreach_provider.core.platforms.custom import HandshakeSection

_MAX_LENGTH = 1_000
_MAX_PARAMETERS = 50


def read_challenge(handshake: HandshakeSection, query: bytes) -> str | None:
    """What is to be sent back, as plain text; None where the token is not ours, or nothing is asked."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return None
    said = dict(reversed(pairs))  # of a repeated parameter the first counts
    token = said.get(handshake.token_query, "").encode("utf-8", "surrogatepass")
    challenge = said.get(handshake.query, "")
    if not hmac.compare_digest(token, handshake.token.encode()):
        return None
    usable = 0 < len(challenge) <= _MAX_LENGTH and challenge.isascii() and challenge.isprintable()
    return challenge if usable else None
