"""The requests of a batch: each event as its route's form says, below the endpoint's own URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from pydantic_core import to_json
from yarl import URL

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.request_form import (
    CANONICAL,
    NOTHING,
    POST,
    CompiledForm,
    RequestForm,
)
from airflow_outreach_provider.core.sent_requests import SentDigest, form_key, request_digest, write_form
from airflow_outreach_provider.store.deliveries.fan_out import bodies
from airflow_outreach_provider.store.engine import Store


@dataclass(frozen=True, slots=True)
class EventRequest:
    """What is sent for one event, but for what every delivery says of itself.

    :ivar place: path and query of the form, below the endpoint's own. :ivar form: the key of the form that made it.
    :ivar count: so many events are in it.
    """

    url: URL = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = POST
    of_record: bool = False
    place: str = field(default="", repr=False)
    form: str = ""
    count: int = 1

    @property
    def told(self) -> SentDigest | None:
        """What is kept of it; None where nobody could make it again."""
        if not self.form:
            return None
        digest = request_digest(self.method, self.place, self.body) if self.count == 1 else ""
        return SentDigest(self.form, digest, len(self.body))


MakeRequest = Callable[[ContactEvent, Mapping[str, object]], EventRequest]
"""Of an event, and what is saved of its contact. :raises EventUnfit: this event cannot become a request."""


class RequestMaker:
    """Events as requests to one endpoint.

    :ivar written: the form as it is kept.

    :param url: of the endpoint.
    :raises ConfigurationError: the form cannot be used, or says what the endpoint's URL says already.
    """

    def __init__(self, store: Store, form: RequestForm, url: URL) -> None:
        self._store, self.form, self._url = store, CompiledForm(form), url
        self.written = write_form(form)
        self._key = form_key(self.written)
        twice = sorted(set(form.query) & set(url.query))
        if twice:
            raise ConfigurationError(
                f"query sets {', '.join(twice)}, which the endpoint's URL has already", "say it in one place"
            )

    def of(self, event_ids: Sequence[str]) -> MakeRequest:
        """For these events of the batch: their raw bodies are read at once, where they are sent."""
        make_body = self._body_maker(event_ids)
        form, compiled = self.form.form, self.form

        def make(event: ContactEvent, saved: Mapping[str, object]) -> EventRequest:
            record = {**event.to_dict(), "saved": saved} if compiled.reads_event else {}
            body = compiled.body(record) if compiled.templated else make_body(event)
            headers = compiled.headers(record)
            if body or form.said_payload != NOTHING:
                headers["Content-Type"] = compiled.content_type
            path, query = compiled.path(record), compiled.query(record)
            url, place = self._below(path, query), _place(path, query)
            return EventRequest(url, body, headers, compiled.method, form.of_record, place, self._key)

        return make

    def joint(self, events: Sequence[ContactEvent]) -> EventRequest:
        """One request for all of them, by a form that has a batch."""
        compiled, form = self.form, self.form.form
        assert form.batch is not None
        items = [compiled.item({**each.to_dict(), "saved": {}}) for each in events]
        body = to_json(form.batch.joined(items), inf_nan_mode="null")
        headers = {**compiled.headers({}), "Content-Type": compiled.content_type}
        path, query = compiled.path({}), compiled.query({})
        url, place = self._below(path, query), _place(path, query)
        return EventRequest(
            url, body, headers, compiled.method, place=place, form=self._key, count=len(events)
        )

    def one(
        self, event: ContactEvent, saved: Mapping[str, object], *, is_stored: bool = True
    ) -> EventRequest:
        """The request of one event by itself; by a form that has a batch, with nothing else in it.

        :param is_stored: False where no raw body is to be looked up by its id.
        """
        if self.form.form.batch is not None:
            return self.joint([event])
        return self.of([event.id] if is_stored else [])(event, saved)

    def _body_maker(self, event_ids: Sequence[str]) -> Callable[[ContactEvent], bytes]:
        payload = self.form.form.said_payload
        if self.form.templated or payload == NOTHING:
            return lambda _event: b""
        if payload == CANONICAL:
            return ContactEvent.to_json
        raw = bodies(self._store, event_ids)
        return lambda event: raw[event.id] if event.id in raw else to_json(event.data, inf_nan_mode="null")

    def _below(self, path: str, query: Sequence[tuple[str, str]]) -> URL:
        if not path and not query:
            return self._url
        own = self._url
        whole = f"{own.raw_path.rstrip('/')}/{path}" if path else own.raw_path
        said = "&".join(each for each in (own.raw_query_string, urlencode(query)) if each)
        return URL(f"{own.origin()}{whole}{'?' if said else ''}{said}", encoded=True)


def _place(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}"
