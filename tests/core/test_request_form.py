"""Events as requests: what they bring stays in its place, and what is empty can be left out."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.request_form import CompiledForm, EventUnfit, RequestForm


def record(**data: object) -> dict[str, object]:
    return {"id": "evt_1", "kind": "replied", "contact": {"email": "a@x.com", "phone": None}, "data": data}


def path(value: object, template: str = "contacts/{{ data.v }}/notes") -> str:
    return CompiledForm(RequestForm(path=template)).path(record(v=value))


@pytest.mark.slow
@given(
    value=st.text()
    | st.sampled_from(["../x", "a/b", "%2e%2e", "..%2fadmin", "?q#f", "//evil.example", "@h:1"])
)
def test_a_value_stays_within_its_segment_of_the_path(value: str) -> None:
    """Whatever an event brings, the path has as many segments as its template, and the value is one of them."""
    try:
        first, middle, last = path(value).split("/")
    except EventUnfit:
        return
    assert (first, unquote(middle), last) == ("contacts", value, "notes")
    assert middle not in {"", ".", ".."} and not set(middle) & set("?#\\ @:")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  ",
        ".",
        "..",
        "../admin",
        "a/../b",
        "..\\x",
        "%2e%2e",
        "%252e%252e%2fx",
        "a\nb",
        "\ud800",
        [],
        {},
    ],
)
def test_an_event_that_would_lead_elsewhere_is_refused(value: object) -> None:
    """Nothing, dots in any writing, and what cannot be sent make no path; the reason says which value, not what it is."""
    with pytest.raises(EventUnfit, match=r"\{\{ data.v \}\}"):
        path(value)


@pytest.mark.parametrize(
    ("value", "sent"), [("a b", "a%20b"), (7, "7"), ("Ü@x.com", "%C3%9C%40x.com"), ("a+b", "a%2Bb")]
)
def test_what_a_path_is_made_of(value: object, sent: str) -> None:
    """Numbers and texts, percent-encoded; what stands in the template stands."""
    assert path(value, "/services/Contact/Ext__c:{{ data.v }}") == f"services/Contact/Ext__c:{sent}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"method": "GET"}, "method is 'GET'"),
        ({"content_type": "xml"}, "content_type is 'xml'"),
        ({"content_type": "form"}, "names and values"),
        ({"payload": "raw"}, "payload is 'raw'"),
        ({"omit_empty": True}, "omit_empty has no effect"),
        ({"path": "https://evil.example/"}, "not a URL"),
        ({"path": "//evil.example/"}, "not a URL"),
        ({"path": "a/../b"}, r"no \.\."),
        ({"path": "a/%2E%2e/b"}, r"no \.\."),
        ({"path": "a b"}, "no ' '"),
        ({"path": "a#b"}, "no '#'"),
        ({"path": "a?b=c"}, "write query:"),
        ({"headers": {"Webhook-Signature": "x"}}, "sets Webhook-Signature"),
        ({"headers": {"X:Y": "x"}}, "no header's name"),
        ({"query": {"a": "{{ nonsense }}"}}, "nonsense"),
    ],
)
def test_a_form_that_cannot_be_meant(more: dict[str, Any], said: str) -> None:
    """Each mistake is told before any event, with what to write instead."""
    with pytest.raises(ConfigurationError, match=said) as raised:
        RequestForm(**more).check()
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("more", "argument"),
    [({"payload": {"a": [{"b": "{{ nope }}"}]}}, "payload"), ({"path": "x/{{ id"}, "path"), ({"query": {"a": "{{ nope }}"}}, "query"),
     ({"headers": {"A": "{{ nope }}"}}, "headers"), ({"save": {"a": "{{ nope }}"}}, "save"),
     ({"payload": {"a": "{{ id }}"}, "batch": GroupForm(size=2, ok="result.x =")}, "batch ok")],
)  # fmt: skip
def test_an_expression_that_cannot_be_read_is_named_by_its_argument(
    more: dict[str, Any], argument: str
) -> None:
    """A form has several, and each says which it is."""
    with pytest.raises(ConfigurationError, match=f"^{argument}: .*character.* — "):
        RequestForm(**more).check()


def test_empty_values_are_left_out_however_deep() -> None:
    """None, empty texts, lists and mappings go, from the inside out; false and 0 stay."""
    payload = {
        "a": "{{ data.none }}", "b": ["{{ data.none }}", {"c": "{{ data.none }}"}, "{{ data.zero }}"],
        "d": {"e": {"f": "{{ data.none }}"}}, "g": "{{ data.no }}", "h": [[["{{ data.zero }}"]]],
    }  # fmt: skip
    made = CompiledForm(RequestForm(payload, omit_empty=True)).body(record(zero=0, no=False))
    assert json.loads(made) == {"b": [0], "g": False, "h": [[[0]]]}


def test_a_list_may_be_the_whole_payload() -> None:
    """As APIs want it that take several records."""
    assert json.loads(CompiledForm(RequestForm([{"id": "{{ id }}"}])).body(record())) == [{"id": "evt_1"}]


def test_a_form_has_fields_as_forms_have_them() -> None:
    """Texts, numbers, booleans; a list repeats its name, what is within stands in brackets; none is left out."""
    payload = {
        "a": "{{ data.a }}",
        "tags": "{{ data.tags }}",
        "deep": {"x": {"y": 1}},
        "no": "{{ data.none }}",
        "ok": True,
    }
    made = CompiledForm(RequestForm(payload, content_type="form")).body(record(a="ä&b=c", tags=["x", "y"]))
    assert parse_qsl(made.decode()) == [
        ("a", "ä&b=c"),
        ("tags", "x"),
        ("tags", "y"),
        ("deep[x][y]", "1"),
        ("ok", "true"),
    ]


@given(value=st.text())
def test_a_value_brings_no_header_along(value: str) -> None:
    """A header is one line, or the event is refused."""
    try:
        headers = CompiledForm(RequestForm(headers={"X-Name": "{{ data.v }}"})).headers(record(v=value))
    except EventUnfit as error:
        assert "X-Name" in str(error)
        return
    assert not any(set(each) & set("\r\n\x00") for each in headers.values()) and set(headers) <= {"X-Name"}


def test_a_query_repeats_lists_and_leaves_none_out() -> None:
    """Names stand as written, values are encoded by whoever writes the URL."""
    query = {"idProperty": "email", "tag": "{{ data.tags }}", "none": "{{ data.none }}", "n": 7}
    made = CompiledForm(RequestForm(query=query)).query(record(tags=["a&b", "c"]))
    assert made == [("idProperty", "email"), ("tag", "a&b"), ("tag", "c"), ("n", "7")]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_beyond_all_measure_is_none_everywhere(number: float) -> None:
    """In JSON, in a form and in a query: what an event brings as 1e400 is no number to send, and no text either."""
    said, event = {"n": "{{ data.n }}", "a": "1", "l": ["{{ data.n }}", "2"]}, record(n=number)
    assert json.loads(CompiledForm(RequestForm(said)).body(event)) == {"n": None, "a": "1", "l": [None, "2"]}
    assert CompiledForm(RequestForm(said, content_type="form")).body(event) == b"a=1&l=2"
    assert CompiledForm(RequestForm(query=said)).query(event) == [("a", "1"), ("l", "2")]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ('{"id": "7", "list": [{"id": 8}], "ok": true}', {"a": "7", "b": 8, "c": True, "d": "7/replied"}),
        ('{"id": {"x": 1}, "list": []}', {"d": "/replied"}),
        ('{"id": "%s"}' % ("x" * 1001), {}),
        ("<html>", {}),
        ("", {}),
        ("[1]", {"d": "/replied"}),
    ],
)
def test_what_is_kept_of_an_answer(answer: str, kept: dict[str, object]) -> None:
    """Texts, numbers and booleans that are there; nothing of a page, of what is too long, or of what is no value."""
    save = {"a": "{{ response.id }}", "b": "{{ response.list[0].id }}", "c": "{{ response.ok }}"}
    save |= {"d": "{{ response.id }}/{{ kind }}"}
    made = CompiledForm(RequestForm(save=save)).saved(record(), answer)
    assert {name: value for name, value in made.items() if len(str(value)) < 1000} == kept


@pytest.mark.parametrize(
    ("form", "reads"),
    [
        (RequestForm({"a": ["{{ saved.id }}"]}), True),
        (RequestForm(path="x/{{ saved.id }}"), True),
        (RequestForm(headers={"X-Id": "{{ saved.id }}"}), True),
        (RequestForm({"saved": "saved"}), False),
        (RequestForm(save={"id": "{{ response.id }}"}), False),
    ],
)
def test_what_is_saved_is_looked_up_where_it_is_asked_for(form: RequestForm, reads: bool) -> None:
    """No other route pays for it."""
    assert CompiledForm(form).reads_saved is reads


@pytest.mark.parametrize("name", ["crm-id", "1st", "", "a b", "x" * 61])
def test_a_saved_name_is_one_that_can_be_asked_for(name: str) -> None:
    """As it stands behind ``saved.``"""
    with pytest.raises(ConfigurationError, match="no name"):
        RequestForm(save={name: "{{ response.id }}"}).check()


@pytest.mark.parametrize(
    ("form", "endpoint", "expected"),
    [
        ({}, (None, None), ("POST", "application/json")),
        ({}, ("PUT", "form"), ("PUT", "application/x-www-form-urlencoded")),
        ({}, ("PATCH", "application/vnd.api+json"), ("PATCH", "application/vnd.api+json")),
        ({}, (None, "application/X-WWW-form-urlencoded"), ("POST", "application/x-www-form-urlencoded")),
        ({"method": "POST", "content_type": "json"}, ("PUT", "form"), ("POST", "application/json")),
    ],
)
def test_what_a_route_leaves_open_is_the_endpoints(form: Any, endpoint: Any, expected: Any) -> None:
    """The route's own word wins; where neither says anything it is a POST of JSON."""
    filled = RequestForm({"id": "{{ id }}"}, **form).filled(*endpoint)
    made = CompiledForm(filled)
    assert (made.method, made.content_type) == expected
    assert made.body(record()) == (b"id=evt_1" if "form" in expected[1] else b'{"id":"evt_1"}')


def test_a_delete_of_the_endpoint_has_no_body() -> None:
    """As one that the route asks for."""
    assert RequestForm().filled("DELETE").said_payload == "none"
