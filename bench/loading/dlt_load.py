"""CSV into a table of PostgreSQL by dlt: as Arrow, which it copies in as CSV, or record by record, as its tutorials have it.

python dlt_load.py {arrow|records} URL FILE TABLE WORKPLACE
"""

from __future__ import annotations

import csv
import sys
from decimal import Decimal

import dlt
import pyarrow as pa
from pyarrow import csv as arrow_csv

NAMES = (
    "l_orderkey l_partkey l_suppkey l_linenumber l_quantity l_extendedprice l_discount l_tax l_returnflag l_linestatus "
    "l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment"
).split()
NUMBERS, EXACT, DATES = NAMES[:4], NAMES[4:8], NAMES[10:13]
TYPES = dict.fromkeys(NUMBERS, pa.int64()) | dict.fromkeys(EXACT, pa.decimal128(15, 2)) | dict.fromkeys(DATES, pa.date32())


def as_arrow(path: str):
    reading = arrow_csv.ReadOptions(column_names=NAMES, block_size=1 << 24)
    with arrow_csv.open_csv(
        path, read_options=reading, convert_options=arrow_csv.ConvertOptions(column_types=TYPES)
    ) as batches:
        yield from batches


def as_records(path: str):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            record = dict(zip(NAMES, row, strict=True))
            yield record | {n: int(record[n]) for n in NUMBERS} | {n: Decimal(record[n]) for n in EXACT}


def main() -> None:
    way, url, path, table, workplace = sys.argv[1:]
    hints = {key: {"data_type": "decimal", "precision": 15, "scale": 2} for key in EXACT} | {
        key: {"data_type": "date"} for key in DATES
    }
    rows = dlt.resource(as_arrow(path) if way == "arrow" else as_records(path), name=table, columns=hints)
    pipeline = dlt.pipeline(table, destination=dlt.destinations.postgres(url), dataset_name="public", pipelines_dir=workplace)
    pipeline.run(rows, loader_file_format="csv" if way == "arrow" else "insert_values")


main()
