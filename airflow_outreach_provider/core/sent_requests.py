"""What is kept of a request and of the head of its answer: enough to show them again, and nobody's data twice.

A request is made of its event by its route's form, and the same form makes the same request of the same event. So the
form is kept once, and of each request a digest: made again, it is either what was sent, or visibly something else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.masking import HIDDEN
from airflow_outreach_provider.core.request_form import RequestForm

# Of an answer's headers those that tell why it came out so; never a cookie.
_ANSWER_HEADERS = frozenset(
    {
        "allow", "cf-ray", "content-length", "content-type", "correlation-id", "date", "location", "ratelimit-limit",
        "ratelimit-remaining", "ratelimit-reset", "request-id", "retry-after", "server", "traceparent", "via",
        "www-authenticate", "x-amzn-requestid", "x-correlation-id", "x-ratelimit-limit", "x-ratelimit-remaining",
        "x-ratelimit-reset", "x-request-id", "x-trace-id",
    }
)  # fmt: skip
_MOST_HEADERS, _MOST_VALUE = 12, 120
_SECRET_NAME = re.compile(r"auth|key|token|secret|sign|cookie|passw|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SentDigest:
    """What is kept of a request.

    :ivar form: the key of its form, :func:`form_key`. :ivar digest: of method, place and body; empty where several events
        were sent in it. :ivar size: of the body, in bytes.
    """

    form: str
    digest: str
    size: int


def request_digest(method: str, place: str, body: bytes) -> str:
    """16 hexadecimal digits. :param place: path and query as the form makes them, below the endpoint's own."""
    return hashlib.sha256(f"{method} {place}\n".encode() + body).hexdigest()[:16]


def write_form(form: RequestForm) -> str:
    """A form as JSON, what looks like a secret in it hidden: such a request cannot be shown as it was sent."""
    default, filled = RequestForm().filled(), form.filled()
    said = {
        each.name: value
        for each in fields(form)
        if (value := getattr(filled, each.name)) != getattr(default, each.name)
    }
    if form.batch is not None:
        said["batch"] = asdict(form.batch)
    return to_json(_without_secrets(said, ""), fallback=str, inf_nan_mode="null").decode()


def form_key(written: str) -> str:
    """16 hexadecimal digits that stand for a written form."""
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def read_form(written: str) -> RequestForm:
    """The inverse of :func:`write_form`.

    :raises TypeError, ValueError: another version wrote it.
    """
    said: dict[str, Any] = json.loads(written)
    batch = said.pop("batch", None)
    return RequestForm(**said, batch=GroupForm(**batch) if batch else None)


def _without_secrets(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_secrets(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(each, name) for each in value]
    written_out = isinstance(value, str) and "{{" not in value
    return HIDDEN if written_out and _SECRET_NAME.search(name) else value


def kept_headers(headers: Iterable[tuple[str, str]]) -> str:
    """Of an answer's headers those that matter, as a JSON list of pairs, at most about 2 KB; empty for none."""
    found = [
        [name[:40], _printable(value[:_MOST_VALUE])]
        for name, value in headers
        if name.lower() in _ANSWER_HEADERS
    ]
    return to_json(found[:_MOST_HEADERS]).decode() if found else ""


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
