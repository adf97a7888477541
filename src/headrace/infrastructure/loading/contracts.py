"""The contract of a source: written inline or in a file of its own. Not what its rules mean (see `business.validation`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Protocol

from headrace.business.model.contract import ColumnContract, Contract, DatasetRule
from headrace.business.model.types import DataType, Enum, String, parse_type
from headrace.errors import DefinitionError, HeadraceError, Path, Problem
from headrace.infrastructure.loading.options import Options, with_value
from headrace.infrastructure.loading.places import Places, locate
from headrace.infrastructure.loading.reading import read_document, read_text
from headrace.infrastructure.loading.shapes import keys_of
from headrace.infrastructure.loading.substitution import Substitution


class OpenContract(Protocol):
    """What a foreign document promises: about rows in a contract, about the whole dataset in checks as definitions write them."""

    @property
    def contract(self) -> Contract: ...

    @property
    def checks(self) -> Sequence[Mapping[str, Any]]: ...


#: Reads a document of the Open Data Contract Standard, or the named object in it. Raises `DefinitionError` with paths through it.
ForeignContract = Callable[[Any, str | None], OpenContract]

_VALUES = ("in", "not_in", "between", "at_least", "at_most", "above", "below")


def read_contract(written: Any, path: Path, options: Options) -> Contract | None:
    """A contract written inline. What is wrong with it goes to the problems of `options`."""
    value = options.substitution.apply(written, path, sql=False)
    if isinstance(value, Mapping):
        found = {key: _without_misplaced(key, value[key], path, options) for key in ("columns", "rules") if key in value}
        if isinstance(columns := found.get("columns"), Mapping):
            found["columns"] = {name: _texts(column, (*path, "columns", name), options) for name, column in columns.items()}
        value = {**value, **found}
    return options.model(Contract, value, path)


def read_contract_file(
    written: str, path: Path, project: FilePath, options: Options, places: Places, foreign: ForeignContract
) -> tuple[Contract | None, Sequence[Mapping[str, Any]]]:
    """A contract in a file of its own, ours or of the Open Data Contract Standard, and the checks that this asks for.

    Its problems have places in that file. `file.yaml#orders` names one of several objects in the file.
    """
    name, _, wanted = written.partition("#")
    try:
        document = read_document(read_text(project / name), str(project / name))
    except DefinitionError as error:
        options.problems += error.problems
        return None, ()
    except HeadraceError as error:
        options.problems.append(Problem(error.message, path))
        return None, ()
    options.problems += document.problems
    places.mounted[path] = document.places
    if isinstance(document.data, Mapping) and "apiVersion" in document.data:
        try:
            found = foreign(document.data, wanted or None)
        except DefinitionError as error:
            options.problems += locate(error.problems, document.places)
            return None, ()
        return found.contract, found.checks
    same = options.substitution
    inner = Options(
        document.data, document.written, Substitution(same.params, same.declared, same.env, same.vault), options.catalog
    )
    contract = read_contract(document.data, (), inner)
    document.places.replaced = inner.substitution.replaced
    options.problems += locate([*inner.substitution.problems, *inner.problems], document.places)
    return contract, ()


def _without_misplaced(group: str, written: Any, path: Path, options: Options) -> Any:
    """The columns or rules without what is no such thing but a key of the contract, one level too deep."""
    if not isinstance(written, Mapping):
        return written
    own = keys_of(ColumnContract if group == "columns" else DatasetRule)
    kept = dict(written)
    for name, value in written.items():
        bare = isinstance(value, str) and (_type(value) is not None if group == "columns" else name != "on_violation")
        if name in keys_of(Contract) and not bare and not (isinstance(value, Mapping) and set(value) <= set(own)):
            message = f"`{name}` belongs to the contract and is not one of its {group}"
            options.problems.append(
                Problem(message, (*path, group, name), f"move it out of `{group}:`, beside it", on_key=True)
            )
            del kept[name]
    return kept


def _texts(column: Any, path: Path, options: Options) -> Any:
    """The column with `[1, NO]` among its rules as the texts that were written, if it is a column of text."""
    if not isinstance(column, Mapping) or not isinstance(_type(column.get("type")), String | Enum):
        return column
    for rule in _VALUES:
        for inside in _leaves(column.get(rule), (rule,)):
            if (text := options.text(path + inside)) is not None:
                column = with_value(column, inside, text)
    return column


def _type(written: Any) -> DataType | None:
    try:
        return parse_type(written) if isinstance(written, str) else None
    except ValueError:
        return None


def _leaves(value: Any, path: Path) -> list[Path]:
    if isinstance(value, Mapping):
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for n, item in enumerate(value) for leaf in _leaves(item, (*path, n))]
    return [path]
