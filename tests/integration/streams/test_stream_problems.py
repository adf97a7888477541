"""What is wrong with the definition of a stream is told all at once, each at its line, whoever finds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EVENTS = """\
pipeline: p
sources:
  events:
    tail: {path: events.log, format: json}
    contract:
      columns: {id: {type: int64, required: true}, device: string, at: {type: timestamptz, required: true}}
      rules: RULES
    watermark: at
sinks:
  - duckdb: {path: out.duckdb, table: t, mode: append}
"""


def told(folder: Path, text: str) -> list[str]:
    """The first line of each problem of a plan."""
    (folder / "p.yaml").write_text(text)
    words = [sys.executable, "-m", "headrace", "plan", "p.yaml"]
    found = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 2, found.stdout + found.stderr
    return [line.removeprefix("error: ") for line in found.stderr.splitlines() if line and not line.startswith(" ")]


def test_problems_of_streams_are_told_together_with_all_others(tmp_path: Path) -> None:
    wrong = EVENTS.replace("RULES", "{gapless: {sequence: device}, odd: nope > 1}").replace("append", "replace")
    found = told(tmp_path, wrong + "steps:\n  - derive: {x: missing + 1}\nschedule: '@daily'\nconcurrency: 2\n")
    assert found == [
        "p.yaml:7:35: a sequence is of whole numbers, and `device` is string",
        "p.yaml:7:49: there is no column `nope`",
        "p.yaml:10:48: a stream has no end at which it could replace the whole target",
        "p.yaml:12:17: there is no column `missing`",
        "p.yaml:13:1: a stream runs for ever, so it has no schedule",
        "p.yaml:14:1: a stream is one run",
    ]


def test_rules_of_how_rows_come_are_explained_where_they_are_wrong(tmp_path: Path) -> None:
    rules = """
        a: {unique: id}
        b: {unique: [id, ip], within: 1 minute}
        c: {lateness: 5 seconds, within: 1 minute}
        d: {lateness: 5 seconds, by: device}
        e: {sequence: id, lateness: 1s}"""
    assert told(tmp_path, EVENTS.replace(" RULES", rules)) == [
        "p.yaml:8:13: a stream does not remember all keys that it has ever seen",
        "p.yaml:9:26: there is no column `ip`",
        "p.yaml:10:34: `within` belongs to `unique`",
        "p.yaml:11:34: `by` belongs to `sequence`",
        "p.yaml:12:9: a rule is either an `expression` or `references` with a `column`",
    ]


def test_event_time_is_demanded_where_a_rule_goes_by_it(tmp_path: Path) -> None:
    rules = "{late: {lateness: 5 seconds}, once: {unique: id, within: 1 minute}, gapless: {sequence: id}}"
    found = told(tmp_path, EVENTS.replace("RULES", rules).replace("    watermark: at\n", ""))
    assert found == [
        "p.yaml:7:22: `lateness` is judged by event time, and this source does not say which that is",
        "p.yaml:7:51: `unique` is judged by event time, and this source does not say which that is",
    ]


def test_a_batch_refuses_what_is_about_the_coming_of_rows(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_text('{"id": 1, "device": "a", "at": "2024-01-01T00:00:00Z"}\n')
    text = EVENTS.replace("tail: {path: events.log, format: json}", "file: events.json").replace(
        "RULES", "{late: {lateness: 5s}}"
    )
    words = "`lateness` is about how the rows of a stream come one after another, and these are all there at once"
    assert told(tmp_path, text) == [f"p.yaml:7:22: {words}"]
