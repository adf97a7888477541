"""The five metrics of the standard's library: how each becomes a rule for single rows, or a check on the whole dataset.

One that allows none is a rule for rows, so that those at fault are held back; one that allows some is a check. Duplicates are
counted as surplus rows: those beyond the first of each value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.business.model.types import DataType, Enum, String
from headrace.business.processing.expressions.patterns import pattern_problem
from headrace.errors import Path
from headrace.infrastructure.odcs.comparisons import Comparison, read_comparison
from headrace.infrastructure.odcs.findings import Findings, literal, quoted
from headrace.records import record

_LEVELS = {
    "nullValues": "property", "missingValues": "property", "invalidValues": "property", "duplicateValues": "both", "rowCount": "schema",
}  # fmt: skip
_ARGUMENTS = {
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
}


@dataclass(slots=True)
class Property:
    """The column that a rule stands beside, and its options so far."""

    name: str
    kind: DataType | None
    options: dict[str, Any]

    @property
    def is_text(self) -> bool:
        return self.kind is None or isinstance(self.kind, String | Enum)


@record
class Rule:
    """One entry under `quality` while it is read."""

    entry: Mapping[str, Any]
    path: Path
    column: Property | None
    mild: bool
    """Whether its severity asks for a warning only."""
    findings: Findings

    @property
    def label(self) -> str:
        return str(self.entry.get("name") or self.entry.get("id") or "")

    def check(self, kind: str, options: dict[str, Any]) -> None:
        options = options | ({"on_fail": "warn"} if self.mild else {})
        self.findings.check(kind, options, self.label or None, self.path)

    def row_rule(self, column: Property, option: str, value: Any, condition: str | None = None) -> None:
        """An option of the column; a rule of its own, with this condition, where the column has another such option already."""
        ruled = {"is": value, "on_violation": "warn"} if self.mild else value
        if column.options.get(option) in (None, ruled):
            column.options[option] = ruled
        elif condition is not None:
            self.condition(condition, option)

    def condition(self, text: str, what: str) -> None:
        body: dict[str, Any] = {"expression": text} | ({"on_violation": "warn"} if self.mild else {})
        if isinstance(self.entry.get("description"), str):
            body["description"] = self.entry["description"]
        name = self.label or (f"{self.column.name}_{what}" if self.column else what)
        self.findings.rule(name, body)


def read_metric(rule: Rule) -> None:
    """Carry out a library metric, or say why it cannot be."""
    entry, path, findings = rule.entry, rule.path, rule.findings
    named = "metric" if "metric" in entry else "rule"
    metric = findings.word(entry.get(named), (*path, named), _LEVELS)
    if metric is None:
        return
    level = "property" if rule.column else "schema"
    if _LEVELS[metric] not in (level, "both"):
        findings.refuse(f"`{metric}` belongs to the quality of a {_LEVELS[metric]}, not of a {level}", (*path, named))
        return
    allowed = _ARGUMENTS.get(metric, ()) if metric != "duplicateValues" or rule.column is None else ()
    arguments = findings.mapping(entry.get("arguments") or {}, (*path, "arguments"), allowed)
    unit = findings.word(entry.get("unit", "rows"), (*path, "unit"), ("rows", "percent"))
    comparison = read_comparison(entry, path, findings)
    if unit is None or comparison is None:
        return
    percent = unit == "percent"
    if rule.column is None:
        _of_dataset(rule, metric, comparison, arguments, percent=percent)
    elif metric == "duplicateValues":
        _duplicates(rule, [rule.column.name], comparison, percent=percent)
    else:
        _of_column(rule, rule.column, metric, comparison, arguments, percent=percent)


def _of_dataset(rule: Rule, metric: str, comparison: Comparison, arguments: Mapping[str, Any], *, percent: bool) -> None:
    if metric == "duplicateValues":
        names = arguments.get("properties")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            rule.findings.refuse("`duplicateValues` of a schema needs the `properties` to look at", (*rule.path, "arguments"))
            return
        _duplicates(rule, names, comparison, percent=percent)
    elif percent:
        rule.findings.refuse("`rowCount` is counted in rows", (*rule.path, "unit"))
    elif (limits := comparison.counts()) is None:
        rule.check("expression", {"condition": comparison.condition("count(*)")})
    else:
        _limited(rule, "row_count", {}, limits)


def _of_column(
    rule: Rule, column: Property, metric: str, comparison: Comparison, arguments: Mapping[str, Any], *, percent: bool
) -> None:
    name = quoted(column.name)
    if metric == "nullValues":
        if comparison.allows_none(percent=percent):
            rule.row_rule(column, "required", True)
        elif percent and (shares := comparison.percents()):
            rule.check("null_share", {"column": column.name, **shares})
        else:
            _counted(rule, f"{name} is null", comparison, percent=percent)
    elif metric == "missingValues":
        _missing(rule, column, comparison, arguments.get("missingValues"), percent=percent)
    else:
        _invalid(rule, column, comparison, arguments, percent=percent)


def _missing(rule: Rule, column: Property, comparison: Comparison, words: Any, *, percent: bool) -> None:
    path: Path = (*rule.path, "arguments", "missingValues")
    if not isinstance(words, list) or not words:
        rule.findings.refuse("`missingValues` needs the list of values that count as missing", path)
        return
    texts = [word for word in words if word is not None]
    nulls = len(texts) < len(words)
    if texts and not column.is_text:
        if not nulls:
            hint = "add null to the list"
            rule.findings.refuse(f"a column of type {column.kind} holds no such words, only nulls for them", path, hint)
            return
        # In a column that is no text these words can only be read as null.
        column.options["nulls"] = list(dict.fromkeys(["", *map(str, texts)]))
        texts = []
    name = quoted(column.name)
    if comparison.allows_none(percent=percent):
        if nulls:
            rule.row_rule(column, "required", True)
        if texts:
            rule.row_rule(column, "not_in", texts, f"{name} not in ({_listed(texts)})")
        return
    parts = ([f"{name} is null"] if nulls else []) + ([f"{name} in ({_listed(texts)})"] if texts else [])
    _counted(rule, " or ".join(parts), comparison, percent=percent)


def _invalid(rule: Rule, column: Property, comparison: Comparison, arguments: Mapping[str, Any], *, percent: bool) -> None:
    path: Path = (*rule.path, "arguments")
    name = quoted(column.name)
    pattern, words = arguments.get("pattern"), arguments.get("validValues")
    if pattern is None and words is None:
        rule.findings.refuse("`invalidValues` needs `validValues` or a `pattern`", path)
        return
    conditions = []
    if words is not None:
        valid = [word for word in words if word is not None] if isinstance(words, list) else []
        if not valid:
            rule.findings.refuse("`validValues` needs a list of values", (*path, "validValues"))
            return
        conditions.append(("in", valid, f"{name} in ({_listed(valid)})"))
    if pattern is not None:
        if wrong := unusable_pattern(pattern):
            rule.findings.refuse(wrong, (*path, "pattern"))
            return
        conditions.append(("matches", pattern, f"regexp_matches({name}, {literal(pattern)})"))
    if comparison.allows_none(percent=percent):
        for option, value, condition in conditions:
            rule.row_rule(column, option, value, condition)
        return
    _counted(rule, f"not ({' and '.join(condition for _, _, condition in conditions)})", comparison, percent=percent)


def _duplicates(rule: Rule, names: list[str], comparison: Comparison, *, percent: bool) -> None:
    if comparison.allows_none(percent=percent):
        if rule.column is not None:
            rule.row_rule(rule.column, "unique", True)
        else:
            rule.check("unique", {"columns": names})
    elif percent and comparison.operator == "mustBeLessOrEqualTo":
        rule.check("unique", {"columns": names, "max_share": f"{comparison.values[0]}%"})
    elif not percent and (limits := comparison.counts()) and list(limits) == ["max"]:
        _limited(rule, "unique", {"columns": names}, limits)
    elif len(names) > 1:
        hint = "use mustBeLessThan with rows, or mustBeLessOrEqualTo"
        rule.findings.refuse("duplicates of several properties cannot be compared so", rule.path, hint)
    else:
        name = quoted(names[0])
        surplus = f"count({name}) - count(distinct {name})"
        condition = comparison.condition(f"100.0 * ({surplus}) / count(*)" if percent else f"({surplus})")
        rule.check("expression", {"condition": f"count(*) = 0 or {condition}" if percent else condition})


def _counted(rule: Rule, where: str, comparison: Comparison, *, percent: bool) -> None:
    """A check on how many rows a condition holds for."""
    if percent:
        shares = comparison.percents()
        if shares is not None:
            rule.check("row_share", {"where": where, **shares})
            return
        condition = comparison.condition(f"100.0 * count_if({where}) / count(*)")
        rule.check("expression", {"condition": f"count(*) = 0 or {condition}"})
    elif (limits := comparison.counts()) is not None:
        _limited(rule, "row_count", {"where": where}, limits)
    else:
        rule.check("expression", {"condition": comparison.condition(f"count_if({where})")})


def _limited(rule: Rule, kind: str, options: dict[str, Any], limits: dict[str, int]) -> None:
    """A check with limits on a number that is never negative."""
    if limits.get("max", 0) < 0 or limits.get("max", limits.get("min", 0)) < limits.get("min", 0):
        rule.findings.refuse("no number of rows can ever be so", rule.path)
        return
    useful = {name: limit for name, limit in limits.items() if name == "max" or limit > 0} or {"min": 0}
    rule.check(kind, options | useful)


def unusable_pattern(pattern: Any) -> str | None:
    if not isinstance(pattern, str):
        return "a pattern must be text"
    wrong = pattern_problem(pattern)
    return f"`{pattern}` is not a regular expression that can be run: {wrong}" if wrong else None


def _listed(words: list[Any]) -> str:
    return ", ".join(map(literal, words))
