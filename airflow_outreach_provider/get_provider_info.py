"""What Airflow reads to know this provider; checked against its schema by a test."""

from __future__ import annotations

from typing import Any

from airflow_outreach_provider import __version__

_NAME = "Outreach"
_GUIDES = ("tutorial", "install", "cookbook", "leads", "deliveries", "operations")


def _modules(*names: str) -> list[dict[str, Any]]:
    return [
        {"integration-name": _NAME, "python-modules": [f"airflow_outreach_provider.{name}" for name in names]}
    ]


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _number(label: str, description: str, kind: str = "integer", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _flag(label: str, description: str, default: bool) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["boolean", "null"], "default": default},
    }


_OUTREACH: dict[str, Any] = {
    "connection-type": "outreach",
    "hook-class-name": "airflow_outreach_provider.hooks.outreach.OutreachHook",
    "hook-name": "Outreach API",
    "ui-field-behaviour": {
        "hidden-fields": ["login", "schema", "port"],
        "relabeling": {"host": "Base URL", "password": "API Integration Key"},
        "placeholders": {"host": "https://app.tetherai.ca", "password": "user_…"},
    },
    "conn-fields": {
        "configuration_id": _text("Configuration id", "Taken for leads that name none: Settings > Outreach of the platform."),
        "default_region": _text("Default region", "Where phone numbers without country code belong, e.g. US.", maxLength=2),
        "timeout": _number("Timeout (seconds)", "For one lead, the whole answer included.", default=30, minimum=1),
        "max_concurrency": _number(
            "Requests in flight", "At most; also the most leads a crash can leave in doubt.", default=64, minimum=1, maximum=1000
        ),
        "requests_per_second": _number(
            "Requests per second", "Over all tasks that use this connection. Empty: no limit.", "number", exclusiveMinimum=0
        ),
        "contacts_email": _text("Contact list: e-mail", "Log-in for the contact list, which settles held leads."),
        "contacts_password": _text("Contact list: password", "", format="password"),
        "allow_http": _flag("Allow http", "Reach the API without TLS too. Only where you trust every network on the way.", False),
    },
}  # fmt: skip

_SOURCE: dict[str, Any] = {
    "connection-type": "outreach_source",
    "hook-class-name": "airflow_outreach_provider.hooks.sources.OutreachSourceHook",
    "hook-name": "Outreach source (webhooks in)",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port"],
        "relabeling": {
            "host": "API base URL (only to poll)",
            "password": "Signing secret(s) or token(s), separated by spaces",
            "login": "E-mail of the log-in (only to poll Tether)",
        },
        "placeholders": {"password": "at least 16 characters each"},
    },
    "conn-fields": {
        "platform": {
            "label": "Platform",
            "description": "Whose events arrive at /outreach/in/<connection id>.",
            "schema": {"type": "string", "enum": ["tether", "supersend", "varda", "autoreach", "custom"], "default": "supersend"},
        },
        "custom": {
            "label": "Custom platform (JSON)",
            "description": "Only for platform custom: how it signs and where its fields stand. See \"Other platforms\" in the help.",
            "schema": {"type": ["object", "string", "null"]},
        },
        "tolerance_seconds": _number(
            "Tolerance (seconds)", "How far the signed time may be off.", default=300, minimum=1
        ),
        "default_region": _text("Default region", "Where phone numbers without country code belong, e.g. US.", maxLength=2),
        "dedupe_window_seconds": _number(
            "De-duplication window (seconds)",
            "How long the same body counts as a repetition where a platform sends no id and no time (SuperSend).",
            default=900, minimum=1,
        ),
        "stop_words": _text("Stop words", "Further messages that opt out, by comma; -WORD is none, = before all replaces the usual ones."),
        "contacts_email": _text("Contact list: e-mail", "Only to poll Tether's contact list."),
        "contacts_password": _text("Contact list: password", "Only to poll Tether.", format="password"),
        "api_key": _text("Contact list: API key", "Only to poll SuperSend's contact list.", format="password"),
        "allow_unsigned": _flag("Allow unsigned", "Take events that nothing authenticates. Anybody can send them.", False),
        "allow_http": _flag("Allow http", "Poll the contact list without TLS too. Only where you trust every network on the way.", False),
    },
}  # fmt: skip

