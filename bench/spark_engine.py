"""`engine: spark` against PySpark written by hand that does the same: read, judge, hold back, derive, audit, write Parquet.

    python bench/spark_engine.py [--rows 1000000] [--rounds 3]

The same dirty CSV file, the same ten rules, the same result, by turns, each in a process and a JVM of its own with two threads. What counts is the
processor time of all processes together, the JVM among them.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import duckdb

from dirty_lines import CONTRACT, NAMES, generate
from measure import HEADRACE, keep, surroundings, table

#: What a small table wants of Spark, told to both alike.
SETTINGS = {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false", "spark.driver.memory": "2g"}
DEFINITION = """
version: 1
pipeline: engine
engine: spark
sources:
  lines:
    file: {{path: lines.csv}}
    contract:{contract}
steps:
  - derive: {{net: price * (1 - discount), late: received > shipped}}
checks:
  - row_count: {{min: 1}}
sinks:
  - file: {{path: by_headrace/, format: parquet}}
"""
#: What a careful hand would write: guards before casts, one pass that judges and is kept, good and bad rows written apart, the result checked.
BY_HAND = r"""
from pyspark import StorageLevel
from pyspark.sql import SparkSession

names, settings = {names!r}, {settings!r}
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
raw = spark.read.csv("lines.csv", header=True, schema=", ".join(f"{{name}} STRING" for name in names))
raw.createOrReplaceTempView("raw")
judged = spark.sql(r'''
    SELECT *, CASE WHEN v_id IS NULL THEN 1 ELSE 0 END + CASE WHEN v_customer IS NULL OR v_customer < 1 THEN 2 ELSE 0 END
      + CASE WHEN v_quantity NOT BETWEEN 1 AND 50 OR (v_quantity IS NULL AND quantity IS NOT NULL) THEN 4 ELSE 0 END
      + CASE WHEN v_price < 0 OR (v_price IS NULL AND price IS NOT NULL) THEN 8 ELSE 0 END
      + CASE WHEN v_discount NOT BETWEEN 0 AND 1 OR (v_discount IS NULL AND discount IS NOT NULL) THEN 16 ELSE 0 END
      + CASE WHEN v_shipped IS NULL THEN 32 ELSE 0 END + CASE WHEN v_received IS NULL AND received IS NOT NULL THEN 64 ELSE 0 END
      + CASE WHEN status NOT IN ('O', 'F', 'P') THEN 128 ELSE 0 END + CASE WHEN mode IS NULL THEN 256 ELSE 0 END
      + CASE WHEN v_received < v_shipped THEN 512 ELSE 0 END AS mask
    FROM (SELECT *, CASE WHEN id RLIKE '^[+-]?[0-9]{{1,18}}$' THEN try_cast(id AS BIGINT) END AS v_id,
      CASE WHEN customer RLIKE '^[+-]?[0-9]{{1,9}}$' THEN try_cast(customer AS INT) END AS v_customer,
      CASE WHEN quantity RLIKE '^[+-]?[0-9]{{1,9}}$' THEN try_cast(quantity AS INT) END AS v_quantity,
      CASE WHEN price RLIKE '^[+-]?[0-9]{{1,10}}([.][0-9]{{0,2}})?$' THEN try_cast(price AS DECIMAL(12, 2)) END AS v_price,
      CASE WHEN discount RLIKE '^[+-]?[0-9]{{1,2}}([.][0-9]{{0,2}})?$' THEN try_cast(discount AS DECIMAL(4, 2)) END AS v_discount,
      CASE WHEN shipped RLIKE '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN try_cast(shipped AS DATE) END AS v_shipped,
      CASE WHEN received RLIKE '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN try_cast(received AS DATE) END AS v_received
      FROM raw) AS typed''').persist(StorageLevel.MEMORY_AND_DISK)
judged.createOrReplaceTempView("judged")
spark.sql("SELECT mask, count(*) FROM judged GROUP BY mask").collect()
spark.sql(f"SELECT {{', '.join(names)}}, mask FROM judged WHERE mask <> 0").write.parquet("held_by_hand")
spark.sql('''
    SELECT v_id AS id, v_customer AS customer, v_quantity AS quantity, v_price AS price, v_discount AS discount, v_shipped AS shipped,
      v_received AS received, status, mode, comment, v_price * (1 - v_discount) AS net, v_received > v_shipped AS late
    FROM judged WHERE mask = 0''').write.parquet("by_hand")
assert spark.read.parquet("by_hand").count() >= 1
spark.stop()
"""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux


def spent(command: Sequence[str | Path], folder: Path) -> float:
    """Seconds of processor time of a command and of all that it started, the JVM that outlives it among them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = folder / "last.log"
    with words.open("wb") as log:
        process = subprocess.Popen([str(part) for part in command], cwd=folder, env=surroundings(), stdout=log, stderr=log)
        if process.wait():
            raise SystemExit(words.read_text(errors="replace")[-4000:])
    while True:  # what it left behind is ours now
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def result(folder: Path, name: str) -> tuple[object, ...]:
    """What tells the results apart: rows, a sum, a count."""
    with duckdb.connect() as con:
        query = f"SELECT count(*), sum(net), count(*) FILTER (WHERE late) FROM '{folder / name}/**/*.parquet'"
        return con.execute(query).fetchall()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("children that outlive their parents can only be counted on Linux")
    folder = Path(tempfile.mkdtemp(prefix="headrace-bench-"))
    times: dict[str, list[float]] = {"hand": [], "headrace": []}
    try:
        generate(folder / "lines.csv", options.rows)
        settings = "".join(f'"{name}" = "{value}"\n' for name, value in SETTINGS.items())
        (folder / "headrace.toml").write_text(f'[engines.spark]\nmaster = "local[2]"\n{settings}')
        (folder / "pipeline.yaml").write_text(DEFINITION.format(contract=CONTRACT.rstrip()))
        (folder / "by_hand.py").write_text(BY_HAND.format(names=NAMES, settings=SETTINGS))
        for _ in range(options.rounds):
            for leftover in ("by_hand", "held_by_hand", "by_headrace", ".headrace"):
                shutil.rmtree(folder / leftover, ignore_errors=True)
            times["hand"].append(spent([sys.executable, "by_hand.py"], folder))
            times["headrace"].append(spent([HEADRACE, "run", "--quiet", "pipeline.yaml"], folder))
            if result(folder, "by_hand") != result(folder, "by_headrace"):
                raise SystemExit(f"the results differ: {result(folder, 'by_hand')} and {result(folder, 'by_headrace')}")
    finally:
        shutil.rmtree(folder)
    middle = {name: median(seconds) for name, seconds in times.items()}
    shown = {"hand": "PySpark by hand", "headrace": "**Headrace**, `engine: spark`"}
    lines = [[shown[name], f"{seconds:.1f}", f"{seconds / middle['hand']:.2f}"] for name, seconds in middle.items()]
    keep("spark-engine", {"rows": options.rows, "cpu_seconds": times}, table(["", "CPU s", "times by hand"], lines))


if __name__ == "__main__":
    main()
