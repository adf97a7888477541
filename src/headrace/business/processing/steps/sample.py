"""The step `sample`: some of the rows, the same ones every time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from headrace.business.model.plugin import Plugin
from headrace.business.processing.lots import among_the_first, lot
from headrace.business.processing.relation import Relation, Sample
from headrace.business.processing.steps.findings import Findings


def _share(written: Any) -> Any:
    if isinstance(written, str) and (percent := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", written)):
        return float(percent[1]) / 100
    return written


class SampleStep(Plugin):
    """Keeps a share of the rows, or a number of them. Which ones is decided by the values in a row (as texts, which intervals have not)
    and by the seed alone, so the same data give the same sample on every engine, and rows that are alike in every column stay or go
    together in a share.

    ```yaml
    - sample: 10%
    - sample: {rows: 1000, seed: 7}
    ```
    """

    kind: ClassVar[str] = "sample"
    keeps_columns: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "share"

    share: Annotated[float, BeforeValidator(_share, json_schema_input_type=float | str), Field(ge=0, le=1)] | None = Field(
        None, description="A number from 0 to 1, or a percentage such as `10%`"
    )
    rows: Annotated[int, Field(ge=0, strict=True)] | None = Field(None, description="How many rows, instead of a share")
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = Field(0, description="Another seed gives another sample")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        below, findings = inputs["input"], Findings()
        if (self.share is None) == (self.rows is None):
            findings.add("say either `share` or `rows`", hint="for example `sample: 10%` or `sample: {rows: 1000}`")
        findings.settle()
        drawn = lot(below.schema, self.seed)
        return Sample(
            below.schema, below, drawn, among_the_first(drawn, self.share) if self.share is not None else None, self.rows
        )
