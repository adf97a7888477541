"""Messages as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of, told

from headrace.business.model.schema import Schema
from headrace.errors import NonRetryableError
from headrace.infrastructure.formats.message_formats import message_format

NOTHING = Schema()


def test_a_message_is_a_value() -> None:
    decoded = reader_of("bytes", NOTHING).read(as_messages([b"a", b"\xff\x00", b""]))
    assert decoded.rows.to_pylist() == [{"body": b"a"}, {"body": b"\xff\x00"}, {"body": b""}]


def test_text_has_to_be_text() -> None:
    decoded = reader_of({"bytes": {"column": "line", "type": "string"}}, NOTHING).read(
        as_messages([b"\xc3\xa4", b"\xff", None])
    )
    assert decoded.rows.to_pylist() == [{"line": "ä"}]
    assert told(decoded) == [(1, "utf8.invalid"), (2, "message.without_body")]


def test_what_is_written_is_the_value() -> None:
    format_ = message_format({"bytes": "line"})
    schema = format_.scan(NOTHING, None).schema
    assert format_.writer(schema, None).write(pa.RecordBatch.from_pydict({"line": [b"a", None]})).to_pylist() == [b"a", None]


def test_there_is_one_column() -> None:
    with pytest.raises(NonRetryableError, match="the contract declares `b`"):
        reader_of({"bytes": "a"}, ["a", "b"])
    with pytest.raises(NonRetryableError, match="writes one column"):
        message_format("bytes").writer(Schema(), None)
