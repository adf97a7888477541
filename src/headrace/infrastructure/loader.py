"""Reads definitions: the door to `infrastructure.loading`. Not what a definition comes to (see `business.processing.plan`).

    loaded = load(Path("pipeline.yaml"), params={"day": "2013-01-01"}, catalog=Catalog())

All problems are found at once and raised as one `DefinitionError`, each with its file, line and column. `loaded.places` gives
later problems their places (see `locate`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from headrace.business.model.definition import Definition, Loaded
from headrace.business.model.references import plain
from headrace.errors import DefinitionError, Location
from headrace.errors import Path as Place
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loading.assembly import Surroundings, assemble
from headrace.infrastructure.loading.connections import Connections, with_connections
from headrace.infrastructure.loading.contracts import OpenContract
from headrace.infrastructure.loading.places import CallPlaces, Places, Whereabouts, locate
from headrace.infrastructure.loading.reading import read_document, read_text
from headrace.security.secrets import Vault

__all__ = ["build", "definition_schema", "load", "load_text", "locate", "to_yaml"]


def load(
    file: Path,
    *,
    catalog: Catalog,
    params: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    stand_ins: bool = False,
) -> Loaded:
    """The definition in a file. Raises `UsageError` if there is no such file, `DefinitionError` if there is anything wrong with it.

    `stand_ins` gives required parameters that have no value one of their type, for those who only look.
    """
    return load_text(
        read_text(file),
        str(file),
        file=file,
        project=file.parent,
        catalog=catalog,
        params=params,
        env=env,
        stand_ins=stand_ins,
    )


def load_text(
    text: str,
    name: str = "pipeline.yaml",
    *,
    catalog: Catalog,
    project: Path = Path(),
    file: Path | None = None,
    params: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    stand_ins: bool = False,
) -> Loaded:
    """The definition in a text. `name` stands in messages, `project` is the folder that relative paths are meant from."""
    document = read_document(text, name)
    around = _surroundings(catalog, project, params, env, stand_ins)
    made = assemble(document.data, document.written, document.places, around)
    problems = locate([*document.problems, *made.problems], document.places)
    if problems or made.definition is None:
        raise DefinitionError(problems)
    return Loaded(
        definition=made.definition,
        file=file,
        project=project,
        params=made.params,
        document=document.data,
        places=document.places,
    )


def build(
    document: Mapping[str, Any],
    calls: Mapping[Place, Location],
    *,
    catalog: Catalog,
    project: Path = Path(),
    params: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Loaded:
    """The definition that calls have put together as plain data. `calls` says which line made which part."""
    places: Whereabouts = CallPlaces(calls)
    made = assemble(document, dict(_texts(document, ())), Places(""), _surroundings(catalog, project, params, env, False))
    if made.problems or made.definition is None:
        raise DefinitionError(locate(made.problems, places))
    return Loaded(definition=made.definition, project=project, params=made.params, document=document, places=places)


def _texts(value: Any, path: Place) -> Iterator[tuple[Place, str]]:
    """The numbers and booleans of a document as the texts that YAML would have, for options that want text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _texts(item, (*path, n))
    elif isinstance(value, bool | int | float):
        yield path, plain(value)


def definition_schema(catalog: Catalog) -> dict[str, Any]:
    """The JSON Schema of definitions (Draft 2020-12), with every plugin of the catalog."""
    from headrace.infrastructure.loading.json_schema import definition_schema as schema_of

    return schema_of(catalog)


def to_yaml(definition: Definition) -> str:
    """The YAML of a definition, which loads as the same. Raises `UsageError` when a secret in it is no reference."""
    from headrace.infrastructure.loading.writing import to_yaml as written

    return written(definition)


def _surroundings(
    catalog: Catalog,
    project: Path,
    params: Mapping[str, Any] | None,
    env: Mapping[str, str] | None,
    stand_ins: bool,
) -> Surroundings:
    variables = os.environ if env is None else env
    profiles = partial(with_connections, connections=Connections(project, catalog, variables))
    vault = Vault.of(project, variables)
    return Surroundings(catalog, project, params or {}, variables, vault, _open_contract, profiles, stand_ins)


def _open_contract(document: Any, name: str | None) -> OpenContract:
    from headrace.infrastructure.odcs.reading import read_odcs

    return read_odcs(document, name)
