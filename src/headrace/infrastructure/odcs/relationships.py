"""Relationships of the standard as references: `orders.customer_id` to `customers.id`, by names or by ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.errors import Path
from headrace.infrastructure.odcs.findings import Findings
from headrace.infrastructure.odcs.metrics import Property
from headrace.records import record

_KEYS = ("id", "type", "to", "from", "description", "customProperties")

#: The custom property that keeps what a relationship of the standard cannot say.
OURS = "headrace"


class _Elsewhere(ValueError):
    """A reference that leads to nothing that is known here."""


@record
class References:
    """Finds what relationships refer to, in the document that they stand in."""

    document: Mapping[str, Any]
    findings: Findings

    def of_property(self, written: Any, path: Path, column: Property) -> None:
        """The references of one column: the first is its own, further ones are rules."""
        for where, item in self.findings.items(written, path):
            entry = self._entry(item, where, ("from",))
            if (targets := self._targets(entry, where)) is None:
                continue
            extra = _ours(entry)
            if len(targets) == 1 and not extra and "references" not in column.options:
                column.options["references"] = targets[0]
            else:
                columns = [column.name] * len(targets)
                self._rule(entry, columns, targets, extra)

    def of_object(self, written: Any, path: Path) -> None:
        """The references of the object: rules over one or several columns."""
        for where, item in self.findings.items(written, path):
            entry = self._entry(item, where, ())
            targets = self._targets(entry, where)
            sources = self._resolved(entry.get("from"), (*where, "from"))
            if targets is None or sources is None:
                continue
            if len(sources) != len(targets):
                self.findings.refuse(f"{len(sources)} properties cannot refer to {len(targets)}", where)
                continue
            if any(dataset != self.findings.dataset for dataset, _ in sources):
                self.findings.refuse(f"`from` must name properties of `{self.findings.dataset}`", (*where, "from"))
                continue
            self._rule(entry, [name for _, name in sources], targets, _ours(entry))

    def _entry(self, item: Any, path: Path, refused: Sequence[str]) -> Mapping[str, Any]:
        entry = self.findings.mapping(item, path, [key for key in _KEYS if key not in refused])
        if entry.get("type", "foreignKey") != "foreignKey":
            self.findings.word(entry["type"], (*path, "type"), ("foreignKey",))
        return entry

    def _rule(self, entry: Mapping[str, Any], columns: list[str], targets: list[str], extra: Mapping[str, Any]) -> None:
        to = targets[0].rpartition(".")[0]
        name = str(extra.get("name") or entry.get("id") or f"references_{to}")
        body: dict[str, Any] = {"references": targets if len(targets) > 1 else targets[0], "column": columns}
        if isinstance(entry.get("description"), str):
            body["description"] = entry["description"]
        self.findings.rule(name, body | {key: value for key, value in extra.items() if key != "name"})

    def _targets(self, entry: Mapping[str, Any], path: Path) -> list[str] | None:
        found = self._resolved(entry.get("to"), (*path, "to"))
        return None if found is None else [f"{dataset}.{name}" for dataset, name in found]

    def _resolved(self, written: Any, path: Path) -> list[tuple[str, str]] | None:
        """The datasets and columns that references lead to."""
        texts = written if isinstance(written, list) else [written]
        if not texts or not all(isinstance(text, str) for text in texts):
            self.findings.refuse("a reference is written `object.property`, or `schema/<id>/properties/<id>`", path)
            return None
        try:
            return [self._one(text) for text in texts]
        except _Elsewhere as error:
            self.findings.refuse(
                str(error), path, "declare the other dataset as a source of the pipeline, and refer to it by name"
            )
            return None

    def _one(self, text: str) -> tuple[str, str]:
        if "#" in text:
            raise _Elsewhere(f"`{text}` leads into another document, which is not read")
        if "/" in text:
            return self._by_id(text)
        parts = text.split(".")
        if len(parts) != 2:
            raise _Elsewhere(f"`{text}` does not lead to a column: a reference into a struct cannot be checked")
        return parts[0], parts[1]

    def _by_id(self, text: str) -> tuple[str, str]:
        found = re.fullmatch(r"/?schema/([^/]+)/properties/([^/]+)", text)
        if found is None:
            raise _Elsewhere(f"`{text}` does not lead to a column")
        holder = _with_id(self.document.get("schema"), found[1])
        target = _with_id(holder.get("properties"), found[2]) if holder else None
        if holder is None or target is None:
            raise _Elsewhere(f"`{text}` leads to nothing in this document")
        return str(holder.get("name")), str(target.get("name"))


def _with_id(items: Any, wanted: str) -> Mapping[str, Any] | None:
    known = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return next((item for item in known if item.get("id") == wanted), None)


def _ours(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a relationship that we wrote says beyond the standard."""
    for item in entry.get("customProperties") or ():
        if isinstance(item, Mapping) and item.get("property") == OURS and isinstance(item.get("value"), Mapping):
            found: Mapping[str, Any] = item["value"]
            return found
    return {}
