"""What is looked at to know whether this installation works: the store, and everything of Airflow that matters to it.

For ``airflow outreach doctor`` and the page *Setup*. Nothing here texts anybody or changes anything.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from airflow.configuration import conf

from airflow_outreach_provider import __version__
from airflow_outreach_provider.core.errors import AddressForbidden, ConfigurationError
from airflow_outreach_provider.core.masking import mask_text, shown_host, shown_url
from airflow_outreach_provider.core.setup import (
    CheckResult,
    fail,
    judge_address,
    judge_answer,
    ok,
    public_reason,
    unknown,
    warn,
)
from airflow_outreach_provider.hooks import settings
from airflow_outreach_provider.hooks.advice import advice_on
from airflow_outreach_provider.hooks.listing import connection_names
from airflow_outreach_provider.hooks.sources import source_url
from airflow_outreach_provider.services.setup import SetupCheck, run_checks, store_checks
from airflow_outreach_provider.store.engine import Store

_SPREADING = ("Celery", "Kubernetes", "Edge", "Batch", "Ecs", "Lambda")
_HTTP_SECONDS = 5.0
_MOST_CONNECTIONS = 50
# Distribution → what it is for; those that Airflow can do without are named with their extra.
_VERSIONS = (
    "apache-airflow", "apache-airflow-task-sdk", "apache-airflow-providers-http", "apache-airflow-providers-standard",
    "SQLAlchemy", "aiohttp", "phonenumbers",
)  # fmt: skip
_EXTRAS = {
    "postgres": ("psycopg",),
    "parquet": ("pyarrow",),
    "xlsx": ("python-calamine",),
    "demo": ("httptools", "PyJWT"),
}


def look_around(*, test: bool, mounted: bool) -> list[CheckResult]:
    """Everything, each by itself.

    :param test: also ask the other sides: connections are tested (without texting anybody, and without sending
        an endpoint anything: only its address is looked up), the receiver's own URL is called.
    :param mounted: who asks is the plugin itself.
    """
    return run_checks(_checks(test, mounted), advice_on)


def look_quickly() -> list[CheckResult]:
    """What can be known from Airflow's database and settings alone: for a page that is looked at often."""
    checks = [
        SetupCheck("settings", _look_at_settings),
        SetupCheck("airflow", _look_at_airflow),
        SetupCheck("dags", _look_at_dags),
    ]
    return run_checks(checks, advice_on)


def _checks(test: bool, mounted: bool) -> Iterator[SetupCheck]:
    yield SetupCheck("versions", _look_at_versions)
    yield SetupCheck("settings", _look_at_settings)
    yield from store_checks(_own_store, may_upgrade=settings.auto_upgrade, many_hosts=_many_hosts)
    yield SetupCheck("plugin", partial(_look_at_plugin, mounted))
    yield SetupCheck("receiver", partial(_look_at_receiver, test))
    yield SetupCheck("airflow", _look_at_airflow)
    yield SetupCheck("dags", _look_at_dags)
    yield SetupCheck("test button", _look_at_test_button)
    yield from _connection_checks(test)


def _own_store() -> Store:
    return Store(settings.store_url(), pool=replace(settings.pool(), max_overflow=0, patience=5.0))


def _many_hosts() -> str:
    said = conf.get("core", "executor", fallback="")
    return next((name.strip() for name in said.split(",") if any(each in name for each in _SPREADING)), "")


# -- Airflow's own -----------------------------------------------------------------------------------------


def _look_at_versions() -> list[CheckResult]:
    known = [f"{name} {found}" for name in _VERSIONS if (found := _installed(name))]
    extras = [
        name for name, distributions in _EXTRAS.items() if all(_installed(each) for each in distributions)
    ]
    return [
        ok(
            "versions",
            f"airflow-provider-outreach {__version__}, Python {platform.python_version()}, {', '.join(known)}; "
            f"extras: {', '.join(extras) or 'none'}",
        )
    ]


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _look_at_settings() -> list[CheckResult]:
    """Each option of ``[outreach]`` is read as whoever needs it will read it."""
    readers: dict[str, Callable[[], Any]] = {
        "lease_seconds": settings.lease,
        "auto_upgrade": settings.auto_upgrade,
        "sql_alchemy_pool_size": settings.pool,
        "max_body_bytes": settings.max_body_bytes,
        "stop_words": settings.stop_words,
        "retention_days": settings.retention,
        "endpoint_disabled_after_days": settings.endpoint_disabled_after,
        "consumer_abandoned_after_days": settings.consumer_abandoned_after,
    }
    found = []
    for option, read in readers.items():
        try:
            read()
        except Exception as error:  # noqa: BLE001 - each option by itself
            remedy = getattr(error, "remedy", None) or f"correct [outreach] {option}"
            said = str(error).removesuffix(f" — {remedy}")
            found.append(fail("settings", mask_text(said.split("\n", 1)[0]), remedy))
    seconds = f"{settings.lease().total_seconds():g}" if not found else ""
    return found or [ok("settings", f"[outreach] is in order; a lease runs {seconds} s")]


