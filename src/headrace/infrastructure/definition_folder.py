"""Finds the definitions in a folder, the broken ones too. Not what is done with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from headrace.business.model.definition import Loaded
from headrace.errors import DefinitionError
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loader import load

_PIPELINE = re.compile(rb"^[\"']?pipeline[\"']?[ \t]*:", re.MULTILINE)


def definitions_in(folder: Path, catalog: Catalog) -> Iterator[tuple[Path, Loaded | DefinitionError]]:
    """Every YAML file below the folder that names a pipeline, with what it comes to or what is wrong with it. Folders whose name
    begins with a dot are left out. Required parameters get a value of their type: nobody is about to run anything."""
    for file in sorted(folder.rglob("*.y*ml")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if hidden or file.suffix not in (".yaml", ".yml") or not file.is_file() or not _PIPELINE.search(file.read_bytes()):
            continue
        try:
            yield file, load(file, catalog=catalog, stand_ins=True)
        except DefinitionError as error:
            yield file, error
