"""Sources as Airflow's connections declare them: one name each, and a bad one hides no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from servers import scripted

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.hooks.sources import (
    OutreachSourceHook,
    find_source,
    get_source,
    list_sources,
)

VARDA = {
    "conn_type": "outreach_source",
    "password": "a-signing-secret-of-ours",
    "extra": {"platform": "varda"},
}

pytestmark = pytest.mark.usefixtures("airflow_db")


@pytest.fixture
def database() -> Iterator[Any]:
    """Adds connections to Airflow's database, and takes them out again."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    added: list[str] = []

    def add(conn_id: str, **fields: Any) -> None:
        with create_session() as session:
            session.add(Connection(conn_id=conn_id, **{"conn_type": "outreach_source", **fields}))
        added.append(conn_id)

    yield add
    with create_session() as session:
        session.execute(sa.delete(Connection).where(Connection.conn_id.in_(added)))


def source(name: str) -> SourceSettings:
    found = find_source(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["VARDA", "Varda", "vArda", "\u017fuper"])
def test_a_source_in_the_environment_has_one_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Airflow finds it under every writing; for us another one is no source, or it would have two switches."""
    monkeypatch.setenv("AIRFLOW_CONN_VARDA", json.dumps(VARDA))
    monkeypatch.setenv("AIRFLOW_CONN_SUPER", json.dumps(VARDA))
    assert source("varda").name == "varda"
    assert find_source(name) is None
    with pytest.raises(ConfigurationError, match=r"write '(varda|super)'"):
        get_source(name)


def test_a_source_in_the_database_is_called_as_it_is_written(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id may have capitals, also beside one of the environment that differs in nothing else."""
    database("Varda", password=VARDA["password"], extra='{"platform": "varda"}')
    assert source("Varda").name == "Varda"
    assert find_source("varda") is None
    monkeypatch.setenv("AIRFLOW_CONN_VARDA", json.dumps({**VARDA, "extra": {"platform": "autoreach"}}))
    assert source("Varda").platform == "varda"
    assert source("varda").platform == "autoreach"
    assert [each.name for each in list_sources() if each.name.lower() == "varda"] == ["Varda", "varda"]


def test_one_bad_connection_hides_no_other(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken source is listed as broken; what tells no type is left out; the good ones are there."""
    monkeypatch.setenv("AIRFLOW_CONN_GOOD", json.dumps(VARDA))
    monkeypatch.setenv("AIRFLOW_CONN_LIST_EXTRA", json.dumps({**VARDA, "extra": [1]}))
    monkeypatch.setenv("AIRFLOW_CONN_BAD_URI", "outreach-source://:x@[::1/")
    monkeypatch.setenv("AIRFLOW_CONN_BAD_JSON", '{"conn_type": "outre')
    monkeypatch.setenv("AIRFLOW_CONN_BAD_HTTP", "http://h:99999999/")
    database("from_db", password=VARDA["password"], extra='{"platform": "varda"}')
    database("list_in_db", password=VARDA["password"], extra='{"platform": "varda"}')
    database("other_key", password=VARDA["password"], extra='{"platform": "varda"}')
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        table = sa.update(Connection)
        session.execute(
            table.where(Connection.conn_id == "list_in_db").values(_extra="[1]", is_extra_encrypted=False)
        )
        session.execute(
            table.where(Connection.conn_id == "other_key").values(_password="gAAAAABnope", is_encrypted=True)
        )
    listed = {each.name: each for each in list_sources()}
    assert {name for name, each in listed.items() if each.settings} >= {"good", "from_db"}
    assert {name for name, each in listed.items() if each.problem} == {
        "list_extra",
        "bad_uri",
        "list_in_db",
        "other_key",
    }
    assert "bad_json" not in listed
    assert all(VARDA["password"] not in str(each.problem) for each in listed.values())
    with pytest.raises(StoreError):
        find_source("bad_json")


@pytest.mark.parametrize("of_object", [False, True], ids=["text", "object"])
@pytest.mark.parametrize(
    "name",
    [
        "platform", "default_region", "tolerance_seconds", "dedupe_window_seconds", "allow_unsigned", "allow_http",
        "custom", "types",
    ],
)  # fmt: skip
def test_a_secret_in_the_wrong_field_of_a_source_is_not_told(name: str, of_object: bool) -> None:
    """Whichever field of a source's extra it was pasted into, the error holds no secret as a whole."""
    secret = "sup3r-s3cret-value-of-forty-characters-x"
    value: object = {"Authorization": f"Bearer {secret}"} if of_object else secret
    extra: dict[str, Any] = {"platform": "varda", name: value}
    if name == "custom":
        extra = {"platform": "custom", "custom": {"type": "a", "verify": value}}
    if name == "types":
        extra = {"platform": "custom", "custom": {"type": "a", "types": {"a": value}}}
    with pytest.raises(ConfigurationError, match=r"^connection 's'") as raised:
        source_settings("s", password=None, extra=extra)
    assert secret not in str(raised.value)


def test_a_secret_in_the_url_of_a_contact_list_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer as the list does is said, and not what stands in the path of a proxy's secret URL."""
    login = {"contacts_email": "me@example.com", "contacts_password": "a-password-of-ours"}
    with scripted(lambda *_: (404, b"", {})) as url:
        said = {
            **VARDA,
            "host": f"{url}/relay/xoxb-1234567890abcdef",
            "extra": {"platform": "tether", **login},
        }
        monkeypatch.setenv("AIRFLOW_CONN_RELAYED", json.dumps(said))
        passed, message = OutreachSourceHook("relayed").test_connection()
    assert not passed
    assert message.startswith(f"{url}/relay/•••/api/auth/login answers HTTP 404")


@pytest.mark.parametrize(
    "written",
    ["Infinity", "-Infinity", "NaN", "1e999", "1" + 400 * "0", '"1e999"'],
    ids=lambda written: written[:9],
)
@pytest.mark.parametrize("name", ["tolerance_seconds", "dedupe_window_seconds"])
def test_a_number_beyond_all_is_named(name: str, written: str) -> None:
    """JSON may hold numbers that no count of seconds can be: an error that names the field, and nobody else's."""
    extra = json.loads(f'{{"platform": "varda", "{name}": {written}}}')
    with pytest.raises(ConfigurationError, match=f"^connection 's': {name} is "):
        source_settings("s", password=None, extra=extra)


PASTED = "sk_live_51HabcDEF9876543210zyx"
WRITTEN = (
    f"{{{{ body.x == '{PASTED}' | nofilter }}}}", f"{{{{ {PASTED} }}}}", f"{{{{ '{PASTED}' + 1 }}}}", f"{{{{ body | {PASTED} }}}}",
)  # fmt: skip


@pytest.mark.parametrize("custom", [
    *({"type": "{{ body.x }}", name: each} for name in ("id", "message", "type") for each in WRITTEN),
    {"type": "{{ body.x }}", "types": {PASTED: "nothing"}},
    {"type": "{{ body.x }}", "verify": {"scheme": "hmac", "header": "x", "signed": f"{{{PASTED}}}{{body}}"}},
])  # fmt: skip
def test_a_secret_within_what_a_custom_source_says_is_not_told(custom: dict[str, Any]) -> None:
    """People paste it in place of a name, or compare with it: the error says where, and not what."""
    with pytest.raises(ConfigurationError, match="custom") as raised:
        source_settings("mine", password="a-signing-secret", extra={"platform": "custom", "custom": custom})
    assert PASTED not in str(raised.value)
