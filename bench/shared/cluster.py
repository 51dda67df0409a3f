"""What a fleet stands on: PostgreSQL databases and a Redis database of its own, and Airflow's settings for both."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import redis
import sqlalchemy as sa

from airflow_outreach_provider.demo.airflow import free_port
from shared.kills import QUICK
from shared.places import POSTGRES

REDIS = "redis://127.0.0.1:6379"
_LAST_DATABASE = 15
_IMPORTED = ["airflow_outreach_provider.preload"]
_TAKEN = "outreach-fleet"

NO_REDIS = """no Redis answers at {url}: {error}
  Debian, Ubuntu:  apt-get install redis-server
  macOS:           brew install redis && brew services start redis
  anywhere:        docker run --rm -p 6379:6379 redis
or say where one is: --redis redis://host:6379"""
NO_POSTGRES = """no PostgreSQL answers at {url}: {error}
  Debian, Ubuntu:  apt-get install postgresql
  anywhere:        docker run --rm -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres
or say where one is, with the right to create databases: --postgres postgresql+psycopg://user@host/postgres"""


class NotThere(RuntimeError):
    """Something that the fleet needs does not answer; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The databases of one fleet.

    :ivar metadata, store: URLs of databases. :ivar broker: URL of a Redis database.
    """

    metadata: str
    store: str
    broker: str

    @property
    def databases(self) -> tuple[str, str]:
        """Their names in PostgreSQL."""
        first, second = (str(sa.make_url(url).database) for url in (self.metadata, self.store))
        return first, second

    def settings(self, noticed: int) -> dict[str, str]:
        """Airflow on Celery, with what the documentation says of a fleet.

        :param noticed: seconds after which what is silent is dead.
        """
        return {
            **QUICK,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(noticed),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": str(noticed),
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            # Of a paused DAG's assets nobody is told; a DAG that is not paused waits for no second reading of its file.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.metadata}",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "3600",
            # What a dead worker had taken from the queue and not begun is queued anew. Too often, and Airflow fails the
            # task whatever its retries are: a full queue must not be taken for a dead worker.
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
            "AIRFLOW__CORE__PARALLELISM": "32",
            # Nine components that start at once share two cores, and whatever else is at work on them.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "600",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            # A worker imports once what every task would import for itself.
            "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": _IMPORTED}),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.metadata,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.metadata.replace("+psycopg:", "+psycopg_async:"),
            "AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN": self.store,
            "AIRFLOW__OUTREACH__LEASE_SECONDS": "20",
        }  # fmt: skip


@contextmanager
def cluster(postgres: str = POSTGRES, broker: str = REDIS) -> Iterator[Cluster]:
    """Made for the block, and dropped after it.

    :raises NotThere: PostgreSQL or Redis does not answer.
    """
    with _broker(broker) as own_broker, _databases(postgres) as (metadata, store):
        yield Cluster(metadata, store, own_broker)


@contextmanager
def _databases(url: str) -> Iterator[Sequence[str]]:
    mine = f"outreach_fleet_{uuid.uuid4().hex[:8]}"
    names = [f"{mine}_{each}" for each in ("airflow", "store")]
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with admin.connect() as connection:
            for name in names:
                connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError as error:
        shown = sa.make_url(url).render_as_string()
        raise NotThere(NO_POSTGRES.format(url=shown, error=str(error.orig).splitlines()[0])) from None
    try:
        urls = (sa.make_url(url).set(database=name) for name in names)
        yield [each.render_as_string(hide_password=False) for each in urls]
    finally:
        with admin.connect() as connection:
            for name in names:
                connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()


@contextmanager
def _broker(url: str) -> Iterator[str]:
    """A database of that Redis in which nothing was."""
    for number in range(_LAST_DATABASE, 0, -1):
        own = f"{url.rstrip('/')}/{number}"
        client = redis.Redis.from_url(own, socket_connect_timeout=3)
        try:
            free = client.dbsize() == 0 and client.setnx(_TAKEN, os.getpid())
        except redis.RedisError as error:
            raise NotThere(NO_REDIS.format(url=urlsplit(url).netloc, error=error)) from None
        if free:
            break
    else:
        raise NotThere(f"all {_LAST_DATABASE} databases of the Redis at {urlsplit(url).netloc} are in use")
    try:
        yield own
    finally:
        client.flushdb()
        client.close()


def workers(number: int, tasks: int, logs: str) -> dict[str, list[str]]:
    """Celery workers as components of an Airflow. :param tasks: how many each runs at once. :param logs: a folder."""
    return {
        f"worker-{n}": [
            "celery", "worker", "--celery-hostname", f"fleet-{n}@%h", "--concurrency", str(tasks),
            "--pid", f"{logs}/worker-{n}.pid", "--skip-serve-logs", "--without-mingle", "--without-gossip",
        ]
        for n in range(1, number + 1)
    }  # fmt: skip


def receivers(number: int) -> tuple[dict[str, list[str]], list[str]]:
    """Receivers as components, and their URLs."""
    ports = [free_port() for _ in range(number)]
    commands = {
        f"receiver-{n}": ["outreach", "receive", "--port", str(port)] for n, port in enumerate(ports, 1)
    }
    return commands, [f"http://127.0.0.1:{port}" for port in ports]
