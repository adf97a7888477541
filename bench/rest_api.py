"""Reading an API: Headrace's sources `http` and `dlt`, a loop over requests, and dlt itself, each from 1,000 records a page to Parquet.

    python bench/rest_api.py [--pages 200] [--rounds 3]

Each is a process of its own, in turn, against one server on this machine that answers from memory. What counts is CPU time, without the
server's. Headrace judges every record by a contract on the way; the others write what comes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socketserver
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq

from measure import BENCH, DATA, HEADRACE, PYTHON, Cost, keep, measure, surroundings, table

RECORDS = 1_000
COLUMNS = ("id", "name", "amount", "placed_at", "paid", "address")

PIPELINE = """\
version: 1
pipeline: api
sources:
  orders:
    {source}
    contract:
      columns:
        id: {{type: int64, required: true, at_least: 0}}
        name: {{type: string, required: true}}
        amount: {{type: 'decimal(10, 2)', at_least: 0}}
        placed_at: {{type: timestamp, required: true}}
        paid: {{type: boolean}}
        address: {{type: json}}
sinks:
  - file: {{path: out/, format: parquet}}
"""

HTTP = "http: {{url: '{url}', records: data.items, columns: [{columns}], pages: {{number: {{total: meta.total, parallel: {parallel}}}}}}}"

DLT = (
    "dlt: {{source: 'dlt.sources.rest_api:rest_api_source', columns: [{columns}], args: {{config: {{client: {{base_url: '{base}', "
    "paginator: {{type: page_number, base_page: 1, total_path: meta.pages}}}}, "
    "resources: [{{name: orders, endpoint: {{path: orders, data_selector: data.items}}}}]}}}}}}"
)

LOOP = """
import sys
import pyarrow as pa, pyarrow.parquet as pq, requests

session, page, writer = requests.Session(), 1, None
while True:
    answer = session.get(sys.argv[1], params={"page": page}, timeout=60)
    answer.raise_for_status()
    rows = answer.json()["data"]["items"]
    if not rows:
        break
    table = pa.Table.from_pylist(rows)
    writer = writer or pq.ParquetWriter(sys.argv[2], table.schema)
    writer.write_table(table)
    page += 1
writer.close()
"""

PEER = """
import sys
import dlt
from dlt.sources.rest_api import rest_api_source

source = rest_api_source({
    "client": {"base_url": sys.argv[1].removesuffix("orders"), "paginator": {"type": "page_number", "base_page": 1, "total_path": "meta.pages"}},
    "resources": [{"name": "orders", "endpoint": {"path": "orders", "data_selector": "data.items"}, "max_table_nesting": 0}],
})
destination = dlt.destinations.filesystem(sys.argv[2])
dlt.pipeline("bench", pipelines_dir=sys.argv[2] + "/state", destination=destination).run(source, loader_file_format="parquet")
"""


def record(number: int) -> dict[str, object]:
    return {
        "id": number, "name": f"customer {number % 977}", "amount": f"{number % 9999}.{number % 100:02}",
        "placed_at": f"2026-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00", "paid": number % 3 == 0,
        "address": {"street": f"{number % 300} High Street", "city": "York", "lines": [number % 7, number % 11]},
    }  # fmt: skip


def serve(pages: int) -> None:
    """Print the port, and answer until the process is ended."""
    bodies = [body(pages, page) for page in range(pages + 1)]

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while line := self.rfile.readline():
                while self.rfile.readline() not in (b"\r\n", b""):
                    continue
                query = parse_qs(urlsplit(line.split()[1].decode()).query)
                found = bodies[min(int(query.get("page", ["1"])[0]) - 1, pages)]
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(found)}\r\n\r\n"
                self.wfile.write(head.encode() + found)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def body(pages: int, page: int) -> bytes:
    items = [record(n) for n in range(page * RECORDS, (page + 1) * RECORDS)] if page < pages else []
    return json.dumps({"data": {"items": items}, "meta": {"total": pages * RECORDS, "pages": pages}}).encode()


def headrace(folder: Path, source: str) -> Cost:
    (folder / "pipeline.yaml").write_text(PIPELINE.format(source=source))
    return measure([HEADRACE, "run", "-q"], cwd=folder)


def contestants(url: str, folder: Path, rows: int) -> dict[str, Cost]:
    """One round: a fresh folder for each, whose Parquet files have all rows in the end."""
    options = {"url": url, "base": url.removesuffix("orders"), "columns": ", ".join(COLUMNS)}
    ways = {
        "Headrace, http": lambda at: headrace(at, HTTP.format(parallel=4, **options)),
        "Headrace, http, one page at a time": lambda at: headrace(at, HTTP.format(parallel=1, **options)),
        "Headrace, dlt": lambda at: headrace(at, DLT.format(**options)),
        "requests, json, pyarrow": lambda at: measure([PYTHON, "-c", LOOP, url, at / "rows.parquet"]),
        "dlt": lambda at: measure([PYTHON, "-c", PEER, url, at], env={"RUNTIME__DLTHUB_TELEMETRY": "false"}),
    }
    costs = {}
    for name, way in ways.items():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        costs[name] = way(folder)
        files = [f for f in folder.rglob("*.parquet") if "_dlt" not in str(f.relative_to(folder)) and "state" not in f.parts]
        if (found := sum(pq.read_metadata(f).num_rows for f in files)) != rows:
            raise SystemExit(f"{name}: {found:,} rows of {rows:,} arrived")
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true")
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.pages)
        return
    command = [str(PYTHON), str(BENCH / "rest_api.py"), "--serve", "--pages", str(chosen.pages)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings())
    try:
        port = (server.stdout.readline() if server.stdout else "").strip()
        rounds = [
            contestants(f"http://127.0.0.1:{port}/orders", DATA / "rest", chosen.pages * RECORDS) for _ in range(chosen.rounds)
        ]
    finally:
        server.terminate()
        server.wait()
    report(rounds, chosen.pages * RECORDS)


def report(rounds: list[dict[str, Cost]], rows: int) -> None:
    costs = {name: Cost.median([r[name] for r in rounds]) for name in rounds[0]}
    first = costs["Headrace, http"].cpu_seconds
    lines = [
        (name, f"{c.cpu_seconds:.2f}", f"{rows / c.cpu_seconds:,.0f}", f"{c.cpu_seconds / first:.2f}", f"{c.peak_mb:.0f}")
        for name, c in costs.items()
    ]
    header = (f"{rows:,} records", "CPU s", "rows per CPU s", "of Headrace's CPU", "peak MB")
    keep("rest_api", {"rounds": rounds}, table(header, lines))


if __name__ == "__main__":
    sys.exit(main())
