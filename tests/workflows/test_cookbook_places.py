"""The recipes that choose among places, and that write rows: a Google Sheet by Airflow's hook."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import airflow_outreach_provider
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.expressions.compile import compile_where
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

COOKBOOK = (Path(airflow_outreach_provider.__file__).parent / "docs" / "cookbook.md").read_text("utf-8")
YAML = dict(re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", COOKBOOK, re.DOTALL))
[SHEETS] = re.findall(r"```python\n# my_company/sheets.py\n(.*?)```", COOKBOOK, re.DOTALL)
ROUTES = {
    route["deliver"]["endpoint"]: compile_where(route["where"])
    for route in yaml.safe_load(YAML["routing.yaml"])["event_routes"].values()
}
AT = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


def event(data: object, contact: Contact | None = None) -> ContactEvent:
    kind = EventKind.APPOINTMENT_BOOKED
    return ContactEvent("evt_1", "varda", "varda", "x", kind, AT, AT, contact or Contact(), "c-1", data)


CHOSEN = {
    "by country": ({"country": "CA", "score": 99, "owner": "ada"}, "crm_canada"),
    "by score": ({"country": "US", "score": "80", "owner": "ada"}, "crm_hot"),
    "by owner": ({"country": "US", "score": 12, "owner": "ada"}, "crm_ada"),
    "nobody's": ({"country": "US", "score": 12, "owner": "bob"}, "crm"),
    "nothing said": ({}, "crm"),
    "a score that is none": ({"score": "high"}, "crm"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOSEN)
def test_an_event_goes_to_its_place(case: str) -> None:
    """By the first of country, score and owner that decides."""
    data, place = CHOSEN[case]
    assert [name for name, takes in ROUTES.items() if takes(event(data).to_dict())] == [place]


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-200, 200)
    | st.floats()
    | st.sampled_from(["CA", "ada", "80", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["country", "score"]), inner, max_size=2)
    ),
    max_leaves=3,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["country", "score", "owner"]), _ANYTHING, max_size=3) | _ANYTHING)
def test_every_event_goes_to_exactly_one_place(data: object) -> None:
    """The law of the recipe: nothing falls between the routes and nothing goes to two, whatever an event holds."""
    assert sum(takes(event(data).to_dict()) for takes in ROUTES.values()) == 1


class Sheets:
    """What ``spreadsheets.values.append`` demands.

    https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values/append
    """

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []

    def append(
        self, spreadsheet: str, range_: str, query: dict[str, Any], body: dict[str, Any]
    ) -> dict[str, Any]:
        assert spreadsheet and re.fullmatch(r"(?:'[^']+'|\w+)!\$?[A-Z]+\$?\d*(?::\$?[A-Z]+\$?\d*)?", range_)
        assert query["valueInputOption"] in {"RAW", "USER_ENTERED"}  # required
        assert query["insertDataOption"] in {"OVERWRITE", "INSERT_ROWS"}
        assert query["responseValueRenderOption"] in {"FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"}
        assert query["responseDateTimeRenderOption"] in {"SERIAL_NUMBER", "FORMATTED_STRING"}
        assert body.keys() <= {"range", "majorDimension", "values"} and body["range"] == range_
        assert body["majorDimension"] in {"ROWS", "COLUMNS"}
        for row in body["values"]:
            assert all(isinstance(cell, str | bool | int | float) for cell in row)
            if query["valueInputOption"] == "USER_ENTERED":
                assert not any(str(cell).startswith("=") for cell in row), "a stranger's formula"
        self.rows += body["values"]
        return {"spreadsheetId": spreadsheet, "updates": {"updatedRows": len(body["values"])}}


def hook_of(sheets: Sheets) -> type:
    """Airflow's ``GSheetsHook`` as of apache-airflow-providers-google 22.8.0, whose API is our fake."""

    class GSheetsHook:
        def __init__(
            self, gcp_conn_id: str = "google_cloud_default", api_version: str = "v4",
            impersonation_chain: Any = None, api_endpoint: str | None = None,
        ) -> None:  # fmt: skip
            assert gcp_conn_id

        def append_values(
            self, spreadsheet_id: str, range_: str, values: list[Any], major_dimension: str = "ROWS",
            value_input_option: str = "RAW", insert_data_option: str = "OVERWRITE",
            include_values_in_response: bool = False, value_render_option: str = "FORMATTED_VALUE",
            date_time_render_option: str = "SERIAL_NUMBER",
        ) -> dict[str, Any]:  # fmt: skip
            query = {
                "valueInputOption": value_input_option, "insertDataOption": insert_data_option,
                "includeValuesInResponse": include_values_in_response,
                "responseValueRenderOption": value_render_option,
                "responseDateTimeRenderOption": date_time_render_option,
            }  # fmt: skip
            body = {"range": range_, "majorDimension": major_dimension, "values": values}
            return sheets.append(spreadsheet_id, range_, query, body)

    return GSheetsHook


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> Sheets:
    """The recipe's module can be imported, and Airflow's Google provider is as good as installed."""
    found = Sheets()
    path = "airflow.providers.google"
    for name in (path, f"{path}.suite", f"{path}.suite.hooks", f"{path}.suite.hooks.sheets", "my_company"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[f"{path}.suite.hooks.sheets"].GSheetsHook = hook_of(found)  # type: ignore[attr-defined]
    recipe = ModuleType("my_company.sheets")
    exec(compile(SHEETS, "my_company/sheets.py", "exec"), recipe.__dict__)
    monkeypatch.setitem(sys.modules, "my_company.sheets", recipe)
    return found


@pytest.mark.slow
def test_an_appointment_is_a_row(
    load_dags: Callable[..., Any], outreach_store: Store, sheets: Sheets
) -> None:
    """As text: a name that would be a formula is one of nobody's; what is not known is an empty cell."""
    booked = event({}, Contact("=IMPORTXML(1)", external_id="c1", phone="+12125550123"))
    inbox_append.append(outreach_store, [Incoming(booked, booked.to_json(), "[]")])
    dags = load_dags(**{"google_sheet.yaml": YAML["google_sheet.yaml"]})
    assert dags.run("outreach_event_route__booked_to_sheet")[("call", 0)] == "success"
    assert sheets.rows == [["evt_1", "2026-03-25T18:30:00+00:00", "=IMPORTXML(1)", "", "+12125550123"]]
