"""Whether a dataset still has the columns that it had when it was last published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from headrace.business.model.schema import Column, Schema
from headrace.business.model.types import DataType, String, parse_type
from headrace.business.ports import Measured, Verdict
from headrace.business.processing.expressions.ir import Call, Constant, Expr
from headrace.business.validation.checks.audit import AuditCheck, judged, verdict
from headrace.business.validation.checks.measuring import aggregate
from headrace.business.validation.checks.wording import count, listed
from headrace.business.validation.drift import IMPACT, KINDS, Change, ChangeKind, classify
from headrace.records import record

_COMPATIBLE: tuple[ChangeKind, ...] = tuple(kind for kind in KINDS if IMPACT[kind] == "compatible")


class SchemaDrift(AuditCheck):
    """What changed in the columns since the last published run, and whether those who read the data can bear it.

    The first run has nothing to compare with: the check is learning.
    """

    kind: ClassVar[str] = "schema_drift"
    shorthand: ClassVar[str | None] = "allow"

    allow: tuple[ChangeKind, ...] = Field(_COMPATIBLE, description="The changes that pass")

    def measures(self, schema: Schema) -> Mapping[str, Expr]:
        """The schema itself, which is so kept with the run like every other measure; an aggregate, for one row also of none."""
        text = Constant(String(), recorded(schema))
        return {"schema": Call(String(), "coalesce", (aggregate("max", text), text))}

    def judge(self, measured: Measured) -> Verdict:
        expected = f"no change but {listed(self.allow)}" if self.allow else "no change"
        now = measured.values["schema"]
        earlier = next((v["schema"] for _, v in reversed(measured.history) if v.get("schema")), None)
        if earlier is None:
            return verdict("learning", "no earlier run to compare with", expected, measured.values)
        changes = classify(restored(earlier), restored(now)) if earlier != now else []
        refused = [change for change in changes if change.kind not in self.allow]
        return judged(not refused, _told(refused, changes), expected, measured.values)


def _told(refused: list[Change], changes: list[Change]) -> str:
    if not changes:
        return "nothing changed"
    if not refused:
        return f"{count(len(changes), 'change')}: " + "; ".join(map(str, changes))
    return "; ".join(f"{change} ({_impact(change)})" for change in refused)


def _impact(change: Change) -> str:
    return "needs approval" if change.impact == "approval" else change.impact


def recorded(schema: Schema) -> str:
    """A schema as text, to be kept with a run."""
    return json.dumps([[c.name, str(c.type), c.nullable] for c in schema], ensure_ascii=False)


def restored(text: str) -> Schema:
    """The schema of such a text. A type that is not known any more is taken as the text that it was."""
    return Schema(tuple(Column(name, _type(kind), nullable) for name, kind, nullable in json.loads(text)))


def _type(written: str) -> DataType:
    try:
        return parse_type(written)
    except ValueError:
        return _Forgotten(written)


@record
class _Forgotten(DataType):
    """A type of which only the written form is left."""

    written: str

    def __str__(self) -> str:
        return self.written
