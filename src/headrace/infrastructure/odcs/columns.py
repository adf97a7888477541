"""Properties of the standard as columns: name, type, options of the type, enumerations, references, quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.business.model.types import Date, Decimal, Float, Integer, Time, Timestamp
from headrace.errors import Path
from headrace.infrastructure.odcs.findings import Findings, quoted
from headrace.infrastructure.odcs.metrics import Property, unusable_pattern
from headrace.infrastructure.odcs.quality import read_quality
from headrace.infrastructure.odcs.relationships import References
from headrace.infrastructure.odcs.times import from_java
from headrace.infrastructure.odcs.types import OPTIONS, read_type

#: What elements say about themselves that asks for no check.
ABOUT = (
    "id", "name", "physicalType", "physicalName", "description", "businessName", "deprecated", "synonyms", "authoritativeDefinitions",
    "tags", "customProperties", "logicalType", "quality", "relationships", "properties",
)  # fmt: skip
_KEYS = (
    *ABOUT, "primaryKey", "primaryKeyPosition", "logicalTypeOptions", "required", "unique", "semanticType", "partitioned",
    "partitionKeyPosition", "classification", "encryptedName", "transformSourceObjects", "transformLogic", "transformDescription",
    "examples", "enum", "criticalDataElement", "items", "map",
)  # fmt: skip
_BOUNDS = {"minimum": "at_least", "maximum": "at_most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def read_property(written: Any, path: Path, references: References, findings: Findings) -> tuple[str, dict[str, Any]] | None:
    """The name and the options of a column; None for what is no column of the data."""
    element = findings.mapping(written, path, _KEYS)
    name = element.get("name")
    if not isinstance(name, str) or not name:
        findings.refuse("a property needs a `name`", path)
        return None
    if element.get("semanticType") == "measure":
        findings.note(f"`{name}` is a measure over the data, not a column")
        return None
    kind = read_type(element, path, findings)
    options: dict[str, Any] = {"type": str(kind)} if kind is not None else {}
    column = Property(name, kind, options)
    _about(element, column, path, findings)
    _type_options(element, column, path, findings)
    _enumeration(element, column, path, findings)
    for key in ("required", "unique"):
        if findings.truth(element.get(key), (*path, key)):
            options[key] = True
    references.of_property(element.get("relationships"), (*path, "relationships"), column)
    for where, entry in read_quality(element.get("quality"), (*path, "quality"), findings, column):
        overlay(options, entry.get("implementation"), (*where, "implementation"), findings)
    return name, options


#: Written for the type of a column that has none: the standard's schema wants one, and its `string` would be taken at its word.
OPEN = "inferred"


def overlay(options: dict[str, Any], written: Any, path: Path, findings: Findings) -> None:
    """Options of ours over those read from the standard's own words; null, or a type that is open, takes one away."""
    for key, value in findings.mapping(written, path).items():
        if value is None or (key, value) == ("type", OPEN):
            options.pop(key, None)
        else:
            options[key] = value


def _about(element: Mapping[str, Any], column: Property, path: Path, findings: Findings) -> None:
    stored = findings.text(element.get("physicalName"), (*path, "physicalName"))
    if stored and stored != column.name:
        column.options["source"] = stored
    for key in ("description", "classification"):
        if (text := findings.text(element.get(key), (*path, key))) is not None:
            column.options[key] = text


def _type_options(element: Mapping[str, Any], column: Property, path: Path, findings: Findings) -> None:
    where: Path = (*path, "logicalTypeOptions")
    logical = element.get("logicalType")
    allowed = OPTIONS.get(logical) if isinstance(logical, str) else None
    given = findings.mapping(element.get("logicalTypeOptions") or {}, where, allowed)
    low, high = given.get("minimum"), given.get("maximum")
    bounds = {ours: given[theirs] for theirs, ours in _BOUNDS.items() if given.get(theirs) is not None}
    if low is not None and high is not None:
        del bounds["at_least"], bounds["at_most"]
        bounds["between"] = [low, high]
    column.options.update(bounds)
    length = {
        ours: given[theirs] for theirs, ours in (("minLength", "min"), ("maxLength", "max")) if given.get(theirs) is not None
    }
    if length:
        column.options["length"] = length
    if (pattern := given.get("pattern")) is not None:
        if wrong := unusable_pattern(pattern):
            findings.refuse(wrong, (*where, "pattern"))
        else:
            column.options["matches"] = pattern
    _format(given.get("format"), column, (*where, "format"), findings)
    _countable(given, column, where, findings)


def _format(written: Any, column: Property, path: Path, findings: Findings) -> None:
    if not isinstance(column.kind, Date | Time | Timestamp):
        if written is not None and column.is_text:
            findings.note(f"`{column.name}` holds texts of the form `{written}`; write a `pattern` to have that checked")
        return
    if (pattern := findings.text(written, path)) is None:
        return
    try:
        column.options["format"] = from_java(pattern)
    except ValueError as error:
        findings.refuse(str(error), path)


def _countable(given: Mapping[str, Any], column: Property, path: Path, findings: Findings) -> None:
    """Options that have no like among a column's rules, as conditions on the row."""
    name = quoted(column.name)
    if (step := given.get("multipleOf")) is not None:
        exact = isinstance(column.kind, Decimal) or (isinstance(column.kind, Integer) and isinstance(step, int))
        if isinstance(step, bool) or not isinstance(step, int | float) or not exact:
            hint = "give the property the physicalType `decimal(p, s)`" if isinstance(column.kind, Float) else None
            findings.refuse(
                f"a multiple of {step} cannot be told exactly in a column of type {column.kind}", (*path, "multipleOf"), hint
            )
        else:
            findings.rule(f"{column.name}_multiple_of", {"expression": f"{name} % {step} = 0"})
    for key, sign in (("minItems", ">="), ("maxItems", "<=")):
        if isinstance(items := given.get(key), int):
            findings.rule(
                f"{column.name}_{'min' if sign == '>=' else 'max'}_items", {"expression": f"list_length({name}) {sign} {items}"}
            )
    for key in ("uniqueItems", "minProperties", "maxProperties", "required"):
        if given.get(key):
            findings.refuse(f"`{key}` cannot be checked", (*path, key), on_key=True)


def _enumeration(element: Mapping[str, Any], column: Property, path: Path, findings: Findings) -> None:
    values = []
    for where, item in findings.items(element.get("enum"), (*path, "enum")):
        entry = findings.mapping(item, where)
        if "value" not in entry:
            findings.refuse("an allowed value is written `value: ...`", where)
        elif entry["value"] is not None:
            values.append(entry["value"])
    if values:
        column.options["in"] = values
