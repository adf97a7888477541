"""A Singer tap: a CSV file as SCHEMA and RECORD messages on standard output.

python tap_lines.py FILE STREAM
"""

from __future__ import annotations

import csv
import json
import sys

NAMES = (
    "l_orderkey l_partkey l_suppkey l_linenumber l_quantity l_extendedprice l_discount l_tax l_returnflag l_linestatus "
    "l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment"
).split()
NUMBERS, EXACT, DATES = NAMES[:4], NAMES[4:8], NAMES[10:13]
KINDS = (
    {key: {"type": "string"} for key in NAMES}
    | {key: {"type": "integer"} for key in NUMBERS}
    | {key: {"type": "number"} for key in EXACT}
    | {key: {"type": "string", "format": "date"} for key in DATES}
)


def main() -> None:
    path, stream = sys.argv[1:]
    say = sys.stdout.write
    say(json.dumps({"type": "SCHEMA", "stream": stream, "schema": {"properties": KINDS}, "key_properties": []}) + "\n")
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            record = dict(zip(NAMES, row, strict=True))
            record |= {n: int(record[n]) for n in NUMBERS} | {n: float(record[n]) for n in EXACT}
            say(json.dumps({"type": "RECORD", "stream": stream, "record": record}) + "\n")


main()
