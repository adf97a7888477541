"""S3 by DuckDB's own extension `httpfs`, which there is for version 1.5.5 as a wheel, and for none of ours. Prints the number of rows.

python duckdb_httpfs.py {read|two columns|write|small files} BUCKET [FILE ...]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import duckdb
import duckdb_extension_httpfs


def connected() -> duckdb.DuckDBPyConnection:
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    con = duckdb.connect()
    con.execute(f"LOAD '{extension}'")
    place = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    con.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{os.environ['AWS_ACCESS_KEY_ID']}', SECRET '{os.environ['AWS_SECRET_ACCESS_KEY']}', "
        f"REGION '{os.environ.get('AWS_REGION', 'us-east-1')}', ENDPOINT '{place}', URL_STYLE 'path', USE_SSL false)"
    )
    return con


def main() -> None:
    task, bucket, *files = sys.argv[1:]
    con = connected()
    if task == "write":
        rows = 0
        for number, file in enumerate(files):
            done = con.execute(f"COPY (SELECT * FROM '{file}') TO 's3://{bucket}/out/duckdb/{number}.parquet' (FORMAT parquet)")
            rows += done.fetchall()[0][0]
        print(rows)
        return
    wanted = {"read": ("*", "in/*.parquet"), "two columns": ("id, price", "in/*.parquet"), "small files": ("*", "small/*.csv")}
    columns, place = wanted[task]
    con.execute(f"CREATE TABLE t AS SELECT {columns} FROM 's3://{bucket}/{place}'")
    print(con.execute("SELECT count(*) FROM t").fetchall()[0][0])


main()
