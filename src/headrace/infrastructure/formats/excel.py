"""Excel and OpenDocument workbooks, read by Calamine. Their cells have types of their own, so all columns come as text to be cast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.model.part import Model
from headrace.business.model.schema import Column, Schema, did_you_mean
from headrace.business.model.types import String
from headrace.business.ports import ArrowFileScan, InputFile
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.infrastructure.formats.delimited_head import unique_names

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 10_000


class Excel(Model):
    """Excel (xlsx, xlsb, xls) and OpenDocument (ods) workbooks."""

    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

    sheet: str | Annotated[int, Field(ge=1)] = Field(1, description="The sheet, by its name or its number from 1 on")
    header: bool = Field(True, description="Whether the first row holds the column names")
    skip: Annotated[int, Field(ge=0)] = Field(0, description="How many rows at the start to skip")
    columns: tuple[str, ...] = Field((), description="The column names, when there is no header")

    def scan(self, files: Sequence[InputFile]) -> ArrowFileScan:
        needs_pyarrow("Excel files", "excel", "python_calamine")
        names: dict[str, None] = {}
        notes: dict[str, None] = {}
        for file in files:
            found, renamed = self._names(self._rows(file.path), file.path)
            names |= dict.fromkeys(found)
            notes |= dict.fromkeys(renamed)
        columns = tuple(names)

        def opened(file: InputFile) -> Iterator[pa.RecordBatch]:
            return self._batches(file.path, columns)

        return ArrowFileScan(
            Schema(tuple(Column(n, String()) for n in columns)), tuple(files), open=opened, all_text=True, notes=tuple(notes)
        )

    def _rows(self, path: str) -> Iterator[list[Any]]:
        """The rows from the header on."""
        import python_calamine

        try:
            with python_calamine.CalamineWorkbook.from_path(path) as book:
                sheet = book.get_sheet_by_name(self._sheet_name(book.sheet_names, path))
                yield from sheet.to_python(skip_empty_area=False)[self.skip :]
        except python_calamine.CalamineError as error:
            raise NonRetryableError(
                f"`{path}` cannot be read as a workbook: {error}", hint="see that it is whole and not protected by a password"
            ) from error

    def _sheet_name(self, names: Sequence[str], path: str) -> str:
        if isinstance(self.sheet, str):
            if self.sheet not in names:
                raise NonRetryableError(f"`{path}` has no sheet `{self.sheet}`", hint=did_you_mean(self.sheet, names))
            return self.sheet
        if self.sheet > len(names):
            raise NonRetryableError(
                f"`{path}` has {len(names)} sheets, no number {self.sheet}", hint=f"they are: {', '.join(names)}"
            )
        return names[self.sheet - 1]

    def _names(self, rows: Iterator[list[Any]], path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        first = next(rows, None)
        if first is None:
            raise NonRetryableError(f"`{path}` has no rows in its sheet", hint="name another `sheet`, or a smaller `skip`")
        if self.header:
            return unique_names([str(as_text(cell) or "").strip() for cell in first])
        return unique_names(self.columns or [f"column_{i}" for i in range(1, len(first) + 1)])

    def _batches(self, path: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        rows = self._rows(path)
        own, _ = self._names(self._rows(path), path)
        if self.header:
            next(rows, None)
        places = [own.index(name) if name in own else len(own) for name in columns]
        schema = pa.schema([pa.field(name, pa.string()) for name in columns])
        batch: list[list[str | None]] = []
        for row in rows:
            texts = [as_text(cell) for cell in row]
            if not any(text is not None for text in texts):
                continue
            batch.append([texts[place] if place < len(texts) else None for place in places])
            if len(batch) == _BATCH_ROWS:
                yield _as_batch(batch, schema)
                batch = []
        if batch:
            yield _as_batch(batch, schema)


def _as_batch(rows: list[list[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=schema)


def as_text(cell: Any) -> str | None:
    """A cell as it would be written in a CSV file. Workbooks know only floating point numbers: a whole one has no point."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell.total_seconds())
        case _:
            return str(cell)
