"""Every store of the state of streams keeps the laws of the kit, and says of what is damaged that it is."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import psycopg
import pytest
import redis
from tests.conformance.streams.openers import STREAM, in_folder, in_postgres, in_redis, postgres_profile, redis_profile
from tests.integration.postgres_server import PostgresServer
from tests.integration.valkey_server import ValkeyServer

from headrace import testing
from headrace.business.ports import Fence
from headrace.business.streams.state import Saved
from headrace.errors import NonRetryableError, UsageError
from headrace.infrastructure.storage import state_stores


@pytest.fixture
def address(valkey: ValkeyServer) -> str:
    with redis.Redis.from_url(valkey.url) as server:
        server.flushall()
        server.config_set("appendfsync", "always")
    return valkey.url


def test_a_folder_conforms(tmp_path: Path):
    testing.state_store_conforms(partial(in_folder, tmp_path / "streams"), tmp_path / "kit")


def test_postgres_conforms(postgres_server: PostgresServer, postgres: str, tmp_path: Path):
    def cut() -> None:
        with psycopg.connect(postgres, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    testing.state_store_conforms(partial(in_postgres, postgres), tmp_path / "kit", cut=cut)


def test_redis_conforms(address: str, tmp_path: Path):
    def cut() -> None:
        with redis.Redis.from_url(address) as server:
            server.client_kill_filter(_type="normal", skipme=True)

    testing.state_store_conforms(partial(in_redis, address), tmp_path / "kit", cut=cut)


def test_redis_that_is_restarted_has_what_was_saved(tmp_path: Path):
    server = ValkeyServer().start()
    try:

        def cut() -> None:
            server.stop()
            server.start()

        testing.state_store_conforms(partial(in_redis, server.url), tmp_path / "kit", steps=5, kills=0, cut=cut)
    finally:
        server.remove()


def test_redis_without_an_append_only_file_is_refused(address: str):
    with redis.Redis.from_url(address) as server:
        server.config_set("appendonly", "no")
        try:
            with pytest.raises(NonRetryableError, match="append-only file"):
                in_redis(address).open(Fence("test", 1))
        finally:
            server.config_set("appendonly", "yes")
            while _rewrites(server):  # until it has its file again, it would not stop
                time.sleep(0.01)


def _rewrites(server: redis.Redis) -> bool:
    told = server.info("persistence")
    return bool(told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"])


@pytest.mark.parametrize("kind", ["folder", "postgres", "redis"])
def test_streams_do_not_see_each_other_and_are_removed_one_by_one(kind: str, postgres: str, address: str, tmp_path: Path):
    opened = {
        "folder": lambda stream: state_stores.state_store(stream, None, tmp_path),
        "postgres": partial(in_postgres, postgres),
        "redis": partial(in_redis, address),
    }[kind]
    names = ["one", "two", "a/b: {c}", "ünï"]
    stores = {name: opened(stream=name) for name in names}
    for number, (name, store) in enumerate(stores.items(), 1):
        store.open(Fence("test", number))
        store.save(Saved(number, {"name": name}))
    shared = {"folder": None, "postgres": postgres_profile(postgres), "redis": redis_profile(address)}[kind]
    assert list(state_stores.streams_in(shared, tmp_path)) == sorted(names)
    for number, (name, store) in enumerate(stores.items(), 1):
        assert [s.facts for s in store.load(number)] == [{"name": name}]
    stores["two"].remove()
    assert list(state_stores.streams_in(shared, tmp_path)) == sorted(set(names) - {"two"})
    assert not stores["two"].epochs()
    assert [s.facts for s in stores["one"].load(1)] == [{"name": "one"}]
    for store in stores.values():
        store.close()


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "emptied"])
@pytest.mark.parametrize("place", [0.0, 0.02, 0.5, 1.0])
def test_a_damaged_epoch_is_told_by_the_name_of_its_file(damage: str, place: float, tmp_path: Path):
    store = in_folder(tmp_path)
    store.open(Fence("test", 1))
    store.save(Saved(1, {"position": 1}, {"state": b"abc" * 100}, 1))
    store.save(Saved(2, {"position": 2}, {"state": b"xyz" * 100}))
    file = next(tmp_path.rglob("epoch-*2.state"))
    data = bytearray(file.read_bytes())
    at = min(len(data) - 1, int(len(data) * place))
    match damage:
        case "cut":
            del data[at:]
        case "flipped":
            data[at] ^= 0x40
        case "longer":
            data.insert(at, 0)
        case "emptied":
            data.clear()
    file.write_bytes(data)
    with pytest.raises(NonRetryableError, match=r"epoch-0*2\.state: is torn or damaged") as told:
        store.load(2)
    assert "earlier epoch" in (told.value.hint or "")
    assert [s.epoch for s in store.load(1)] == [1]


def test_a_folder_whose_owner_cannot_be_read_lets_nobody_in(tmp_path: Path):
    store = in_folder(tmp_path)
    store.open(Fence("test", 1))
    next(tmp_path.rglob("owner.json")).write_text("{")
    with pytest.raises(NonRetryableError, match="cannot be told who may save"):
        store.open(Fence("test", 2))


def test_a_connection_that_keeps_no_state_is_refused(tmp_path: Path):
    from headrace.business.connections import Profile
    from headrace.infrastructure.connectors.mysql_connection import MySQLConnection

    profile = Profile("shop", MySQLConnection.model_validate({"host": "localhost"}))
    for ask in (partial(state_stores.state_store, STREAM), state_stores.streams_in):
        with pytest.raises(UsageError, match="`shop`, which is of kind `mysql`"):
            ask(profile, tmp_path)
