"""The exception tree. Messages say what happened, to which row or key, and what to do next.

::

    OutreachError
    ├── ConfigurationError    the same for every lead; fail now, with the remedy
    ├── LeadRejected          this one lead; the rest goes on
    ├── OutreachUnavailable   nothing was processed; try again after ``retry_after``
    ├── DeliveriesFailed      tried as often as they may be; nothing is left to this task
    ├── OutcomeUnknown        sent, and nobody knows what became of it
    ├── TooManyRejected       the run's rules on failed rows were broken
    ├── SignatureError        an event or a secret that cannot be trusted
    ├── AddressForbidden      a host that resolves to an address we must not call
    └── StoreError            the ledger's own database
"""

from __future__ import annotations

from collections.abc import Mapping


class OutreachError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigurationError(OutreachError):
    """A fault that is the same for every lead or event: a retry cannot help, a person can.

    :param message: what is wrong and where.
    :param remedy: what to do next, one sentence.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.remedy = remedy
        super().__init__(f"{message} — {remedy}" if remedy else message)


class LeadRejected(OutreachError):
    """The outreach API, or our own check, refused one lead.

    :param reason: a stable snake_case word, e.g. ``phone_missing``.
    :param detail: text for a person, without personal data.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class OutreachUnavailable(OutreachError):
    """Nothing was processed; the same request may be sent again.

    :param retry_after: seconds to wait before the next try, when the other side said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class DeliveriesFailed(OutreachError):
    """Deliveries were tried as often as they may be: another try of the task does nothing, sending them again does.

    :param message: how many, and what the other side said. :param remedy: what to do next.
    """

    def __init__(self, message: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(f"{message} — {remedy}")


class OutcomeUnknown(OutreachError):
    """A request was sent and its outcome is not known: the person may or may not have been texted."""


class TooManyRejected(OutreachError):
    """More rows failed or were suppressed than ``max_rejected`` or ``max_suppressed``, or fewer came than ``min_rows``, allow.

    :param counts: rows by state.
    """

    def __init__(self, message: str, counts: Mapping[str, int] | None = None) -> None:
        self.counts = dict(counts or {})
        super().__init__(message)


class SignatureError(OutreachError):
    """A signature, a token or a signing secret is missing, malformed or wrong."""


class TooManyEvents(OutreachError):
    """A request holds more events than one request may: none of them was taken."""


class AddressForbidden(OutreachError):
    """A URL whose host is, or resolves to, an address that must not be called.

    :param host: the host as written.
    :param address: the address it stands for.
    :param reason: which range forbids it, with its source.
    """

    def __init__(self, host: str, address: str, reason: str) -> None:
        self.host, self.address, self.reason = host, address, reason
        super().__init__(f"{host} resolves to {address}, which is refused: {reason}")


class StoreError(OutreachError):
    """The outreach store (its SQL database) is away, full, too old or too new.

    :param conflict: whether the database only broke a tie between two writers, and the same may be tried again.
    """

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        self.conflict = conflict
        super().__init__(message)
