"""The documented answers of Tether's outreach API, and the contact lists."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from airflow_outreach_provider.simulator.options import PASSWORD
from airflow_outreach_provider.simulator.server import Simulator

PHONE = "+14165550123"
OUTREACH = "/api/webhook/outreach"


def test_a_lead_is_processed_and_texted(client: Any, sim: Any) -> None:
    """A good lead gets the documented 200 with three ids, and the person is texted once."""
    answer = client.submit(PHONE, firstName="Ann")
    content = answer.json()
    assert (answer.status, content["success"]) == (200, True)
    assert set(content["data"]) == {"contactId", "conversationId", "applicationId"}
    assert all(len(value) == 24 for value in content["data"].values())
    report = sim.report()
    assert (report["texts"], report["people"], report["answered"]) == (1, 1, {"200": 1})


@pytest.mark.parametrize("name", ["configurationId", "configuration_id", "CONFIGURATION_ID"])
def test_the_configuration_id_has_three_spellings(client: Any, sim: Any, name: str) -> None:
    """Each documented spelling is accepted."""
    answer = client.ask("POST", OUTREACH, json.dumps({name: "on", "phoneNumber": PHONE}))
    assert answer.status == 200
    assert sim.texts(PHONE)["configuration_id"] == "on"


def test_the_fixed_format_takes_the_phone_from_contacts(client: Any, sim: Any) -> None:
    """In the fixed format the contact is what ``contacts`` holds."""
    lead = {
        "configurationId": "on",
        "contacts": {"phoneNumber": PHONE},
        "conversations": {"channelType": "sms"},
    }
    assert client.ask("POST", OUTREACH, json.dumps(lead)).status == 200
    assert sim.texts(PHONE)["last_payload"] == lead


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ('{"phoneNumber": "+14165550123"}', None, 400),
        ('{"configurationId": "", "phoneNumber": "+14165550123"}', None, 400),
        ('{"configurationId": "off", "phoneNumber": "+14165550123"}', None, 400),
        ('{"configurationId": "bare", "phoneNumber": "+14165550123"}', None, 400),
        ('{"configurationId": "other", "phoneNumber": "+14165550123"}', None, 404),
        ('{"configurationId": "on", "phoneNumber": "+14165550123"}', "user_wrong", 401),
        ('{"phoneNumber": "+14165550123"}', "user_wrong", 401),
        ("{not json", None, 400),
        ("{not json", "user_wrong", 401),
        ("[]", None, 400),
        ("", None, 400),
        ("[" * 100_000, None, 400),
    ],
)
def test_a_refused_submission_texts_nobody(
    client: Any, sim: Any, body: str, key: str | None, status: int
) -> None:
    """Every documented refusal has its status, is JSON without success, and creates no contact."""
    answer = client.ask("POST", OUTREACH, body, key=key)
    assert answer.status == status
    assert answer.json()["success"] is False
    report = sim.report()
    assert (report["texts"], report["people"], report["answered"]) == (0, 0, {str(status): 1})


@pytest.mark.parametrize("authorization", ["", "user_test", "Basic user_test", "Bearer", "Bearer user_test2"])
def test_only_the_bearer_key_is_let_in(client: Any, authorization: str) -> None:
    """A key without its scheme, or another scheme, is no key."""
    lead = '{"configurationId": "on", "phoneNumber": "+14165550123"}'
    assert client.ask("POST", OUTREACH, lead, headers={"Authorization": authorization}).status == 401


def test_the_scheme_is_read_in_any_case(client: Any) -> None:
    """RFC 9110: authentication schemes are case-insensitive."""
    lead = '{"configurationId": "on", "phoneNumber": "+14165550123"}'
    assert client.ask("POST", OUTREACH, lead, headers={"Authorization": "bearer user_test"}).status == 200


def test_a_second_submission_texts_a_second_time(client: Any, sim: Any) -> None:
    """The platform knows no idempotency: the same person in another writing is updated and texted again."""
    first = client.submit(PHONE, firstName="Ann", email="ann@example.com").json()["data"]["contactId"]
    second = client.submit("1 (416) 555-0123", firstName="Anna").json()["data"]["contactId"]
    assert first == second
    report = sim.report()
    assert (report["texts"], report["created"], report["updated"]) == (2, 1, 1)
    assert report["texted_twice"] == [{"phone": PHONE, "texts": 2}]
    row = _contacts(client, "/api/contacts")["data"][0]
    assert (row["firstName"], row["email"]) == ("Anna", "ann@example.com")


def test_the_report_masks_phones_unless_asked(client: Any, sim: Any) -> None:
    """Whole numbers are shown only with ``full=1``."""
    client.submit(PHONE)
    client.submit(PHONE)
    assert PHONE not in json.dumps(sim.report(full=False))
    assert sim.report(full=False)["texted_twice_count"] == 1


def test_a_lead_without_a_phone_is_counted_apart(client: Any, sim: Any) -> None:
    """No refusal is documented for a missing phone: a contact is made, and nobody is texted."""
    assert client.ask("POST", OUTREACH, '{"configurationId": "on", "firstName": "Ann"}').status == 200
    report = sim.report()
    assert (report["texts"], report["without_phone"], report["people"]) == (0, 1, 1)


def _token(client: Any) -> str:
    login = json.dumps({"email": "simulator@example.com", "password": PASSWORD})
    return str(client.ask("POST", "/api/auth/login", login).json()["token"])


def _contacts(client: Any, path: str) -> Any:
    answer = client.ask("GET", path, key=_token(client))
    assert answer.status == 200
    return answer.json()


def test_submitted_contacts_are_listed(client: Any, sim: Any) -> None:
    """A contact appears in the list with the documented fields, the one touched last first."""
    client.submit("+14165550101", firstName="Ann", lastName="Lee", email="ann@example.com")
    client.submit("+14165550102", firstName="Bob")
    listed = _contacts(client, "/api/contacts")
    assert [row["firstName"] for row in listed["data"]] == ["Bob", "Ann"]
    ann = listed["data"][1]
    assert ann["phoneNumber"] == "+14165550101"
    assert ann["createdAt"] == ann["updatedAt"] == ann["lastMessageTime"]
    assert set(ann) >= {"_id", "lastName", "email", "status", "source", "channelTypes"}


def test_the_contact_list_is_paged_ten_by_default(client: Any) -> None:
    """``size`` defaults to 10, and the pages together hold everybody once."""
    for n in range(23):
        client.submit(f"+141655501{n:02}")
    assert len(_contacts(client, "/api/contacts")["data"]) == 10
    pages = [_contacts(client, f"/api/contacts?page={page}&size=9")["data"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [9, 9, 5, 0]
    assert len({row["_id"] for page in pages for row in page}) == 23


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("%2B14165550101", 1),
        ("+14165550101", 1),
        ("5550101", 1),
        ("LEE", 1),
        ("ann%40", 1),
        ("zzz", 0),
        ("", 2),
    ],
)
def test_the_contact_list_is_searched(client: Any, search: str, found: int) -> None:
    """Phone, name and e-mail are searched, with the plus sign encoded or not."""
    client.submit("+14165550101", firstName="Ann", lastName="Lee", email="ann@example.com")
    client.submit("+14165550102", firstName="Bob")
    assert len(_contacts(client, f"/api/contacts?search={search}")["data"]) == found


def test_the_contact_list_wants_a_login_not_the_key(client: Any, sim: Any) -> None:
    """The API key opens no contact list, and a wrong password no login."""
    assert client.ask("GET", "/api/contacts").status == 401
    assert client.ask("GET", "/api/contacts", key=_token(client) + "x").status == 401
    wrong = json.dumps({"email": "simulator@example.com", "password": "wrong"})
    assert client.ask("POST", "/api/auth/login", wrong).status == 401
    assert client.ask("POST", "/api/auth/login", "{}").status == 400
    assert client.ask("GET", "/api/contacts?page=0", key=_token(client)).status == 400


def test_supersend_lists_the_same_people(client: Any) -> None:
    """``/v2/contacts`` pages by limit and offset and says whether there is more."""
    for n in range(5):
        client.submit(f"+1416555010{n}", email=f"p{n}@example.com")
    answer = client.ask("GET", "/v2/contacts?limit=2&offset=2").json()
    assert [row["email"] for row in answer["data"]] == ["p2@example.com", "p1@example.com"]
    assert answer["pagination"] == {"total": 5, "limit": 2, "offset": 2, "has_more": True}
    assert client.ask("GET", "/v2/contacts?offset=4").json()["pagination"]["has_more"] is False
    assert client.ask("GET", "/v2/contacts", key="wrong").status == 401


def test_a_login_runs_out_and_a_colleagues_contacts_are_hidden() -> None:
    """In process too: an expired token is a 401, and ``ownerFilter=my`` shows only one's own contacts."""

    async def scenario() -> None:
        for seconds, expected in ((-1, 401), (60, 200)):
            simulator = Simulator(owns_contacts=False, token_seconds=seconds)
            server = await simulator.serve()
            base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with aiohttp.ClientSession() as session:
                lead = {"configurationId": "68d6d7de324658b8a1760d5e", "phoneNumber": PHONE}
                key = {"Authorization": "Bearer user_simulator"}
                async with session.post(base + OUTREACH, json=lead, headers=key) as answer:
                    assert answer.status == 200
                login = {"email": "simulator@example.com", "password": PASSWORD}
                async with session.post(base + "/api/auth/login", json=login) as answer:
                    token = {"Authorization": f"Bearer {(await answer.json())['token']}"}
                for query, count in (("", 0), ("?ownerFilter=all", 1)):
                    async with session.get(base + "/api/contacts" + query, headers=token) as answer:
                        assert answer.status == expected
                        if expected == 200:
                            assert len((await answer.json())["data"]) == count
            server.close()
            simulator.close()

    asyncio.run(scenario())


def test_reset_forgets_everybody(client: Any, sim: Any) -> None:
    """After a reset the counts are those of a new simulator."""
    client.submit(PHONE)
    sim.reset()
    report = sim.report()
    assert (report["texts"], report["people"], report["submissions"], sim.texts()) == (0, 0, 0, {})


def test_the_control_paths_explain_themselves(client: Any) -> None:
    """A wrong control path or body answers with what would be right."""
    assert "GET /_sim/report" in client.ask("GET", "/_sim/nothing").json()["message"]
    for body in ("{", "[]", '{"faults": [1]}', '{"faults": ["stats=500"]}', '{"faults": "status"}', "{}"):
        answer = client.ask("POST", "/_sim/faults", body)
        assert answer.status == 400, body
    assert (
        "did you mean 'status'"
        in client.ask("POST", "/_sim/faults", '{"faults": ["stats=500"]}').json()["message"]
    )
