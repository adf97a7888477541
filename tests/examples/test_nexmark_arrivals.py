"""Query 12 of NEXMark: windows by the time at which the broker took bids in give what plain SQL, and a batch over what arrived, give."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import redis
from tests.examples.pages import environment
from tests.examples.test_nexmark import EXAMPLE, rows, table, wait
from tests.integration.valkey_server import ValkeyServer

BIDS, MILLISECONDS_APART = 3000, 10
BEGIN = round(datetime(2024, 5, 1, 12, 0, 3, tzinfo=UTC).timestamp() * 1000)
RUN = [sys.executable, "-m", "headrace", "run", "--quiet"]
BY_HAND = """
SELECT time_bucket(INTERVAL 10 SECOND, make_timestamp(arrived * 1000)) AT TIME ZONE 'UTC' AS w, w + INTERVAL 10 SECOND, bidder, count(*)
FROM arrived WHERE bidder >= 0 GROUP BY ALL ORDER BY ALL
"""


@pytest.fixture(scope="module")
def arrived() -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """A stream of bids in a server, and of each when it came and who made it; the last is a day later, so that all before it is over."""
    server = ValkeyServer().start()
    bids = [(BEGIN + i * MILLISECONDS_APART, i * i % 97) for i in range(BIDS)] + [(BEGIN + 86_400_000, -1)]
    try:
        with redis.Redis.from_url(server.url) as client, client.pipeline() as sending:
            for at, bidder in bids:
                bid = {"auction": 1, "bidder": bidder, "price": 5, "channel": "Apple", "at": "2024-01-01T00:00:00Z"}
                sending.xadd("bids", {"bid": json.dumps(bid)}, id=f"{at}-0")
            sending.execute()
        yield server.url, bids
    finally:
        server.remove()


def test_bids_are_counted_by_when_they_arrived(arrived: tuple[str, list[tuple[int, int]]], tmp_path: Path) -> None:
    url, bids = arrived
    shutil.copy(EXAMPLE / "arrivals.yaml", tmp_path)
    text = (tmp_path / "arrivals.yaml").read_text()
    stream = subprocess.Popen([*RUN, "--param", f"redis={url}", "arrivals.yaml"], cwd=tmp_path, env=environment())
    try:
        wait(lambda: rows(tmp_path / "arrivals.duckdb", "bids") == (len(bids),), stream)
    finally:
        stream.send_signal(signal.SIGINT)
        assert stream.wait(timeout=120) == 0
    with duckdb.connect() as con:
        con.execute("CREATE TABLE arrived (arrived BIGINT, bidder BIGINT)")
        con.executemany("INSERT INTO arrived VALUES (?, ?)", bids)
        expected = con.sql(BY_HAND).fetchall()
    assert len(expected) > 100
    assert table(tmp_path / "arrivals.duckdb", "q12") == expected
    begin, end = text.index("    redis:"), text.index("    contract:")
    text = text[:begin] + "    duckdb: {path: arrivals.duckdb, table: bids}\n" + text[end:]
    text = text.replace("path: arrivals.duckdb, table: q12", "path: batch.duckdb, table: q12").replace("stream: 200 ms\n", "")
    text = text.replace("  - {name: arrivals, from: bids, duckdb: {path: arrivals.duckdb, table: bids, mode: append}}\n", "")
    (tmp_path / "batch.yaml").write_text(text.replace("nexmark_arrivals", "in_a_batch"))
    subprocess.run([*RUN, "batch.yaml"], cwd=tmp_path, env=environment(), check=True, timeout=300)
    assert table(tmp_path / "batch.duckdb", "q12", "WHERE bidder >= 0") == expected