_ENDPOINT: dict[str, Any] = {
    "connection-type": "outreach_endpoint",
    "hook-class-name": "airflow_outreach_provider.hooks.endpoints.OutreachEndpointHook",
    "hook-name": "Outreach endpoint (webhooks out)",
    "ui-field-behaviour": {
        "hidden-fields": ["login", "schema", "port"],
        "relabeling": {"host": "URL", "password": "Signing secret(s), separated by spaces"},
        "placeholders": {
            "host": "https://crm.example.com/hooks/outreach",
            "password": "whsec_… (standard-webhooks), else at least 16 characters each",
        },
    },
    "conn-fields": {
        "signature": {
            "label": "Signature",
            "description": "How deliveries are signed.",
            "schema": {
                "type": "string",
                "enum": ["standard-webhooks", "autoreach", "github", "stripe", "none"],
                "default": "standard-webhooks",
            },
        },
        "event_kinds": _text("Event kinds", "Only these kinds, separated by commas. Empty: all."),
        "enabled": _flag("Enabled", "A disabled endpoint's deliveries are held, not dropped.", True),
        "headers": _text("Headers", 'Sent with every delivery, as JSON: {"X-Name": "value"}.'),
        "method": _text("Method", "Of requests whose route says none: POST unless set.", enum=["POST", "PUT", "PATCH", "DELETE", None]),
        "content_type": _text(
            "Content type", "Of requests whose route says none: json (the default), form, or a JSON type of its own."
        ),
        "oauth2": {
            "label": "OAuth 2.0 (JSON)",
            "description": 'The fields below in one: {"url": …, "client_id": …, "client_secret": …, "scope": …}.',
            "schema": {"type": ["object", "string", "null"]},
        },
        "oauth2_url": _text("OAuth 2.0: token URL", "Where an access token is had. Empty: none is needed."),
        "oauth2_client_id": _text("OAuth 2.0: client id", "Of the app or integration."),
        "oauth2_client_secret": _text("OAuth 2.0: client secret", "", format="password"),
        "oauth2_refresh_token": _text("OAuth 2.0: refresh token", "Empty: the client's own credentials are enough.", format="password"),
        "oauth2_scope": _text("OAuth 2.0: scope", "Separated by spaces. Empty: the server's default."),
        "oauth2_auth": _text("OAuth 2.0: credentials in", "header (HTTP basic, the default) or body.", enum=["header", "body", None]),
        "oauth2_params": _text("OAuth 2.0: further fields", 'Of the token request, as JSON: {"audience": "…"}.'),
        "timeout": _number("Timeout (seconds)", "For one delivery, the whole answer included.", default=15, minimum=1),
        "requests_per_second": _number("Requests per second", "Empty: no limit.", "number", exclusiveMinimum=0),
        "allow_http": _flag("Allow http", "Deliver without TLS too. Only for networks you trust.", False),
        "allow_networks": _text(
            "Allowed private networks", "CIDRs that may be called although they are not public, e.g. 10.1.2.0/24."
        ),
    },
}  # fmt: skip

