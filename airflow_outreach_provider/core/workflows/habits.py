"""Keys that people bring from other tools: where the same is said here."""

from __future__ import annotations

from collections.abc import Sequence

_ANYWHERE: dict[str, str] = {
    "configuration_id": "under outreach:",
    "conn_id": "under outreach:",
    "format": "under outreach:",
    "payload_format": "under outreach:, as format",
    "campaign": "under outreach:",
    "csv": "under leads:",
    "jsonl": "under leads:",
    "json": "under leads:",
    "parquet": "under leads:",
    "xlsx": "under leads:",
    "excel": "under leads:, as xlsx",
    "delimiter": "under leads:",
    "encoding": "under leads:",
    "sql": "under leads:",
    "query": "under leads: sql:",
    "default_region": "under rules:",
    "quiet_hours": "under rules:",
    "consent": "under rules:",
    "require_consent": "under rules:, as consent",
    "line_types": "under rules:",
    "time_zone": "under rules:",
    "several_phones": "under rules:",
    "unknown_ranges": "under rules:",
    "on_unknown": "under rules:",
    "resubmit": "under rules:",
    "changed_on": "under rules:",
    "per_person": "under rules:",
    "max_rejected": "under rules:",
    "max_suppressed": "under rules:",
    "min_rows": "under rules:",
    "approve_above": "under rules:",
    "concurrency": "under rules:",
    "requests_per_second": "under rules:",
    "endpoint": "under deliver:",
    "python": "under deliver:",
    "notifier": "under deliver:",
    "suppress": "under deliver:",
    "trigger_dag": "under deliver:",
    "dag_id": "under deliver: trigger_dag:",
    "retry_schedule": "in an event route, beside deliver:",
    "mapping": "as map:",
    "mappings": "as map:",
    "destination": "as outreach:",
    "campaign_id": "as configuration_id: under outreach:",
    "on": "as kinds:",
    "body": "as payload:",
    "url": "into a connection of type outreach_endpoint, which endpoint: names",
    "schedule_interval": "as schedule:",
    "default_args": "as keys of the workflow itself, e.g. retries:",
    "sla": "as deadline:",
    "dedupe": "as unique:",
    "filter": "as where:",
    "sort_by": "as order_by:",
    "sort": "as order_by:",
    "timetable": "under schedule:",
    "cron": "as schedule:",
    "separator": "as delimiter:",
    "sep": "as delimiter:",
    "tz": "as timezone:",
    "timeout": "as execution_timeout:",
    "active": "as enabled:",
    "is_active": "as enabled:",
    "disabled": "as enabled:, which is false where that is true",
    "disable": "as enabled:, which is false where that is true",
    "skip": "as enabled:, which is false where that is true",
    "paused": "as is_paused_upon_creation:",
    "is_paused": "as is_paused_upon_creation:",
    "watermark": "as incremental:",
    "cursor": "as incremental:",
    "max_rows": "as limit:",
    "callbacks": "as on_failure_callback:, on_retry_callback:, on_success_callback:",
}

_WITHOUT = "as where:, turned round: where: not (…)"

# What means something else in each place: where it goes → what people call it.
_MEANINGS: dict[str, dict[str, str]] = {
    "lead_syncs": {
        "as leads:, e.g. leads: {csv: leads.csv}": "source sources input from data",
        "as outreach:, e.g. outreach: {conn_id: outreach_default}": "to target destination api",
        "as map:": "columns fields transform field_mapping",
        "as where:": "if when condition filters",
        _WITHOUT: "where_not exclude unless except",
        "as dry_run:": "test test_mode simulate preview",
        "as dry_run:, which is true where that is false": "send live wet_run",
        "into a workflow of its own, under event_routes:": "deliver kinds",
        "as quiet_hours: under rules:, the times when nobody is texted": "send_window window allowed_hours send_hours "
        "business_hours calling_hours",
    },
    "rules": {
        "as quiet_hours:, the times when nobody is texted": "send_window window allowed_hours send_hours business_hours "
        "calling_hours",
        "beside rules:, as limit:": "max_rows limit max_leads",
    },
    "event_routes": {
        "as deliver:, e.g. deliver: {endpoint: crm}": "to target destination action send_to",
        "as where:": "if when condition filters",
        _WITHOUT: "where_not exclude unless except",
        "as kinds:": "event events kind type types trigger",
        "as source:, the connection the events come through": "from platform sources",
        "under deliver: outreach:": "map rules outreach conn_id configuration_id",
        "into a workflow of its own, under lead_syncs:": "leads",
    },
    "deliver": {
        "as endpoint: with a payload, or as notifier: (cookbook: A message in Slack or Teams)": "slack teams ms_teams "
        "msteams discord",
        "as notifier: {name: package.module.Notifier} (cookbook: A notifier of Airflow's)": "email mail pagerduty "
        "opsgenie smtp",
        "as endpoint:, the id of a connection of type outreach_endpoint or http": "webhook http https api crm request to",
        "as endpoint: with a payload (the cookbook has it)": "hubspot salesforce pipedrive",
        "as python: package.module.function (cookbook: A row in a Google Sheet)": "sheet sheets google_sheet "
        "google_sheets table sql s3 kafka",
        "as python: package.module.function": "function callable callback python_callable script",
        "as trigger_dag: {dag_id: …}": "dag dag_id trigger trigger_dag_id triggers",
        "as suppress: true": "do_not_contact opt_out unsubscribe blocklist block",
        "as outreach: {configuration_id: …}": "campaign outreach_campaign lead sms text",
        "as payload:": "map mapping fields data json template",
        "as query:": "params query_params",
        "as method:": "verb http_method",
        "into the connection that endpoint: names": "auth token oauth2 secret",
    },
    "leads": {
        "as the kind of the file: csv, jsonl, json, parquet or xlsx": "file path uri files url",
        "as sql: {conn_id: …, query: …}": "table query conn_id database warehouse snowflake bigquery postgres",
        "as jsonl:": "ndjson json_lines",
        "as sheet:": "tab worksheet",
        "beside leads:": "where order_by limit map incremental",
    },
    "outreach": {
        "into a connection of type outreach, which conn_id: names": "host url base_url api_key key token password secret auth",
    },
    "sql": {
        "as query:": "sql statement select",
        "as conn_id:": "connection database db",
        "as query:, e.g. query: select * from leads": "table",
        "into query:, as templates such as {{ params.since }}": "parameters params",
    },
    "exports": {"as data:": "what", "as to:, e.g. to: {csv: exports}": "destination target path"},
    "to": {"as sql: {conn_id: …}": "table database warehouse postgres snowflake bigquery"},
}
_MEANT_IN = {
    place: {key: where for where, keys in meanings.items() for key in keys.split()}
    for place, meanings in _MEANINGS.items()
}


def where_it_goes(key: str, above: Sequence[str]) -> str:
    """``under rules:``, ``as deliver:, e.g. …`` for a key that is not known where it stands; empty for any other.

    :param above: the keys around it, from the top of the file.
    """
    place = above[-1] if above else ""
    if len(above) == 2:  # a workflow, by its kind and its name, or what all of a kind share
        place = above[1] if above[0] == "defaults" else above[0]
    return _MEANT_IN.get(place, {}).get(key) or _ANYWHERE.get(key, "")
