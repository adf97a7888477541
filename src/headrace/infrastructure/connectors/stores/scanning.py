"""Looks at files of a store as a source does at those of this machine: what their columns are, and how they will be fetched.

Of delimited text and Avro the starts are fetched to look at, of Parquet the footers, of Arrow whichever tells its columns; of any other
format everything, because its columns may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.business.ports import FileScan, Scan
from headrace.errors import HeadraceError, NonRetryableError
from headrace.infrastructure.connectors.file_formats import FormatName, format_of
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.copies import Copies, Copy
from headrace.infrastructure.connectors.stores.fetched import FetchedFolder
from headrace.infrastructure.connectors.stores.listing import meant
from headrace.infrastructure.connectors.stores.store import Store, Stored
from headrace.infrastructure.formats import arrow, avro, parquet_ranges
from headrace.infrastructure.formats.opening import Compression, found_compression, found_encoding, is_utf8
from headrace.infrastructure.formats.packed_heads import packed_head

#: Of the first files so much is looked at, to guess the types of columns; of the others what their headers may need.
_SAMPLE, _SAMPLED, _HEAD = 2 << 20, 20, 256 << 10
#: So long is nearly every footer.
_FOOTER = 64 << 10
#: So long is nearly every header of Avro, and nearly every schema before a stream of Arrow.
_HEADER = 64 << 10
#: So many files are planned.
MOST_FILES = 200_000


def listed(store: Store, addresses: Sequence[Address]) -> list[Stored]:
    """The files that addresses mean, each once."""
    found = {file.key: file for address in addresses for file in meant(store, address)}
    if len(found) > MOST_FILES:
        raise NonRetryableError(
            f"`{addresses[0]}` and what else is named are {len(found):,} files, and at most {MOST_FILES:,} can be read at once",
            hint="write a narrower pattern, such as one for each day, or join small files first",
        )
    return list(found.values())


def scan(
    store: Store,
    files: Sequence[Stored],
    addresses: Sequence[Address],
    project: Path,
    form: FormatName,
    options: Mapping[str, Any],
) -> Scan:
    """What the files are, each as an `InputFile` whose path is that of its copy."""
    model = format_of(form, options)
    folder = FetchedFolder(project)
    columns = parquet_ranges.of_columns if form == "parquet" else None
    copies = Copies(store, folder.path, files, addresses[0].of, columns, folder)
    _look(copies, form, options)
    try:
        found = model.scan(copies.files)
    except HeadraceError as error:
        raise type(error)(copies.named(error.message), hint=error.hint) from error
    return replace(found, fetch=copies) if isinstance(found, FileScan) else found


def _look(copies: Copies, form: FormatName, options: Mapping[str, Any]) -> None:
    if form == "parquet":
        copies.bring({copy: parquet_ranges.ends(copy.stored.bytes, _FOOTER) for copy in copies.all})
        copies.bring({copy: [parquet_ranges.footer(copy.path, copy.stored.bytes)] for copy in copies.all})
    elif form == "avro":
        copies.starts(_HEADER)
        copies.bring({copy: copy.whole for copy in copies.all if not avro.begins(str(copy.path))})
    elif form == "arrow":
        copies.starts(_HEADER)
        files = {copy for copy in copies.all if arrow.has_footer(str(copy.path))}
        copies.bring({copy: copy.whole for copy in copies.all if copy not in files and not arrow.begins(str(copy.path))})
        copies.bring({copy: parquet_ranges.ends(copy.stored.bytes, _FOOTER) for copy in files})
        copies.bring({copy: [arrow.footer(str(copy.path), copy.stored.bytes)] for copy in files})
    elif form in ("csv", "tsv") and _is_utf8(options):
        copies.heads(lambda number: _SAMPLE if number < _SAMPLED else _HEAD)
        copies.bring({copy: copy.whole for copy in copies.all if not _can_stand_alone(copy, options.get("compression"))})
    else:
        copies.bring({copy: copy.whole for copy in copies.all})


def _is_utf8(options: Mapping[str, Any]) -> bool:
    encoding = options.get("encoding")
    return encoding is None or is_utf8(encoding)


def _can_stand_alone(copy: Copy, compression: Compression | None) -> bool:
    """Whether what is here of a text can be looked at without the rest: not when it is no text of single bytes. A packed one is packed
    anew, as far as it goes."""
    if copy.here == copy.whole:
        return True
    with copy.path.open("rb") as file:
        kind = compression or found_compression(file)
        start = file.read()
    if kind == "none":
        marked = found_encoding(start[:4])
        return marked is None or is_utf8(marked)
    head = packed_head(start, kind)
    if head is not None:
        copy.stand_in(head)
    return head is not None
