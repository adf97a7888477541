"""Keeps messages that could not be read, whole: a Parquet file for each epoch, in a folder for each source of a stream."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.streams.messages import DeadLetter
from headrace.errors import NonRetryableError

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetDeadLetters:
    """See the port `DeadLetters`. Any tool that reads Parquet can look at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, epoch: int, letters: Sequence[DeadLetter]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._path(epoch)
        if not letters:
            path.unlink(missing_ok=True)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = {field.name: [getattr(letter, field.name) for letter in letters] for field in fields(DeadLetter)}
        rows["headers"] = [list(headers.items()) for headers in rows["headers"]]
        part = path.with_name(f".{path.name}.part")
        with part.open("wb") as file:
            pq.write_table(pa.table(rows, schema=_schema()), file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _make_durable(self.folder)

    def let_go(self, epoch: int) -> None:
        for later in self.epochs():
            if later > epoch:
                self.remove(later)

    def epochs(self) -> Sequence[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.parquet") if path.stem.isdigit())

    def read(self, epoch: int) -> Sequence[DeadLetter]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._path(epoch)
        if not path.exists():
            return ()
        try:
            rows = pq.read_table(path, schema=_schema()).to_pylist()
        except pa.ArrowException as error:
            raise NonRetryableError(
                f"the dead letters in `{path}` cannot be read: {str(error).partition(chr(10))[0]}",
                hint="restore the file from a backup, or remove it",
            ) from error
        return [_letter(row) for row in rows]

    def remove(self, epoch: int) -> None:
        self._path(epoch).unlink(missing_ok=True)

    def _path(self, epoch: int) -> Path:
        return self.folder / f"{epoch}.parquet"


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        {
            "partition": pa.string(), "position": pa.string(), "reason": pa.string(), "detail": pa.string(), "payload": pa.binary(),
            "key": pa.binary(), "headers": pa.map_(pa.string(), pa.binary()), "published_at": pa.timestamp("us", "UTC"),
        }
    )  # fmt: skip


def _letter(row: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(**{**row, "headers": dict(row["headers"])})


def _make_durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
