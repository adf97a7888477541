"""What the engine asks of a source that is being read, whatever its kind. Not how any kind is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class OpenScan(Protocol):
    """A source that is being read."""

    bytes_total: int

    @property
    def relation(self) -> str:
        """A parenthesised SELECT with exactly the columns of the scan and `_file`, an index into its files; rows in their order.

        A text scan gives every cell as it stands in the file: an empty one is NULL, a quoted empty one the empty text.
        """
        ...

    def load(self, build: Callable[[str], object], table: str, file_column: str = "_file") -> None:
        """Have `build` create `table` from the relation it is given, one row for each row of the relation, with `_file` under the
        name `file_column`. It is called again, after the table was dropped, when the engine's reading does not add up."""
        ...

    def rejected(self) -> str | None:
        """After `load`: the temporary table `file, record, text, reason, message` of what could not be read, if there is anything."""
        ...

    def record_numbers(self, ranks_table: str) -> str:
        """A SELECT of `file, rank, record` for a table of `file, rank`: which record of its file, counted from 1 and with the
        rejected ones, the row is that stands at `rank` among the accepted rows of the file, counted from 0."""
        ...

    def placed(self, held: str) -> Sequence[str] | None:
        """Of a table with the columns `file` and `record` of rows from here: set both to where people find the records, if that is not in
        the files of the scan. What `file` counts then, from 0; None when nothing was set."""
        ...

    def close(self) -> None: ...
