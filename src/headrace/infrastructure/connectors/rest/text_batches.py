"""Records of JSON as Arrow batches of text, for whoever takes rows from a source itself. Engines read them otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from headrace.business.ports import Batch, Position
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.rest.turning import Turned
from headrace.infrastructure.formats.json_records import Unreadable, members


def text_batches(pages: Iterable[Turned], keys: Sequence[str], names: Sequence[str], skip: int) -> Iterator[Batch]:
    """A batch for each page, behind the first `skip` records. Raises `NonRetryableError` for what is no object: nobody holds it back."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in names])
    seen = 0
    for page in pages:
        left = page.records[max(0, skip - seen) :]
        seen += len(page.records)
        if not left:
            continue
        try:
            rows = [members(record.encode()) for record in left]
        except Unreadable as error:
            raise NonRetryableError(
                f"{page.label}: a record is {error}", hint="run a pipeline to hold such records back"
            ) from None
        columns = [pa.array([row.get(key) for row in rows], pa.string()) for key in keys]
        yield Batch(pa.RecordBatch.from_arrays(columns, schema=schema), Position(str(seen)))
