"""The question some platforms ask before they send events: is this URL yours?"""

from __future__ import annotations

from urllib.parse import parse_qsl

from airflow_outreach_provider.core.handshakes import HandshakeSection, asked_by_query

_MAX_PARAMETERS = 50


def read_challenge(handshake: HandshakeSection, query: bytes) -> str | None:
    """What a query asks; None where the token is not ours, or nothing is asked."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return None
    return asked_by_query(handshake, dict(reversed(pairs)))  # of a repeated parameter the first counts
