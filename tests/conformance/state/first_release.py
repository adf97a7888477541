"""A state database as the first release left it: its table, and the events of two of its runs, byte by byte. One run succeeded, one failed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

#: What the first release made.
SCHEMA = """
create table events (position integer primary key, stream text not null, number integer not null, type text not null, at text not null,
    data text not null, hash text not null, unique (stream, number));
create index events_by_type on events (type, position);
"""
FIXTURE = Path(__file__).parents[2] / "fixtures" / "events_0_1.jsonl"


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FIXTURE.read_text(encoding="utf-8").splitlines()]


def write(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    db.executemany("insert into events values (:position, :stream, :number, :type, :at, :data, :hash)", rows())
    db.commit()
    db.close()