_CONFIG: dict[str, Any] = {
    "outreach": {
        "description": "The outreach provider: ledger, inbox and deliveries.",
        "options": {
            "sql_alchemy_conn": {
                "description": "The store. SQLite for one host, PostgreSQL for many. Its tables are created and upgraded by "
                "whoever comes first; see auto_upgrade.",
                "version_added": "0.1.0",
                "type": "string",
                "sensitive": True,
                "example": "postgresql://outreach:secret@db/outreach",
                "default": "sqlite:///{AIRFLOW_HOME}/outreach.db",
            },
            "sql_alchemy_pool_size": {
                "description": "Connections to PostgreSQL that a process keeps. Empty: 1 in a task, 2 in one that sends leads, 5 in API server and receiver.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "",
            },
            "sql_alchemy_max_overflow": {
                "description": "Connections opened above that, and closed after use. Empty: 1 in a task, none in one that sends leads or delivers, 5 in API server and receiver.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "",
            },
            "sql_alchemy_pool_recycle": {
                "description": "Seconds after which a connection is replaced; -1 for never.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "1800",
            },
            "sql_alchemy_pool_pre_ping": {
                "description": "Whether a connection that was not used for half a second is asked before use whether it still lives.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "True",
            },
            "sql_alchemy_prepare": {
                "description": "Whether statements are prepared on the server. auto: unless a pooler such as pgbouncer is noticed in between.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "False",
                "default": "auto",
            },
            "auto_upgrade": {
                "description": "Whether the store's tables are created and upgraded at first use, one process at a time. Off: "
                "an administrator runs 'airflow outreach db upgrade', e.g. because Airflow's own user may not create tables.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "True",
            },
            "lease_seconds": {
                "description": "How long a run without heartbeat is believed to be alive.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "300",
            },
            "max_body_bytes": {
                "description": "The largest webhook body the receiver takes.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "1048576",
            },
            "stop_words": {
                "description": "Further messages that opt a person out, separated by commas, besides STOP, UNSUBSCRIBE and the "
                "usual ones of other languages. A word with - before it is not one any more; after = the words are all there are. "
                "The extra of a source's connection may change them for the source.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "GENUG, -END",
                "default": "",
            },
            "retention_days": {
                "description": "How long settled leads, events and deliveries are kept; 0 for ever. "
                "The maintenance DAG and 'airflow outreach purge' go by it.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": "365",
                "default": "0",
            },
            "endpoint_disabled_after_days": {
                "description": "After so many days without one success an endpoint is disabled and its deliveries are held; "
                "decimals allowed. Until then it rests and is asked again and again.",
                "version_added": "0.1.0",
                "type": "float",
                "example": "2.5",
                "default": "5",
            },
            "consumer_abandoned_after_days": {
                "description": "A consumer of events that has not looked for so many days is shown as abandoned and keeps no "
                "event from being purged; decimals allowed.",
                "version_added": "0.1.0",
                "type": "float",
                "example": "14",
                "default": "30",
            },
        },
    }
}


def connection_fields(conn_type: str) -> tuple[str, ...]:
    """The fields of the extra that the form of one of our types of connection has; none for a type of others."""
    ours = {each["connection-type"]: each for each in (_OUTREACH, _SOURCE, _ENDPOINT)}
    return tuple(ours[conn_type]["conn-fields"]) if conn_type in ours else ()


def get_provider_info() -> dict[str, Any]:
    """The provider's description, by Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-outreach",
        "name": _NAME,
        "description": "Leads out once, contact events in and on, every retry visible.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://docs.tetherai.ca",
                "how-to-guide": [
                    f"/docs/{name}.md" for name in _GUIDES
                ],  # below the package; /outreach/help/… in Airflow
                "logo": "/outreach/static/icon.svg",
                "tags": ["service"],
            }
        ],
        "operators": _modules("operators.outreach"),
        "sensors": _modules("sensors.outreach"),
        "hooks": _modules("hooks.outreach", "hooks.sources", "hooks.endpoints"),
        "triggers": _modules("triggers.outreach", "triggers.deliveries"),
        "task-decorators": [
            {
                "name": "handle_events",
                "class-name": "airflow_outreach_provider.operators.event_handler.handle_events",
            },
            {
                "name": "outreach_events",
                "class-name": "airflow_outreach_provider.operators.taken_events.outreach_events_task",
            },
        ],
        "connection-types": [_OUTREACH, _SOURCE, _ENDPOINT],
        "cli": ["airflow_outreach_provider.cli.get_commands"],
        "extra-links": ["airflow_outreach_provider.operators.links.OutreachLink"],
        "config": _CONFIG,
    }
