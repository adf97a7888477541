"""The two ends of the streams that are killed: brokers to publish to, and sinks to look into. Each on a server of its own, on loopback."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from deltalake import DeltaTable
from pyiceberg.catalog.sql import SqlCatalog
from tests.conformance.brokers.mqtt_under_test import MqttUnderTest
from tests.conformance.brokers.nats_under_test import NatsUnderTest
from tests.conformance.brokers.rabbitmq_under_test import RabbitMQUnderTest
from tests.conformance.brokers.under_test import KafkaUnderTest, RedisUnderTest, TailUnderTest
from tests.integration.mosquitto_server import MosquittoServer
from tests.integration.mysql_server import MySQLServer
from tests.integration.nats_server import NatsServer
from tests.integration.postgres_server import PostgresServer
from tests.integration.rabbitmq_server import RabbitMQServer
from tests.integration.tansu_server import TansuServer
from tests.integration.valkey_server import ValkeyServer

from headrace.infrastructure.relay import Relay

Rows = Sequence[tuple[Any, ...]]
_QUERY = "SELECT {start}, key, events, total, highest FROM {table}"


@dataclass(frozen=True)
class Broker:
    """Where events are published, and the source that reads them."""

    source: Mapping[str, Any]
    partitions: Sequence[str]
    send: Callable[[str, Sequence[bytes | None]], None]
    settings: str = ""
    again: bool = True
    """Whether messages can be read again from a position; if not, one may come twice, and rows are told apart by their ids."""

    def publish(self, partition: int, rows: Sequence[Mapping[str, Any]]) -> None:
        self.send(self.partitions[partition % len(self.partitions)], [json.dumps(row).encode() for row in rows])


@dataclass(frozen=True)
class Sink:
    """Where results go, and how a stranger reads them."""

    options: Mapping[str, Any]
    look: Callable[[], Rows]


@contextmanager
def broker(kind: str, folder: Path) -> Iterator[Broker]:
    """A broker of that kind with nothing in it."""
    with ExitStack() as opened:
        match kind:
            case "redis":
                valkey = ValkeyServer().start()
                opened.callback(valkey.remove)
                streams = RedisUnderTest(valkey)
                source = {"redis": {"url": valkey.url, "stream": list(streams.partitions), "field": "payload"}}
                yield Broker(source, streams.partitions, streams.publish)
            case "kafka":
                tansu = TansuServer().start()
                opened.callback(tansu.remove)
                topic = KafkaUnderTest(tansu)
                yield Broker({"kafka": {"servers": tansu.servers, "topic": topic.name}}, topic.partitions, topic.publish)
            case "nats" | "nats consumer":
                nats = NatsServer().start()
                opened.callback(nats.remove)
                stream = NatsUnderTest(nats, "sequence" if kind == "nats" else "consumer")
                shared = {} if kind == "nats" else {"consumer": "kit", "ack_seconds": 2}
                source = {"nats": {"url": nats.url, "stream": stream.stream, **shared}}
                yield Broker(source, stream.partitions, stream.publish, again=not shared)
            case "rabbitmq stream" | "rabbitmq queue":
                server = opened.enter_context(RabbitMQServer.running())
                by = kind.split()[1]
                queue = RabbitMQUnderTest(server, _relays(server, opened), by)
                opened.callback(queue.close)
                at = f'kind = "rabbitmq"\nhost = "127.0.0.1"\nport = {server.port}\nstream_port = {server.stream_port}\n'
                source = {"rabbitmq": {"connection": "broker", by: queue.partitions[0]}}
                yield Broker(source, queue.partitions, queue.publish, f"[connections.broker]\n{at}", again=by == "stream")
            case "mqtt":
                mosquitto = MosquittoServer().start()
                opened.callback(mosquitto.remove)
                relay = opened.enter_context(Relay("127.0.0.1", mosquitto.port))
                subscribed = MqttUnderTest(mosquitto, relay)
                source = {
                    "mqtt": {"url": mosquitto.url, "topic": subscribed.partitions[0], "client_id": subscribed.partitions[0]}
                }
                yield Broker(source, subscribed.partitions, subscribed.publish, again=False)
            case _:
                files = TailUnderTest(folder)
                yield Broker({"tail": {"path": list(files.partitions)}}, files.partitions, files.publish)


def _relays(server: RabbitMQServer, opened: ExitStack) -> Mapping[str, Relay]:
    ports = {"queue": server.port, "stream": server.stream_port}
    return {by: opened.enter_context(Relay("127.0.0.1", port)) for by, port in ports.items()}


@contextmanager
def sink(kind: str, folder: Path) -> Iterator[Sink]:
    """A sink of that kind, whose table is not there yet."""
    with ExitStack() as opened:
        match kind:
            case "postgres":
                url = opened.enter_context(PostgresServer.running()).new_database()
                yield Sink({"postgres": {"url": url, "table": "counted", "mode": "append"}}, lambda: _in_postgres(url))
            case "mysql":
                maria = opened.enter_context(MySQLServer.running())
                at = maria.new_database()
                yield Sink({"mysql": {"url": at, "table": "counted", "mode": "append"}}, lambda: _in_mysql(maria, at))
            case "sqlite":
                path = folder / "out.sqlite"
                yield Sink({"sqlite": {"path": path.name, "table": "counted", "mode": "append"}}, lambda: _in_sqlite(path))
            case "duckdb":
                file = folder / "out.duckdb"
                yield Sink({"duckdb": {"path": file.name, "table": "counted", "mode": "append"}}, lambda: _in_duckdb(file))
            case "delta":
                yield Sink({"delta": {"path": "counted", "mode": "append"}}, lambda: _in_delta(folder / "counted"))
            case "iceberg":
                options = {"warehouse": "lake", "table": "kit.counted", "mode": "append"}
                yield Sink({"iceberg": options}, lambda: _in_iceberg(folder / "lake"))
            case _:
                yield Sink({"file": {"path": "counted/", "mode": "append"}}, lambda: _in_files(folder / "counted"))


def _in_postgres(url: str) -> Rows:
    with psycopg.connect(url) as db:
        if not db.execute("SELECT to_regclass('counted') IS NOT NULL").fetchall()[0][0]:
            return ()
        start = "to_char(window_start AT TIME ZONE 'UTC', 'HH24:MI:SS')"
        return db.execute(_QUERY.format(start=start, table="counted").encode()).fetchall()


def _in_mysql(server: MySQLServer, url: str) -> Rows:
    name = url.rpartition("/")[2]
    if not server.ask(f"SHOW TABLES FROM {name} LIKE 'counted'"):
        return ()
    query = _QUERY.replace(", key", ", `key`").format(
        start="time_format(time(window_start), '%H:%i:%s')", table=f"{name}.counted"
    )
    return list(server.ask(query))


def _in_sqlite(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'counted'").fetchall():
            return ()
        return db.execute(_QUERY.format(start="substr(window_start, 12, 8)", table="counted")).fetchall()


def _in_duckdb(path: Path) -> Rows:
    if not path.exists():
        return ()
    with duckdb.connect(str(path), read_only=True) as db:
        there = db.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'counted'").fetchall()
        return _in_utc(db, "counted") if there else ()


def _in_files(folder: Path) -> Rows:
    with duckdb.connect() as db:
        return _in_utc(db, f"read_parquet('{folder}/*.parquet')") if list(folder.glob("*.parquet")) else ()


def _in_delta(folder: Path) -> Rows:
    if not DeltaTable.is_deltatable(str(folder)):
        return ()
    found = DeltaTable(folder).to_pyarrow_table()
    with duckdb.connect() as db:
        db.register("found", found)
        return _in_utc(db, "found")


def _in_iceberg(lake: Path) -> Rows:
    if not (lake / "catalog.sqlite").exists():
        return ()
    with closing(SqlCatalog("default", uri=f"sqlite:///{lake}/catalog.sqlite", warehouse=f"file://{lake}")) as catalog:
        if not catalog.table_exists("kit.counted"):
            return ()
        found = catalog.load_table("kit.counted").scan().to_arrow()
    with duckdb.connect() as db:
        db.register("found", found)
        return _in_utc(db, "found")


def _in_utc(db: duckdb.DuckDBPyConnection, table: str) -> Rows:
    db.execute("SET TimeZone = 'UTC'")
    return db.execute(_QUERY.format(start="strftime(window_start, '%H:%M:%S')", table=table)).fetchall()
