"""Keeps the rows that a stream holds back, in the form that batches leave: a Parquet file for each epoch. Not who reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.business.engine import QuarantineTarget
from headrace.business.processing.plan import PlannedSource
from headrace.infrastructure.duckdb_lending import lent
from headrace.infrastructure.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa


def hold(source: PlannedSource, target: QuarantineTarget, epoch: int, held: Sequence[tuple[str, pa.Table]]) -> None:
    """Write the rows of an epoch, each table with its partition, in place of what an interrupted attempt has left. A row is known by
    its message and its place among those held back of it, so it has the same id whenever it comes again."""
    import pyarrow as pa

    tables = [rows.append_column("partition", pa.repeat(partition, rows.num_rows)) for partition, rows in held]
    versions = {rule.name: rule.version for rule in source.contract.everything}
    path = target.path / f"{epoch}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    given = {
        "stream": f"{target.pipeline}/{source.name}/", "run": target.run_id, "pipeline": target.pipeline, "dataset": source.name,
        "origin": source.origin, "rules": list(versions), "versions": list(versions.values()),
    }  # fmt: skip
    with lent() as con:
        con.register("held", pa.concat_tables(tables))
        con.execute(f"CREATE TEMP TABLE kept AS {_SELECT}", given)
        con.execute(f"COPY kept TO {_text(part)} (FORMAT parquet)")
    part.replace(path)


_SELECT = f"""
SELECT sha256($stream || partition || '/' || position || '/' || nth) AS id, $run AS run_id, $pipeline AS pipeline,
       $dataset AS dataset, $origin || ' ' || partition AS file, TRY_CAST(position AS BIGINT) AS record, reasons,
       list_transform(reasons, lambda r: map($rules::VARCHAR[], $versions::VARCHAR[])[r]) AS versions, raw,
       NULL::VARCHAR AS text, 'position ' || position AS note
FROM (SELECT *, row_number() OVER (PARTITION BY partition, position) AS nth FROM held)
WHERE {quoted("action")} IN ('quarantine', 'fail') ORDER BY partition, record, position"""


def let_go(quarantine: Path, epoch: int) -> None:
    """Remove the files of epochs behind this one, whichever run has left them below the folder of a source."""
    for path in quarantine.glob("*.parquet/*.parquet"):
        if int(path.stem) > epoch:
            path.unlink()


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
