"""The queries of NEXMark give in a stream what they give in a batch over the same events, and what plain SQL gives by hand."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.examples.pages import ROOT, environment

EXAMPLE = ROOT / "examples" / "nexmark"
#: Of each kind an event that is so late in time that everything before it is over.
LAST = {
    "bids": '{"auction": 123, "bidder": -1, "price": 1, "channel": "Apple", "at": "2024-01-02T00:00:00.000Z"}\n',
    "persons": '{"id": -1, "name": "", "email": "a@b", "city": "", "state": "XX", "at": "2024-01-02T00:00:00.000Z"}\n',
    "auctions": '{"id": -1, "item": "", "initial_bid": 1, "reserve": 1, "seller": -2, "category": 10, "at": "2024-01-02T00:00:00.000Z", '
    '"expires": "2024-01-02T00:00:01.000Z"}\n',
}
COLUMNS = {
    "bids": "auction: 'BIGINT', bidder: 'BIGINT', price: 'BIGINT', channel: 'VARCHAR', 'at': 'TIMESTAMPTZ'",
    "persons": "id: 'BIGINT', name: 'VARCHAR', city: 'VARCHAR', state: 'VARCHAR', 'at': 'TIMESTAMPTZ'",
    "auctions": "id: 'BIGINT', seller: 'BIGINT', category: 'INTEGER', 'at': 'TIMESTAMPTZ', expires: 'TIMESTAMPTZ'",
}
#: Each query by hand; of windows those that close.
BY_HAND = {
    "q0": "SELECT auction, bidder, price, channel, t FROM bids",
    "q1": "SELECT auction, bidder, price, channel, t, CAST(price * 0.908 AS DECIMAL(18, 3)) FROM bids",
    "q2": "SELECT auction, bidder, price, channel, t FROM bids WHERE auction % 123 = 0",
    "q3": "SELECT a.id, a.seller, p.name, p.city, p.state FROM auctions a JOIN persons p ON a.seller = p.id WHERE a.category = 10 AND "
    "p.state IN ('OR', 'ID', 'CA')",
    "q4": "SELECT category, avg(final) FROM (SELECT category, max(price) AS final FROM auctions a JOIN bids b ON a.id = b.auction WHERE "
    "b.t BETWEEN a.t AND a.expires GROUP BY a.id, category) GROUP BY category",
    "q5": "SELECT w, w + INTERVAL 10 SECOND, auction, count(*) AS n FROM (SELECT *, unnest(range(0, 5)) AS k FROM bids), "
    "LATERAL (SELECT time_bucket(INTERVAL 2 SECOND, t) - k * INTERVAL 2 SECOND AS w) WHERE bidder >= 0 GROUP BY ALL HAVING n >= 20",
    "q6": "SELECT *, avg(price) OVER (PARTITION BY seller ORDER BY expires, id ROWS 9 PRECEDING) FROM (SELECT a.id, seller, category, expires, "
    "max(price) AS price FROM auctions a JOIN bids b ON a.id = b.auction WHERE b.t BETWEEN a.t AND a.expires GROUP BY ALL)",
    "q7": "SELECT time_bucket(INTERVAL 10 SECOND, t) AS w, w + INTERVAL 10 SECOND, max(price), count(*) FROM bids WHERE bidder >= 0 GROUP BY ALL",
    "q8": "SELECT w, w + INTERVAL 10 SECOND, id, name FROM (SELECT DISTINCT id, name, time_bucket(INTERVAL 10 SECOND, t) AS w FROM persons) "
    "JOIN (SELECT DISTINCT seller, time_bucket(INTERVAL 10 SECOND, t) AS v FROM auctions) ON id = seller AND w = v",
    "q11": "SELECT min(t), max(t) + INTERVAL 200 MILLISECOND, bidder, count(*) FROM (SELECT *, sum(begins) OVER (PARTITION BY bidder ORDER BY t) AS "
    "session FROM (SELECT *, CASE WHEN t - lag(t) OVER (PARTITION BY bidder ORDER BY t) < INTERVAL 200 MILLISECOND THEN 0 ELSE 1 END AS begins "
    "FROM bids)) WHERE bidder >= 0 GROUP BY bidder, session",
    "q13": "SELECT auction, bidder, price, channel, t, CASE channel WHEN 'Google' THEN 'Alphabet' WHEN 'Facebook' THEN 'Meta' ELSE channel END FROM bids",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, run as a stream and as a batch over the same bids."""
    folder = tmp_path_factory.mktemp("nexmark") / "nexmark"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", ".headrace", "*.duckdb"))
    subprocess.run([sys.executable, "events.py", "--events", "20000", "--out", "data"], cwd=folder, check=True)
    for kind, event in LAST.items():
        with (folder / "data" / f"{kind}.jsonl").open("a") as events:
            events.write(event)
    total = (folder / "data" / "bids.jsonl").read_text().count("\n")
    text = (folder / "pipeline.yaml").read_text()
    for this, that in (
        ("tail:", "file:"),
        ("out.duckdb", "batch.duckdb"),
        (": nexmark\n", ": in_a_batch\n"),
        ("stream: 200 ms\n", ""),
    ):
        assert this in text
        text = text.replace(this, that)
    (folder / "batch.yaml").write_text(text)
    run = [sys.executable, "-m", "headrace", "run", "--quiet"]
    subprocess.run([*run, "batch.yaml"], cwd=folder, env=environment(), check=True, timeout=300)
    stream = subprocess.Popen([*run, "pipeline.yaml"], cwd=folder, env=environment())
    try:
        wait(lambda: rows(folder / "out.duckdb", "q7", "q13") == (2, total), stream)
    finally:
        stream.send_signal(signal.SIGINT)
        assert stream.wait(timeout=120) == 0
    return folder


def wait(true: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    while not true():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(1)  # while the file is read, the stream cannot write to it


def rows(path: Path, *tables: str) -> tuple[int, ...]:
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            return tuple(int(con.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0]) for table in tables)
    except duckdb.Error:
        return ()


def table(path: Path, table: str, where: str = "") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.sql(f"SELECT * FROM {table} {where} ORDER BY ALL").fetchall()


@pytest.mark.parametrize("query", BY_HAND)
def test_the_stream_gives_what_sql_gives(query: str, folder: Path) -> None:
    with duckdb.connect() as con:
        for kind, columns in COLUMNS.items():
            read = f"read_json('{folder}/data/{kind}.jsonl', columns = {{{columns}}})"
            con.execute(f'CREATE VIEW {kind} AS SELECT * EXCLUDE ("at"), "at" AS t FROM {read}')
        expected = con.sql(f"SELECT * FROM ({BY_HAND[query]}) ORDER BY ALL").fetchall()
    assert len(expected) > (50 if query not in ("q4", "q7") else 0)
    assert table(folder / "out.duckdb", query) == expected


@pytest.mark.parametrize("query", BY_HAND)
def test_the_stream_gives_what_the_batch_gives(query: str, folder: Path) -> None:
    closed = "WHERE window_end < TIMESTAMPTZ '2024-01-01 12:00:00+00'" if query in ("q5", "q7", "q11") else ""
    assert table(folder / "out.duckdb", query) == table(folder / "batch.duckdb", query, closed)
