"""How a batch is sent: from arguments as people write them to options that can be kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from math import inf
from typing import Any, Literal, Protocol

from airflow_outreach_provider.core.arguments import (
    check_mapping,
    check_seconds,
    check_text,
    check_texts,
    check_whole,
    read_flag,
    read_name,
    said_later,
    wrong,
)
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.leads import PayloadFormat
from airflow_outreach_provider.core.pacing import MOST_AT_ONCE
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.phones import LineType, PhoneReading
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.row_minimum import RowMinimum
from airflow_outreach_provider.core.row_order import RowOrder, read_order
from airflow_outreach_provider.core.row_trials import RowTrial
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.services.submit.limits import RejectLimit

OnUnknown = Literal["hold", "resend"]
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_MOST_ROWS = 10**18


@dataclass(frozen=True)
class SubmitOptions:
    """How a batch is sent.

    :param on_unknown: ``hold`` keeps at most one text a person; ``resend`` is at least one.
    :param window: most requests in flight, and most leads a crash can leave in doubt.
    :param requests_per_second: over all tasks that share ``conn_id``; None for no limit of our own.
    :param conn_id: the connection that is submitted through, '' where there is none.
    :param lease: how long a silent run is believed to be alive.
    :param max_rows: read no more rows than this; for trials.
    :param max_people: text no more people than this, whoever listed them: as many as somebody approved.
    :param stage_only: decide and write to the ledger, and leave the sending to other runs.
    :param shard: which share of the planned leads to send first, from 0; the others' are taken after that.
    :param shards: into how many shares the planned leads are divided among runs.
    :param order_by: which rows of the source come first; as they come where empty.
    :param incremental: the column by which only rows are read from where the last run that ended well came to.
    :param apart: other tasks of the DAG send other leads for the campaign: what the last run came to is that of this task.
    """

    rules: LeadRules
    on_unknown: OnUnknown = "hold"
    max_rejected: RejectLimit = field(default_factory=RejectLimit)
    max_suppressed: RejectLimit = field(default_factory=lambda: RejectLimit(None, None))
    min_rows: RowMinimum | int | None = None
    dry_run: bool = False
    window: int = 64
    requests_per_second: float | None = None
    conn_id: str = ""
    lease: timedelta = timedelta(seconds=300)
    patience: float = 30.0
    max_rows: int | None = None
    max_people: int | None = None
    stage_only: bool = False
    shard: int = 0
    shards: int = 1
    order_by: tuple[RowOrder, ...] = ()
    incremental: str | None = None
    apart: bool = False

    @property
    def fewest(self) -> RowMinimum:
        """``min_rows``, however it was given."""
        return self.min_rows if isinstance(self.min_rows, RowMinimum) else RowMinimum.parse(self.min_rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know who sees what became of the run."""
        return ("max_rows is 0: no row is read; leave it out to read all",) if self.max_rows == 0 else ()

    def kept_to(self, trial: RowTrial | None) -> SubmitOptions:
        """As a try has them, whatever was asked for: it sends and plans nothing, and so few rows are no whole list to
        judge. The same for every other run."""
        if trial is None:
            return self
        unlimited = RejectLimit(None, None)
        return replace(
            self, dry_run=True, max_rows=trial.rows, stage_only=False, max_people=None, max_rejected=unlimited,
            max_suppressed=unlimited, min_rows=None,
        )  # fmt: skip

    def check(self) -> None:
        """:raises ConfigurationError: an option cannot be kept as written; a run with it would send nothing, for ever."""
        self.rules.check()
        _ = self.fewest
        check_whole("concurrency", self.window, "use a whole number from 1 on")
        if self.patience != inf:
            check_seconds("patience", self.patience)
        rate = self.requests_per_second
        if rate is not None and not (_is_number(rate) and 0 < rate < inf):
            raise ConfigurationError(
                f"requests_per_second is {self.requests_per_second!r}",
                "use a number above 0, or None for no limit",
            )
        if self.on_unknown not in ("hold", "resend"):
            raise ConfigurationError(
                f"on_unknown {self.on_unknown!r} does not exist", "use 'hold' or 'resend'"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class ConnectionDefaults(Protocol):
    """What a connection says where the arguments do not."""

    @property
    def configuration_id(self) -> str | None: ...

    @property
    def default_region(self) -> str | None: ...

    @property
    def max_concurrency(self) -> int: ...

    @property
    def requests_per_second(self) -> float | None: ...


@dataclass(frozen=True)
class _Unknown:
    """A connection that nobody has looked at yet."""

    configuration_id: str | None = None
    default_region: str | None = None
    max_concurrency: int = 64
    requests_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class SubmitArguments:
    """What a task, a workflow or an event's route asks for, as written; ``SubmitLeadsOperator`` explains each.

    :param apart: whether other tasks of the DAG send other leads for the campaign: ``incremental`` and ``min_rows`` go by
        the runs of this one then.
    :param given: what the run gives to templates and conditions over rows, by name: ``ds``, ``params``, ``var``, ….
    :param max_people: text no more people than this: as many as somebody approved.
    :param stage_only: decide and write to the ledger, and leave the sending to other runs.
    """

    configuration_id: str | None = None
    mapping: Mapping[str, Any] | None = None
    where: str | None = None
    order_by: str | Iterable[str] | None = None
    unique: str | Iterable[str] | None = None
    incremental: str | None = None
    apart: bool = False
    given: Mapping[str, object] | None = None
    payload_format: PayloadFormat = "raw"
    campaign: str | None = None
    default_region: str | None = None
    on_unknown: OnUnknown = "hold"
    resubmit: Literal["never", "changed"] | timedelta = "never"
    changed_on: Iterable[str] | None = None
    per_person: str | None = None
    quiet_hours: str | None = None
    require_consent: str | None = None
    line_types: Iterable[str] | None = None
    time_zone: str | None = None
    several_phones: Literal["reject", "first"] = "reject"
    unknown_ranges: Literal["reject", "allow"] = "reject"
    max_rejected: str | int | None = "5%"
    max_suppressed: str | int | None = None
    min_rows: int | str | None = None
    dry_run: bool | str | None = False
    max_rows: int | str | None = None
    concurrency: int | None = None
    requests_per_second: float | None = None
    patience: float = 30.0
    shard: int = 0
    shards: int = 1
    max_people: int | None = None
    stage_only: bool = False

    @classmethod
    def of(cls, said: Mapping[str, object]) -> SubmitArguments:
        """:raises ConfigurationError: a name is none of ours."""
        known = [each.name for each in fields(cls)]
        for name in said:
            if name not in known:
                raise ConfigurationError(
                    f"a lead has no argument {name!r}",
                    did_you_mean(name, known),
                )
        return cls(**said)  # type: ignore[arg-type]

    def check_written(self, templated: Collection[str]) -> None:
        """Check what is known before a task runs: without templates, and without what other tasks will give.

        :param templated: the arguments that may be templates.
        :raises ConfigurationError: an argument cannot be; the message names it.
        """
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in list(known.items()):
            if (name in templated and said_later(value)) or hasattr(value, "resolve"):
                del known[name]
        SubmitArguments(**known).options(_Unknown(), conn_id="", lease=timedelta(minutes=5))

    def options(self, connection: ConnectionDefaults, *, conn_id: str, lease: timedelta) -> SubmitOptions:
        """The arguments, checked, with the connection's defaults.

        :raises ConfigurationError: an argument cannot be; the message names it.
        """
        self._check_kinds()
        window = self.concurrency if self.concurrency is not None else connection.max_concurrency
        most = f"use a whole number from 1 to {MOST_AT_ONCE}"
        check_whole("concurrency", window, most, most=MOST_AT_ONCE)
        if self.shard >= self.shards:
            raise ConfigurationError(
                f"shard {self.shard} of {self.shards} does not exist", "count shards from 0"
            )
        rate = self.requests_per_second
        options = SubmitOptions(
            rules=self._rules(connection),
            on_unknown=self.on_unknown,
            max_rejected=RejectLimit.parse(self.max_rejected),
            max_suppressed=RejectLimit.parse(self.max_suppressed, "max_suppressed"),
            min_rows=RowMinimum.parse(self.min_rows),
            dry_run=self.dry_run is not None and read_flag("dry_run", self.dry_run),
            window=window,
            requests_per_second=rate if rate is not None else connection.requests_per_second,
            conn_id=conn_id,
            lease=lease,
            patience=self.patience,
            max_rows=_count(self.max_rows),
            max_people=self.max_people,
            stage_only=self.stage_only,
            shard=self.shard,
            shards=self.shards,
            order_by=read_order(self.order_by),
            incremental=self.incremental,
            apart=self.apart,
        )
        options.check()
        return options

    def _check_kinds(self) -> None:
        for name, remedy in _TEXTS.items():
            check_text(name, value := getattr(self, name), remedy)
            if value is not None and not value.strip():  # a rule that was meant to be there
                raise wrong(name, value, remedy)
        for name, remedy in _COLUMNS.items():
            check_texts(name, getattr(self, name), remedy, empty=name in ("order_by", "unique"))
        check_mapping("mapping", self.mapping, _MAPPING)
        check_whole("shard", self.shard, "count shards from 0", least=0)
        check_whole("shards", self.shards, "use a whole number from 1 on")

    def _rules(self, connection: ConnectionDefaults) -> LeadRules:
        configuration_id = read_name("configuration_id", self.configuration_id)
        return LeadRules(
            configuration_id=configuration_id or read_name("configuration_id", connection.configuration_id),
            campaign=_campaign(self.campaign),
            mapping=self.mapping,
            where=self.where,
            given=self.given,
            payload_format=self.payload_format,
            default_region=read_name("default_region", self.default_region) or connection.default_region,
            require_consent=self.require_consent,
            line_types=_line_types(self.line_types),
            quiet_hours=None if self.quiet_hours is None else QuietHours.parse(self.quiet_hours),
            resubmit=self.resubmit,
            changed_on=_listed(self.changed_on),
            per_person=None if self.per_person is None else PerPerson.parse(self.per_person),
            time_zone=self.time_zone,
            phones=PhoneReading(self.several_phones, self.unknown_ranges),
            unique_email="email" in _unique(self.unique),
        )


_TEXTS: Mapping[str, str] = {
    "where": "write a condition on the row's columns as a text, e.g. \"title == 'Nurse'\"",
    "incremental": 'name a column of the source, e.g. "updated_at"',
    "require_consent": 'name the column that says yes, e.g. "sms_opt_in"',
    "time_zone": 'name the column that says where the person is, e.g. "time_zone"',
    "payload_format": "use 'raw' or 'fixed'",
    "on_unknown": "use 'hold' or 'resend'",
    "several_phones": "use 'reject' or 'first'",
    "unknown_ranges": "use 'reject' or 'allow'",
}
_COLUMNS: Mapping[str, str] = {
    "order_by": 'name columns, e.g. ["score desc", "created_at"]',
    "unique": 'write "email"; the number is unique anyway',
    "changed_on": 'name columns of the source, e.g. ["status"], or leave it out for all',
    "line_types": f"use some of {', '.join(kind.value for kind in LineType)}, or leave it out for all",
}
_MAPPING = 'write fields and their columns, e.g. {"phoneNumber": "mobile"}'


def _listed(names: str | Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset([names] if isinstance(names, str) else names)


def _campaign(value: object) -> str | None:
    """A whole number is what Airflow makes of ``{{ ds_nodash }}`` where it renders native objects."""
    return read_name("campaign", str(value) if type(value) is int else value)


def _unique(names: str | Iterable[str] | None) -> frozenset[str]:
    """What a person is known by; by their number always."""
    listed = _listed(names) or frozenset()
    for name in sorted(listed - {"email", "phone"}):
        raise ConfigurationError(f"unique names {name!r}", 'write "email"; the number is unique anyway')
    return listed


def _line_types(names: str | Iterable[str] | None) -> frozenset[LineType] | None:
    listed = _listed(names)
    try:
        return None if listed is None else frozenset(map(LineType, listed))
    except ValueError as error:
        raise ConfigurationError(f"line_types: {error}", _COLUMNS["line_types"]) from error


def _count(value: object) -> int | None:
    """So many rows, also none of them; None where nothing says how many. Of a part of a row nothing is read."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
        return None
    said = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else value
    if isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said <= _MOST_ROWS:
        return int(said)
    raise wrong("max_rows", value, "use a whole number, or leave it out")