def _look_at_airflow() -> list[CheckResult]:
    """Who of Airflow's own has given a sign of life, as Airflow's health page says it."""
    from airflow.api.common.airflow_health import get_airflow_health

    health = get_airflow_health()
    if not _is_healthy(health["metadatabase"]["status"]):
        return [
            fail("airflow", "Airflow's database does not answer as it should",
                 "check [database] sql_alchemy_conn, and run 'airflow db migrate'")
        ]  # fmt: skip
    needed = {
        "scheduler": "no task runs without it",
        "dag_processor": "no DAG is read without it",
        "triggerer": "no route's run begins and no deferred task goes on without it",
    }
    found = []
    for name, why in needed.items():
        seen = health[name][f"latest_{name}_heartbeat"]
        shown, command = name.replace("_", " "), name.replace("_", "-")
        if _is_healthy(health[name]["status"]):
            found.append(ok(shown, f"runs; last sign of life {seen[:19]} UTC"))
        else:
            when = f"no sign of life since {seen[:19]} UTC" if seen else "none was ever started"
            found.append(fail(shown, f"{when}: {why}", f"start it: airflow {command}"))
    return found


def _is_healthy(status: object) -> bool:
    return getattr(status, "value", status) == "healthy"  # an enum from Airflow 3.4 on


def _look_at_plugin(mounted: bool) -> CheckResult:
    if mounted:
        return ok("plugin", "this page is it")
    from airflow.plugins_manager import get_import_errors, get_plugin_info

    for source, error in get_import_errors().items():
        if "outreach" in source:
            return fail("plugin", f"{source}: {error[:200]}", "install the package anew beside this Airflow")
    if not any(each.get("name") == "outreach" for each in get_plugin_info(["name"])):
        return fail(
            "plugin", "Airflow does not know it", "pip install airflow-provider-outreach where the API server runs"
        )  # fmt: skip
    return _called_plugin()


def _called_plugin() -> CheckResult:
    """Whether the API server has it: a file that anybody may see."""
    url = f"{_base_url()}/outreach/static/icon.svg"
    status, _ = _get(url)
    if status is None:
        return unknown("plugin", f"known to Airflow here; {url} does not answer from here", _LOOK_UP)
    if status == 200:
        return ok("plugin", f"mounted: {url} answers")
    if status == 503:
        return fail("plugin", f"{url} answers 503", "the store is not ready: see its check")
    return fail(
        "plugin", f"{url} answers {status}", "install the package beside the API server too, and restart it"
    )


_ALLOW = "correct its host, or name the network in allow_networks of its extra where it is meant"
_LOOK_UP = "is the API server running, and is [api] base_url its URL?"


def _look_at_receiver(test: bool) -> list[CheckResult]:
    names = connection_names("outreach_source")
    url = source_url(names[0] if names else "setup-check")
    doubt = judge_address(url)
    found = [doubt] if doubt is not None else []
    if test:
        status, allow = _get(url)
        if status is not None:
            answer = judge_answer(url, status, allow)
            found += [answer] if not found or answer.state != "ok" else []
        elif not public_reason(url):
            found.append(
                unknown("receiver", f"{url} does not answer from here", f"try it from outside: curl -i {url}")
            )
    return found or [
        unknown("receiver", f"not called; {url}", f"try it from outside: curl -i {url} answers 405")
    ]


def _get(url: str) -> tuple[int | None, str]:
    """The status of a GET and its header ``Allow``; None where nobody answers."""
    import requests

    try:
        with requests.get(url, timeout=_HTTP_SECONDS, allow_redirects=False, stream=True) as answer:
            return answer.status_code, answer.headers.get("Allow", "")
    except requests.RequestException:
        return None, ""


def _base_url() -> str:
    return source_url("").removesuffix("/outreach/in/")


