"""``platform: custom``: a source whose connection says how it signs and where its fields stand.

Where a field stands is an expression of :mod:`core.expressions` over one event's body, e.g.
``{{ body.payload.email }}``, and the headers of its request, e.g. ``{{ headers['X-Topic'] }}``. A request may hold several events: the elements of a list, or of the list at ``events``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import CONTACT_FIELDS, Contact, EventKind
from airflow_outreach_provider.core.expressions.compile import BODY, ExpressionError, Value, compile_value
from airflow_outreach_provider.core.expressions.scope import IDENTITY
from airflow_outreach_provider.core.handshakes import HandshakeSection
from airflow_outreach_provider.core.masking import shown_value, shown_words
from airflow_outreach_provider.core.platforms import reading
from airflow_outreach_provider.core.platforms.messages import OURS, direction, message
from airflow_outreach_provider.core.platforms.persons import completed
from airflow_outreach_provider.core.platforms.places import BodyObject, walk
from airflow_outreach_provider.core.platforms.plain_places import grouped, place_of
from airflow_outreach_provider.core.platforms.reading import Parsed, Platform
from airflow_outreach_provider.core.proofs import (
    Algorithm,
    BasicProof,
    Encoding,
    HmacProof,
    Proof,
    TokenProof,
    unknown_parts,
)
from airflow_outreach_provider.core.request_headers import RequestHeaders, is_secret
from airflow_outreach_provider.core.signing import ID_HEADER, Scheme
from airflow_outreach_provider.core.suggest import did_you_mean, nearest

CUSTOM = "custom"
_WHOLE = 2**31  # two ids may differ in their last character
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")
_READ_HEADER = re.compile(r"""\bheaders\s*(?:\.\s*|\[\s*(['"]))([\w-]+)""")
_MAY_STAND_IN_HEADERS = ("type", "campaign", "message", "person", *CONTACT_FIELDS)


def _header_name(name: str) -> str:
    if name and not _HEADER.fullmatch(name):
        raise ValueError("this is no name of a header")
    return name


def _expression(template: str) -> str:
    try:
        compile_value(template, BODY)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return template


_Header = Annotated[str, AfterValidator(_header_name)]
_Expression = Annotated[str, AfterValidator(_expression)]
_READ_BY = {"token": {"header", "prefix"}, "basic": {"user"}}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VerifySection(_Section):
    """How a request proves itself. With a ``scheme`` of the table only ``header`` may differ."""

    scheme: Literal["hmac", "standard-webhooks", "github", "stripe", "autoreach", "token", "basic"]
    header: _Header = ""
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = Field("", max_length=50)
    signed: str = Field("{body}", max_length=200)
    timestamp_header: _Header = ""
    id_header: _Header = ""
    url: str = Field("", max_length=2_000)
    user: str = Field("", max_length=200)

    @model_validator(mode="after")
    def _fits(self) -> VerifySection:
        if self.scheme == "basic" and (not self.user or ":" in self.user):
            raise ValueError("scheme basic needs 'user', a name without a colon")
        if self.scheme != "hmac":
            if idle := self.model_fields_set - _READ_BY.get(self.scheme, {"header"}) - {"scheme"}:
                raise ValueError(f"{min(idle)} has no effect with scheme {self.scheme}: leave it out")
            return self
        if not self.header:
            raise ValueError("scheme hmac needs 'header', the one that holds the signature")
        if unknown := unknown_parts(self.signed):
            raise ValueError(
                f"signed: {{{unknown[0]}}} is unknown — write of {{body}}, {{timestamp}}, {{id}}, {{method}}, {{url}}, {{form}}"
            )
        if "{body}" not in self.signed and "{form}" not in self.signed:
            raise ValueError("signed holds neither {body} nor {form}, so anybody could change the event")
        for part, name in (("{timestamp}", "timestamp_header"), ("{id}", "id_header")):
            if part in self.signed and not getattr(self, name):
                raise ValueError(f"signed holds {part}, so '{name}' has to say which header it is in")
        return self


class ContactSection(_Section):
    """Where the person's fields stand; what is left out is looked for under its usual names in ``person``."""

    name: _Expression = ""
    first_name: _Expression = ""
    last_name: _Expression = ""
    email: _Expression = ""
    phone: _Expression = ""
    external_id: _Expression = ""


class CustomSection(_Section):
    """The ``custom`` of a connection's extra."""

    verify: VerifySection | None = None
    form: bool = False
    events: str = Field("", max_length=200)
    id: _Expression = ""
    type: _Expression
    time: _Expression = ""
    campaign: _Expression = ""
    message: _Expression = ""
    person: _Expression = ""
    contact: ContactSection = ContactSection()
    types: Mapping[str, EventKind] = {}
    delivery_header: _Header = ""
    handshake: HandshakeSection | None = None
    answer: str | None = Field(None, max_length=1_000)
    answer_type: Literal["text/plain", "text/xml", "application/json"] = "text/plain"
    how_to_connect: str = Field("", max_length=300)

    @model_validator(mode="before")
    @classmethod
    def _grouped(cls, said: Any) -> Any:
        return grouped(said, VerifySection.model_fields) if isinstance(said, Mapping) else said

    @field_validator("events")
    @classmethod
    def _is_path(cls, path: str) -> str:
        if path and not _PATH.fullmatch(path):
            raise ValueError("write the keys down to the list with dots between them, e.g. entry.changes")
        return path

    @field_validator("type")
    @classmethod
    def _is_said(cls, template: str) -> str:
        if not template.strip():
            raise ValueError("say where the type stands, e.g. '{{ body.event }}', or write one yourself")
        return template

    @model_validator(mode="after")
    def _is_of_one_event(self) -> CustomSection:
        if self.id and "{{" not in self.template("id"):
            raise ValueError("id is the same for every event — say where it stands, e.g. '{{ body.id }}'")
        return self

    @model_validator(mode="after")
    def _headers_are_proven(self) -> CustomSection:
        for name, instead in (
            ("id", "name it in delivery_header"),
            ("time", "leave it out: then it is when it came"),
        ):
            if self.headers_read(name):
                raise ValueError(f"{name} stands in a header, which no signature covers — {instead}")
        for header in self.headers_read(*_MAY_STAND_IN_HEADERS):
            if is_secret(header):
                raise ValueError(f"the header {header!r} holds a secret by its name, and is not read")
        return self

    def headers_read(self, *names: str) -> frozenset[str]:
        """The headers that these fields look at, as they are written."""
        return frozenset(found for name in names for _, found in _READ_HEADER.findall(self.template(name)))

    def template(self, name: str) -> str:
        """Where a field of the event, or of its contact, stands; keys without braces as the expression they mean."""
        said = str(getattr(self.contact if name in CONTACT_FIELDS else self, name))
        is_word = name == "type" and reading.kind_of(self.kinds, said) is not EventKind.OTHER
        return said if is_word else place_of(name, said)

    @property
    def kinds(self) -> dict[str, EventKind]:
        """``types``, by the words as they are compared."""
        return {reading.normalise(type_): kind for type_, kind in self.types.items()}

    @field_validator("types", mode="before")
    @classmethod
    def _are_kinds(cls, types: Any) -> Any:
        known = [kind.value for kind in EventKind if kind is not EventKind.UNRECOGNISED]
        for type_, kind in types.items() if isinstance(types, Mapping) else ():
            if kind not in known:
                raise ValueError(
                    f"{type_}: there is no kind {shown_value(kind)} — {did_you_mean(str(kind), known)}"
                )
        return types


@dataclass(frozen=True, slots=True)
class CustomSource:
    """A custom source, compiled.

    :param facts: what the inbox has to know, as of any platform.
    :param type_in_header: whether one body may be events of several types.
    :param reads_headers: whether a header is looked at at all: of most sources none is.
    """

    section: CustomSection
    facts: Platform
    body_reader: BodyReader
    type_in_header: bool
    reads_headers: bool

    def reader(self, headers: Mapping[str, str]) -> Callable[[Mapping[str, Any], str | None], Parsed | None]:
        """The parser for what came in a request with these headers."""
        if not self.reads_headers:
            return self.body_reader
        return partial(self.body_reader, headers=RequestHeaders(headers))

    @property
    def events(self) -> list[str]:
        """The keys down to the list of events."""
        return self.section.events.split(".") if self.section.events else []


def custom_source(where: str, value: Any, url: str = "") -> CustomSource:
    """The custom source that a connection's extra describes.

    :param where: for messages, e.g. ``connection 'hubspot'``.
    :param url: as it is pasted into the platform, for signatures that cover it.
    :raises ConfigurationError: which part is wrong, and what to write.
    """
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{where}: platform custom needs 'custom' in the extra, a JSON object",
            'write at least {"type": "{{ body.event }}", "verify": {"scheme": "token", "header": "X-Token"}}',
        )
    try:
        section = CustomSection.model_validate(value)
    except ValidationError as error:
        raise _problem(where, error) from None
    proof, scheme = _proof(section.verify, url)
    if proof is not None and isinstance(proof, HmacProof) and "{form}" in proof.signed and not section.form:
        raise ConfigurationError(f"{where}: custom.verify.signed holds {{form}}", "set custom.form to true")
    if proof is not None and isinstance(proof, HmacProof) and "{url}" in proof.signed and not proof.url:
        raise ConfigurationError(
            f"{where}: custom.verify.signed holds {{url}}", "write it into custom.verify.url"
        )
    if section.handshake and section.handshake.hash_key and section.form and isinstance(proof, HmacProof):
        raise ConfigurationError(
            f"{where}: custom.handshake.hash_key hashes what anybody asks, and a form is signed by the same hash",
            "leave one of them out",
        )
    reader = BodyReader(section)
    facts = Platform(
        name=CUSTOM,
        scheme=scheme,
        rows=(),
        parse=reader,
        signature_header=section.verify.header or None if section.verify else None,
        delivery_header=section.delivery_header or ID_HEADER.get(scheme) or _signed_id(proof),
        how_to_connect=section.how_to_connect or "the platform, where its webhooks are set up",
        proof=proof,
    )
    return CustomSource(
        section, facts, reader, type_in_header=bool(section.headers_read("type")),
        reads_headers=bool(section.headers_read(*_MAY_STAND_IN_HEADERS)),
    )  # fmt: skip


def _proof(verify: VerifySection | None, url: str) -> tuple[Proof | None, Scheme]:
    if verify is None:
        return None, Scheme.NONE
    match verify.scheme:
        case "hmac":
            made = HmacProof(
                verify.header, verify.algorithm, verify.encoding, verify.prefix, verify.signed,
                verify.timestamp_header, verify.id_header, verify.url or url,
            )  # fmt: skip
            return made, Scheme.NONE
        case "token":
            return (TokenProof(verify.header, verify.prefix) if verify.header else None), Scheme.NONE
        case "basic":
            return BasicProof(verify.user), Scheme.NONE
        case _:
            return None, Scheme(verify.scheme)


def _signed_id(proof: Proof | None) -> str | None:
    """The header of an id that is signed: it tells two requests with the same body apart."""
    return proof.id_header if isinstance(proof, HmacProof) and "{id}" in proof.signed else None


def _problem(where: str, error: ValidationError) -> ConfigurationError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(["custom", *map(str, first["loc"])])
    said = str(first["msg"]).removeprefix("Value error, ")
    match first["type"]:
        case "missing":
            return ConfigurationError(
                f"{where}: {path} is missing", "e.g. '{{ body.event }}'" if path.endswith("type") else None
            )
        case "extra_forbidden":
            parts = [part for part in first["loc"] if isinstance(part, str)]
            name, known = parts[-1], _keys(parts[:-1])
            if not nearest(name, known):  # it may be a secret, which no message repeats
                path = f"{'.'.join(['custom', *parts[:-1]])}: {shown_value(name)}"
            return ConfigurationError(f"{where}: {path} is unknown", did_you_mean(name, known))
        case _:
            return ConfigurationError(f"{where}: {path}: {shown_words(said)}")


def _keys(path: list[str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "verify": VerifySection, "handshake": HandshakeSection, "contact": ContactSection,
    }  # fmt: skip
    return list((sections.get(path[-1], CustomSection) if path else CustomSection).model_fields)


class BodyReader:
    """The parser of one custom source: a body, as a JSON object, and the request's headers to what they say."""

    def __init__(self, section: CustomSection) -> None:
        self._kinds = section.kinds
        self._fields: dict[str, Value] = {
            name: compile_value(template, IDENTITY if name == "id" else BODY)
            for name in ("id", "type", "time", "campaign", "message", "person")
            if (template := section.template(name))
        }
        self._contact: dict[str, Value] = {
            name: compile_value(template, BODY)
            for name in CONTACT_FIELDS
            if (template := section.template(name))
        }

    def __call__(
        self, body: Mapping[str, Any], region: str | None, headers: Mapping[str, str] | None = None
    ) -> Parsed | None:
        sent = {"body": body, "headers": headers or {}}
        type_ = reading.text(self._said("type", sent), reading.MAX_TYPE)
        if type_ is None:
            return None
        kind = reading.kind_of(self._kinds, type_)
        record = reading.mapping(self._said("person", sent))
        written = {name: found for name, read in self._contact.items() if (found := read(sent)) is not None}
        person = {**record, **written}
        places, named = walk(body), walk(person)
        said = self._message(kind, places, sent) or message(kind, type_, places)
        return Parsed(
            type=type_,
            kind=kind,
            occurred_at=reading.when(self._said("time", sent)),
            contact=completed(self._person(record, written, region), named, region, kind, type_, said),
            campaign_id=reading.text(self._said("campaign", sent)),
            data=body,
            person=person,
            places=places,
            named=named,
            said=said,
            id=reading.text(self._said("id", sent), _WHOLE),
        )

    def _message(
        self, kind: EventKind, places: tuple[BodyObject, ...], sent: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """What stands where the source says that the person's words stand; of any type, unless it is a message of ours."""
        written = self._said("message", sent)
        if not isinstance(written, str) or not written.strip() or kind in OURS:
            return ()
        return () if direction(place for place in places if place.near) is False else (written,)

    def _said(self, name: str, sent: Mapping[str, Any]) -> Any:
        read = self._fields.get(name)
        return None if read is None else read(sent)

    def _person(self, record: Mapping[str, Any], written: Mapping[str, Any], region: str | None) -> Contact:
        usual = reading.contact(record, region)
        named = reading.contact({_ALIAS[name]: value for name, value in written.items()}, region)
        return Contact(**{name: getattr(named, name) or getattr(usual, name) for name in CONTACT_FIELDS})


_ALIAS = {name: "id" if name == "external_id" else name for name in CONTACT_FIELDS}
