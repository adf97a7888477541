"""500 short runs through 3 workers while PostgreSQL, which holds their state, is stopped at once and restarted every few seconds.

python -m bench.faults.postgres [--runs 500] [--trouble restarts|terminations|crowds]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.measure import keep, table
from tests.faults import test_postgres_state as troubles
from tests.integration.postgres_server import PostgresServer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--trouble", choices=("restarts", "terminations", "crowds"), default="restarts")
    options = parser.parse_args()
    server = PostgresServer().start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            trouble = getattr(troubles, options.trouble)
            took = troubles.go_through(server, trouble, Path(folder) / "project", options.runs, patience=3600)
    finally:
        server.remove()
    rows = [[options.trouble, str(options.runs), str(options.runs), f"{took:.0f} s"]]
    keep(f"postgres-{options.trouble}", {"took": took}, table(["trouble", "runs", "ended once, and well", "took"], rows))


if __name__ == "__main__":
    main()
