"""Messages behind the number of their schema: each schema is asked for once, and what is wrong with one message is told of it alone."""

from __future__ import annotations

import io
import json
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
import trustme
from tests.integration.registry_server import Schemas, registry
from tests.unit.infrastructure.formats.messages.messages import as_messages, reader_of, told

from headrace.business.connections import Profile
from headrace.business.model.schema import Schema
from headrace.business.model.types import parse_type
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.formats.message_formats import message_format
from headrace.infrastructure.formats.messages.registry_connection import RegistryConnection
from headrace.security.secrets import Secret, Vault

FIRST = {"type": "record", "name": "E", "fields": [{"name": "id", "type": "int"}]}
SECOND = {"type": "record", "name": "E", "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]}
DECLARED = Schema.of(id=parse_type("int64"), name=parse_type("string"))


@pytest.fixture
def schemas() -> Schemas:
    return Schemas()


@pytest.fixture
def profile(schemas: Schemas) -> Iterator[Profile[RegistryConnection]]:
    with registry(schemas) as url:
        yield Profile("schemas", RegistryConnection(url=url, timeout_seconds=20))


def framed(number: int, schema: Any, row: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), row)
    return b"\0" + struct.pack(">I", number) + out.getvalue()


def test_messages_of_several_schemas_are_read_together(schemas: Schemas, profile: Profile[RegistryConnection]) -> None:
    first, second = schemas.add("e-value", FIRST), schemas.add("e-value", SECOND)
    other = schemas.add("other-value", {"type": "object"}, "JSON")
    odd = schemas.add("odd-value", '"string"')
    bodies = [
        framed(first, FIRST, {"id": 1}), framed(second, SECOND, {"id": 2, "name": "x"}), framed(99, FIRST, {"id": 3}), b"nonsense", b"\0\0",
        framed(first, FIRST, {"id": 4}), framed(other, FIRST, {"id": 5}), framed(odd, FIRST, {"id": 5}), framed(second, SECOND, {"id": 6, "name": "y"})[:-1],
    ]  # fmt: skip
    reader = reader_of({"avro": {"registry": profile}}, DECLARED)
    for _ in range(2):
        decoded = reader.read(as_messages(bodies))
        assert decoded.rows.to_pylist() == [{"id": 1, "name": None}, {"id": 2, "name": "x"}, {"id": 4, "name": None}]
        assert decoded.origins == pa.array([0, 1, 5], pa.int32())
        assert told(decoded) == [
            (2, "registry.unknown_id"), (3, "registry.no_id"), (4, "registry.no_id"), (6, "registry.other_type"), (7, "avro.schema"),
            (8, "avro.invalid"),
        ]  # fmt: skip
    assert sorted(schemas.asked) == sorted(f"GET /schemas/ids/{number}" for number in (first, second, 99, other, odd))


def test_a_writers_schema_is_resolved_to_ours(schemas: Schemas, profile: Profile[RegistryConnection], tmp_path: Path) -> None:
    ours = {"type": "record", "name": "E", "fields": [{"name": "key", "aliases": ["id"], "type": "long"}, {"name": "name", "type": "string", "default": "-"}]}  # fmt: skip
    (tmp_path / "ours.avsc").write_text(json.dumps(ours))
    first, second = schemas.add("e-value", FIRST), schemas.add("e-value", SECOND)
    reader = reader_of({"avro": {"registry": profile, "schema": "ours.avsc"}}, Schema(), tmp_path)
    decoded = reader.read(as_messages([framed(first, FIRST, {"id": 1}), framed(second, SECOND, {"id": 2, "name": "x"})]))
    assert decoded.rows.to_pylist() == [{"key": 1, "name": "-"}, {"key": 2, "name": "x"}]


def test_a_schema_may_refer_to_another(schemas: Schemas, profile: Profile[RegistryConnection]) -> None:
    schemas.add("place", {"type": "record", "name": "Place", "fields": [{"name": "town", "type": "string"}]})
    outer = {"type": "record", "name": "E", "fields": [{"name": "where", "type": "Place"}]}
    number = schemas.add("e-value", outer, references=[{"name": "Place", "subject": "place", "version": 1}])
    reader = reader_of({"avro": {"registry": profile}}, Schema.of(where=parse_type("struct<town: string>")))
    lost = schemas.add("l-value", outer, references=[{"name": "Place", "subject": "gone", "version": 1}])
    decoded = reader.read(as_messages([b"\0" + struct.pack(">I", n) + b"\x04NY" for n in (number, lost)]))
    assert decoded.rows.to_pylist() == [{"where": {"town": "NY"}}]
    assert told(decoded) == [(1, "registry.unknown_id")]


