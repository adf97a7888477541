"""The step `dedupe`: one row of those that share a key. Columns stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.stream import Some
from headrace.business.processing.event_time import event_time
from headrace.business.processing.relation import Dedupe, Distinct, Relation
from headrace.business.processing.stateful import Copies, Stateful
from headrace.business.processing.steps.copies import first_copies
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Names, Terms
from headrace.business.processing.steps.ordering import read_terms, total_order


class DedupeStep(Plugin):
    """Of the rows that share a key, keeps the first or the last in an order; without a key, each different row once.

    A null in a key equals nothing: such a row has no duplicates and stays. A row whose `order_by` is null loses to one
    where it is known, whichever is kept, unless the order says `nulls first` or `nulls last`. Rows that tie are put
    in the order of all columns, so the same data always give the same rows.

    ```yaml
    - dedupe: {key: [carrier, flight, time_hour], keep: last, order_by: updated_at}
    - dedupe: {}
    - dedupe: {key: id, within: 10 minutes}
    ```

    With `within`, rows of the same key are copies only as long as each is less than so long after the one before, by the time of the
    source's watermark; only the first of them stays. So a stream can do it, which remembers keys that long. There the first to come
    stays, and a row that is older than the watermark is in the dataset `<name of the step>.late`.
    """

    kind: ClassVar[str] = "dedupe"
    keeps_columns: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "key"

    key: Names = Field((), description="The columns that name a row; all of them when left out")
    keep: Literal["first", "last"] | None = Field(None, description="Which row stays, in `order_by`: the first unless said")
    order_by: Terms = Field((), description="The order of rows that share a key, as in `sort`")

    within: Some | None = Field(None, description="How long rows of the same key are copies; for ever, unless said")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        findings = Findings()
        left = self.dedupe(inputs["input"], findings)
        findings.settle()
        return left

    def dedupe(self, below: Relation, findings: Findings) -> Relation:
        """The rows that are left; what is wrong with the options is noted."""
        key = findings.columns(below.schema, self.key, "key")
        terms = read_terms(self.order_by, below.schema, findings, "order_by")
        if self.keep is not None and not self.order_by:
            hint = "rows have no order of their own: say `order_by: <column>`"
            findings.add(f"`keep: {self.keep}` needs an order", "keep", hint=hint)
        if self.order_by and not self.key:
            findings.add(
                "rows that are alike in every column need no order", "order_by", hint="say by which columns with `key`"
            )
        for i, column in enumerate(key):
            if not column.type.is_ordered:
                findings.add(f"`{column.name}` is of type {column.type}, which cannot be a key", "key", i)
        if self.within is not None:
            return self._within(below, [column.name for column in key], self.within, findings)
        if not key:
            return Distinct(below.schema, below)
        if self.keep == "last":
            terms = [term.reversed() for term in terms]
        names = tuple(column.name for column in key)
        return Dedupe(below.schema, below, names, total_order([term.key for term in terms], below.schema, names))

    def _within(self, below: Relation, key: list[str], within: timedelta, findings: Findings) -> Relation:
        time = event_time(below)
        if not key:
            findings.add("say what makes copies of rows", "within", hint="for example `key: id`")
        if self.order_by or self.keep is not None:
            findings.add("with `within` the first row in time stays", "within", hint="leave `keep` and `order_by` out")
        if time is None:
            hint = "give the source a `watermark`, and pass its column on as it is"
            findings.add("nothing says when rows happened", "within", hint=hint)
        if time is None or findings.problems:
            return below
        copies = Copies(below, tuple(key), time, within // timedelta(microseconds=1))
        return Stateful(below.schema, first_copies(copies), copies)
