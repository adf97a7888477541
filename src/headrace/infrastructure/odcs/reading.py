"""Documents of the standard, versions 3.1 and 3.2, as contracts of ours. What cannot be carried out is an error that names it.

    open_contract = load_odcs(text, "orders.odcs.yaml")
    open_contract.contract, open_contract.checks

Rules about single rows are in the contract; those about the whole dataset are checks, as a definition writes them. What only
describes (texts, owners, prices, servers) asks for nothing to be done; the texts among it come back as notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from headrace.business.model.contract import Contract
from headrace.business.model.schema import did_you_mean
from headrace.errors import DefinitionError, Path, Problem
from headrace.infrastructure.loading.places import locate
from headrace.infrastructure.loading.reading import read_document
from headrace.infrastructure.odcs.columns import ABOUT, overlay, read_property
from headrace.infrastructure.odcs.findings import Findings
from headrace.infrastructure.odcs.levels import read_levels
from headrace.infrastructure.odcs.quality import read_quality
from headrace.infrastructure.odcs.relationships import References
from headrace.records import record

VERSIONS = ("v3.1.0", "v3.2.0")

_TOP = (
    "apiVersion", "kind", "id", "name", "version", "status", "tenant", "tags", "servers", "dataProduct", "description", "domain", "context",
    "schema", "support", "price", "team", "roles", "slaDefaultElement", "slaProperties", "authoritativeDefinitions", "customProperties",
    "contractCreatedTs",
)  # fmt: skip


@record
class OpenContract:
    """One object of a document: its contract, its checks as a definition writes them, and what is only told."""

    dataset: str
    contract: Contract
    checks: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def load_odcs(text: str, name: str = "contract.odcs.yaml", dataset: str | None = None) -> OpenContract:
    """The contract in the text of a document; `dataset` says of which object when there are several.

    Raises `DefinitionError` with everything that is wrong, each with its place in the text.
    """
    document = read_document(text, name)
    if document.problems:
        raise DefinitionError(document.problems)
    try:
        return read_odcs(document.data, dataset)
    except DefinitionError as error:
        raise DefinitionError(locate(error.problems, document.places)) from None


def read_odcs(document: Any, dataset: str | None = None) -> OpenContract:
    """The same from a document that is plain data already. Problems have paths through it."""
    findings = Findings()
    top = findings.mapping(document, (), _TOP)
    if top.get("apiVersion") not in VERSIONS:
        findings.refuse(
            f"this is version `{top.get('apiVersion')}` of the standard", ("apiVersion",), f"read are {', '.join(VERSIONS)}"
        )
    if top.get("kind") != "DataContract":
        findings.refuse(f"the kind must be `DataContract`, and it is `{top.get('kind')}`", ("kind",))
    place = _object(top, dataset, findings)
    if place is None:
        raise DefinitionError(findings.problems)
    made = _contract(top, place, findings)
    if findings.problems or made is None:
        raise DefinitionError(findings.problems)
    return OpenContract(findings.dataset, made, tuple(findings.checks), tuple(findings.notes))


def _object(top: Mapping[str, Any], dataset: str | None, findings: Findings) -> int | None:
    """Which object of the document is meant."""
    objects = [item for _, item in findings.items(top.get("schema"), ("schema",))]
    names = [item.get("name") if isinstance(item, Mapping) else None for item in objects]
    known = [str(name) for name in names if isinstance(name, str)]
    if not objects:
        findings.refuse("this document describes no data: it has no `schema`", ())
    elif dataset is None and len(objects) > 1:
        findings.refuse("this document describes several objects", ("schema",), f"say which is meant: {', '.join(known)}")
    elif dataset is not None and dataset not in names:
        findings.refuse(f"this document describes no `{dataset}`", ("schema",), did_you_mean(dataset, known))
    elif dataset is None and not known:
        findings.refuse("an object needs a `name`", ("schema", 0))
    else:
        return 0 if dataset is None else names.index(dataset)
    return None


def _contract(top: Mapping[str, Any], place: int, findings: Findings) -> Contract | None:
    path: Path = ("schema", place)
    element = findings.mapping(top["schema"][place], path, (*ABOUT, "dataGranularityDescription", "context"))
    findings.dataset = str(element["name"])
    references = References(top, findings)
    written: dict[str, Any] = {"columns": {}}
    for where, item in findings.items(element.get("properties"), (*path, "properties")):
        if (column := read_property(item, where, references, findings)) is not None:
            written["columns"][column[0]] = column[1]
    if (key := _key(element, path, findings)) is not None:
        written["key"] = key
    if (description := findings.text(element.get("description"), (*path, "description"))) is not None:
        written["description"] = description
    references.of_object(element.get("relationships"), (*path, "relationships"))
    _ours(element, path, written, findings)
    read_levels(top, findings)
    return _valid(written | {"rules": findings.rules}, path, element, findings)


def _key(element: Mapping[str, Any], path: Path, findings: Findings) -> list[str] | None:
    """The columns of the primary key by their positions, those without one behind, as they stand."""
    found = []
    for i, (where, item) in enumerate(findings.items(element.get("properties"), (*path, "properties"))):
        if isinstance(item, Mapping) and findings.truth(item.get("primaryKey"), (*where, "primaryKey")):
            position = item.get("primaryKeyPosition", -1)
            later = not isinstance(position, int) or position < 1
            found.append(((later, i if later else position), str(item.get("name"))))
    return [name for _, name in sorted(found)] or None


def _ours(element: Mapping[str, Any], path: Path, written: dict[str, Any], findings: Findings) -> None:
    """Quality of the whole object; what is written for us alone goes over the rest."""
    for where, entry in read_quality(element.get("quality"), (*path, "quality"), findings, None):
        inside: Path = (*where, "implementation")
        ours = findings.mapping(entry.get("implementation"), inside, ("contract", "rule", "check"))
        if "contract" in ours:
            overlay(written, ours["contract"], (*inside, "contract"), findings)
        if "rule" in ours:
            findings.rule(str(entry.get("name") or "rule"), dict(findings.mapping(ours["rule"], (*inside, "rule"))))
        if "check" in ours:
            for kind, options in findings.mapping(ours["check"], (*inside, "check")).items():
                at: Path = (*inside, "check", kind)
                findings.check(kind, dict(findings.mapping(options, at)), entry.get("name"), at)


def _valid(written: dict[str, Any], path: Path, element: Mapping[str, Any], findings: Findings) -> Contract | None:
    """The contract, if what was read makes one."""
    try:
        return Contract.model_validate(written)
    except ValidationError as error:
        places = {item.get("name"): i for i, item in enumerate(element.get("properties") or []) if isinstance(item, Mapping)}
        for fault in error.errors():
            location = fault["loc"]
            in_column = len(location) > 1 and location[0] == "columns" and location[1] in places
            where: Path = (*path, "properties", places[location[1]]) if in_column else path
            message = fault["msg"].removeprefix("Value error, ")
            findings.problems.append(Problem(f"{'.'.join(str(part) for part in location)}: {message}", where))
        return None