def test_a_registry_that_is_away_may_be_asked_again(schemas: Schemas, profile: Profile[RegistryConnection]) -> None:
    number = schemas.add("e-value", FIRST)
    reader = reader_of({"avro": {"registry": profile}}, DECLARED)
    schemas.away = True
    with pytest.raises(RetryableError, match="answers 503"):
        reader.read(as_messages([framed(number, FIRST, {"id": 1})]))
    schemas.away = False
    assert reader.read(as_messages([framed(number, FIRST, {"id": 1})])).rows.num_rows == 1


def test_nobody_there_and_nobody_let_in() -> None:
    schemas = Schemas(user=("app", "right"))
    with registry(schemas) as url:
        right, wrong = (
            Secret(f"${{secret:env/{name}}}", Vault.of(Path(), {"RIGHT": "right", "WRONG": "wrong"}))
            for name in ("RIGHT", "WRONG")
        )
        assert RegistryConnection(url=url, user="app", password=right).reach(Path()).user == "app"
        with pytest.raises(NonRetryableError, match=r"does not let us in \(401\)"):
            RegistryConnection(url=url, user="app", password=wrong).reach(Path())
    with pytest.raises(RetryableError, match="cannot be reached"):
        RegistryConnection(url=url).reach(Path())
    for odd in ("ftp://x", "https://user:pw@host", "host:8081"):
        with pytest.raises(ValueError, match="`url`"):
            RegistryConnection(url=odd)


def test_certificates_are_verified(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with registry(Schemas(), context) as url:
        answer = RegistryConnection(url=url, ca="ca.pem").reach(tmp_path)
        assert answer.verified
        with pytest.raises(NonRetryableError, match="its certificate cannot be trusted"):
            RegistryConnection(url=url).reach(tmp_path)
        with pytest.raises(NonRetryableError, match=r"the certificates in `none\.pem` cannot be read"):
            RegistryConnection(url=url, ca="none.pem").reach(tmp_path)


def test_what_is_written_is_registered_and_read(schemas: Schemas, profile: Profile[RegistryConnection]) -> None:
    rows = pa.RecordBatch.from_pydict({"id": [1, 2], "name": ["x", None]})
    options = {"registry": profile, "subject": "out/value"}
    bodies = message_format({"avro": options}).writer(DECLARED, Path()).write(rows)
    assert list(schemas.subjects) == ["out/value"]
    assert reader_of({"avro": options}, DECLARED).read(as_messages(bodies.to_pylist())).rows == rows
    with pytest.raises(NonRetryableError, match="needs a `subject`"):
        message_format({"avro": {"registry": profile}}).writer(DECLARED, Path())


def test_json_has_schemas_too(schemas: Schemas, profile: Profile[RegistryConnection], tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"type": "object"}')
    options = {"registry": profile, "subject": "j-value", "schema": "event.json"}
    rows = pa.RecordBatch.from_pydict({"id": [1, 2], "name": ["x", None]})
    bodies = message_format({"json": options}).writer(DECLARED, tmp_path).write(rows).to_pylist()
    assert bodies[0].startswith(b"\0\0\0\0\x01{")
    number = schemas.add("a-value", FIRST)
    decoded = reader_of({"json": options}, DECLARED).read(
        as_messages([*bodies, b'{"id": 3}', framed(number, FIRST, {"id": 1}), None])
    )
    assert decoded.rows.to_pylist() == [{"id": "1", "name": "x"}, {"id": "2", "name": None}]
    assert told(decoded) == [(2, "registry.no_id"), (3, "registry.other_type"), (4, "message.without_body")]
    (tmp_path / "event.json").write_text('{"wrong": true}')
    with pytest.raises(NonRetryableError, match=r"refuses \(409\): Schema being registered is incompatible"):
        message_format({"json": options}).writer(DECLARED, tmp_path)