def _look_at_dags() -> list[CheckResult]:
    """DAGs with the tag that the shipped ones and workflows bear, and files of ours that cannot be imported."""
    from airflow.models.dag import DagModel, DagTag
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    tagged = select(DagTag.dag_id).where(DagTag.name == "outreach")
    with create_session() as session:
        rows = session.execute(
            select(DagModel.dag_id, DagModel.is_paused).where(DagModel.is_stale.is_(False), DagModel.dag_id.in_(tagged))
        ).all()  # fmt: skip
        broken = session.scalars(
            select(ParseImportError.filename).where(ParseImportError.stacktrace.contains("outreach"))
        ).all()
    found = [
        fail("dags", f"{name} cannot be imported", "Airflow's page of import errors says why")
        for name in sorted({str(each) for each in broken})[:5]
    ]
    paused = sorted(name for name, is_paused in rows if is_paused)
    if paused:
        more = f" and {len(paused) - 5} more" if len(paused) > 5 else ""
        found.append(
            warn("dags", f"{len(paused)} of {len(rows)} paused: {', '.join(paused[:5])}{more}",
                 "unpause those that are to run")
        )  # fmt: skip
    elif rows:
        found.append(ok("dags", f"{len(rows)} with the tag outreach, none paused"))
    elif not broken:
        found.append(
            warn(
                "dags",
                "none has the tag outreach",
                "airflow outreach init writes the first ones; tag your own",
            )
        )
    return found


def _look_at_test_button() -> CheckResult:
    if conf.get("core", "test_connection", fallback="Disabled").strip().lower() == "enabled":
        return ok("test button", "connections can be tested in Airflow's form")
    return warn(
        "test button", "Airflow's button to test a connection is switched off",
        "set [core] test_connection to Enabled; this check tests them meanwhile",
    )  # fmt: skip


# -- connections -------------------------------------------------------------------------------------------


def _connection_checks(test: bool) -> Iterator[SetupCheck]:
    yield SetupCheck("connections", _look_at_connections)
    for kind, look in (("outreach", _look_at_api), ("outreach_source", _look_at_source), ("outreach_endpoint", _look_at_endpoint)):  # fmt: skip
        try:
            names = connection_names(kind)
        except Exception:  # noqa: BLE001 - what keeps from listing them is told by the check of connections
            return
        for name in names[:_MOST_CONNECTIONS]:
            yield SetupCheck(f"connection {name}", partial(look, name, test))


def _look_at_connections() -> list[CheckResult]:
    """Which there are; one that is missing is no mistake where nobody needs it."""
    found = []
    hint = (
        " (those of a secrets backend cannot be listed)"
        if conf.get("secrets", "backend", fallback="")
        else ""
    )
    for kind, without in (
        ("outreach", "no lead can be sent"),
        ("outreach_source", "no platform can send events"),
        ("outreach_endpoint", "no webhook can be delivered"),
    ):
        names = connection_names(kind)
        if names:
            found.append(ok("connections", f"{len(names)} of type {kind}: {', '.join(names[:10])}"))
        elif kind == "outreach" and not hint:
            found.append(
                warn("connections", f"none of type {kind}: {without}", "add one under Admin > Connections")
            )
        else:
            found.append(unknown("connections", f"none of type {kind}{hint}: without one {without}"))
    return found


def _look_at_api(name: str, test: bool) -> CheckResult:
    from airflow_outreach_provider.hooks.outreach import OutreachHook

    hook = OutreachHook(name)
    host = shown_url(hook.settings.api.base_url)
    return _tested(name, hook.test_connection, f"it can be read; {host}", test)


def _look_at_source(name: str, test: bool) -> CheckResult:
    from airflow_outreach_provider.hooks.sources import OutreachSourceHook

    hook = OutreachSourceHook(name)
    source = hook.settings()
    return _tested(
        name, hook.test_connection, f"it can be read; platform {source.platform}, proof: {source.proof}", test
    )


def _look_at_endpoint(name: str, test: bool) -> CheckResult:
    """Its address is looked up: its own test sends it something."""
    from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook
    from airflow_outreach_provider.net.webhook import WebhookFailed
    from airflow_outreach_provider.services.deliveries.sender import check_address

    endpoint = OutreachEndpointHook(name).endpoint()
    try:
        if test:
            check_address(endpoint)
    except AddressForbidden as error:
        raise ConfigurationError(str(error), _ALLOW) from error
    except WebhookFailed as error:
        return unknown(f"connection {name}", f"{error} from here", "is its host written right?")
    return ok(
        f"connection {name}",
        f"it can be read; {shown_host(endpoint.target.url.host or '')}, signature {endpoint.scheme.value}. "
        f"'airflow outreach deliveries test {name}' sends it a test event",
    )


def _tested(name: str, test_it: Callable[[], tuple[bool, str]], read: str, test: bool) -> CheckResult:
    if not test:
        return ok(f"connection {name}", read)
    good, said = test_it()
    if good:
        return ok(f"connection {name}", said)
    what, _, remedy = said.partition(" — ")
    raise ConfigurationError(what, remedy or "correct it under Admin > Connections")
