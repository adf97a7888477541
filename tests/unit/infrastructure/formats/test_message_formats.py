"""Formats of messages as definitions name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.business.connections import Profile
from headrace.errors import DefinitionError
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loader import Loaded, load_text, to_yaml

PIPELINE = """version: 1
pipeline: events
sources:
  events:
    tail: {path: events.log, format: %s}
    contract: {columns: {id: int64}}
sinks:
  - file: out/
"""


def loaded(project: Path, written: str) -> Loaded:
    (project / "headrace.toml").write_text('[connections.schemas]\nkind = "registry"\nurl = "http://127.0.0.1:1"\n')
    return load_text(PIPELINE % written, catalog=Catalog(), project=project, env={})


@pytest.mark.parametrize(
    "written", ["json", "{csv: {columns: [a, b]}}", "{bytes: {column: line}}", "{avro: {registry: schemas}}"]
)
def test_a_format_is_written_back_as_it_was_read(tmp_path: Path, written: str) -> None:
    first = loaded(tmp_path, written).definition
    again = load_text(to_yaml(first), catalog=Catalog(), project=tmp_path, env={}).definition
    assert again == first


def test_a_format_names_a_connection(tmp_path: Path) -> None:
    plugin = loaded(tmp_path, "{avro: {registry: schemas, schema: e.avsc}}").definition.sources["events"].plugin
    assert isinstance(plugin.format.registry, Profile)  # type: ignore[attr-defined]
    assert plugin.format.registry.connection.url == "http://127.0.0.1:1"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("jsn", "5:38: there is no format `jsn` for messages; did you mean `json`?"),
        ("{avro: {registry: others}}", "5:56: there is no connection `others`"),
        ("{avro: {registri: schemas}}", "5:38: `registri` means nothing for the format avro; did you mean `registry`?"),
        ("{csv: {delimiter: long}}", "5:38: `delimiter` of the format csv: write one ASCII character, or `tab`"),
        ("avro", "5:38: avro: nothing says which schema the records have"),
        ("{json: {}, csv: {}}", "5:38: there is no format"),
        ("[json]", "5:38: there is no format"),
    ],
)
def test_what_is_wrong_with_a_format_is_told(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        loaded(tmp_path, written)
    assert f"pipeline.yaml:{said}" in str(caught.value)
