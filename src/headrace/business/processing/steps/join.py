"""The step `join`: the rows of two datasets side by side. `lookup` is the simpler step where the other one is a mere list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from headrace.business.model.plugin import Plugin
from headrace.business.model.references import Sql
from headrace.business.model.schema import Column, Schema
from headrace.business.model.stream import Some
from headrace.business.model.wording import Misworded
from headrace.business.processing.event_time import event_time
from headrace.business.processing.expressions.build import all_of, column
from headrace.business.processing.expressions.coercion import coerce, common_type
from headrace.business.processing.expressions.ir import Call, Expr
from headrace.business.processing.relation import Dataset, Join, Relation
from headrace.business.processing.stateful import Pairs, Stateful
from headrace.business.processing.steps.findings import Findings
from headrace.business.processing.steps.options import Expression, Name
from headrace.business.processing.steps.partners import Match, match_columns, nullable, partners
from headrace.business.processing.steps.partners_in_time import InTime, between, within
from headrace.business.processing.steps.partners_in_time import matched as matched_in_time
from headrace.business.processing.steps.projection import project, ref

On = tuple[Name, ...] | Mapping[Name, Name] | Sql


def _two_times(written: Any) -> Any:
    if isinstance(written, str | Mapping) or (isinstance(written, Sequence) and len(written) != 2):
        raise Misworded("`between` is a list of two times of ours", "for example `between: [at, expires]`")
    return written


class JoinStep(Plugin):
    """Puts each row beside its partners in another dataset. A null equals nothing, so it finds no partner.

    The columns that are matched come out once, under our names. If other columns of the two have the same name,
    say a `prefix` or `suffix`, which theirs gets. A condition is written with the names that come out.

    ```yaml
    - join: {with: airlines, on: [carrier], how: left, expect: one}
    - join: {with: airports, on: {origin: faa}, prefix: origin_}
    - join: {with: fares, on: distance between least_distance and greatest_distance}
    - join: {with: payments, on: {id: order_id}, within: 10 minutes, how: left}
    - join: {with: bids, on: {id: auction}, between: [at, expires]}
    - join: {with: persons, on: {seller: id}, keep: forever}
    ```

    With `within`, partners are no further apart in time than that, by the times of the watermarks of the two sources. With
    `between`, theirs happened at the first of two times of ours, at the second, or in between. So two streams can be joined:
    each row is kept until the watermark says that no partner can come any more. A row that is older than the watermark of its
    partition comes too late for it: such rows are the datasets `<name of the step>.left.late` and `<name of the step>.right.late`.

    Results of windows are joined by their bounds: `on: {id: seller, window_start: window_start}`. With `keep: forever`, time
    plays no part, and a stream keeps all rows of both sides.
    """

    kind: ClassVar[str] = "join"

    with_: Name = Field(alias="with", description="The other dataset")
    on: On | None = Field(None, description="Columns of the same names, `{ours: theirs}`, or a condition")
    how: Literal["inner", "left", "right", "full", "cross", "semi", "anti"] = Field(
        "inner", description="Which rows stay; `semi` and `anti` keep ours that have, or have not, a partner"
    )
    prefix: str = Field("", description="Put before those of their names that we have too")
    suffix: str = Field("", description="Put behind those of their names that we have too")
    within: Some | None = Field(None, description="How far apart in time partners may be at the most")
    between: Annotated[tuple[Expression, Expression], BeforeValidator(_two_times)] | None = Field(
        None, description="From which time of ours on, and up to which one, theirs may have happened"
    )
    keep: Literal["forever"] | None = Field(
        None, description="In a stream: keep the rows of both sides for ever, because partners may come at any time"
    )
    expect: Literal["any", "one"] = Field("any", description="With `one`, the run fails if a row would get several partners")

    def apply(self, inputs: Mapping[str, Relation]) -> Relation:
        left, findings = inputs["input"], Findings()
        right = findings.dataset(inputs, self.with_, "with")
        if right is None:
            raise findings.error()
        self._check_options(findings)
        findings.settle()
        joined = self.side_by_side(left, right, findings)
        near = self._near(left, right, findings) or self._matched(left, right, findings)
        if near is None and self.keep is None:
            return joined
        return self._in_stream(joined, left, right, near)

    def side_by_side(self, left: Relation, right: Relation, findings: Findings) -> Relation:
        on = self._columns(left, right)
        if isinstance(on, str):
            return self._on_condition(on, left, right, findings)
        return self._on_columns(match_columns(on or (), left.schema, right.schema, self.with_, findings), left, right, findings)

    def _columns(self, left: Relation, right: Relation) -> On | None:
        """What is matched. A text that is a name is a column of both."""
        return (self.on,) if isinstance(self.on, str) and self._is_column(self.on, left, right) else self.on

    def _in_stream(self, joined: Relation, left: Relation, right: Relation, near: InTime | None) -> Relation:
        """The join as a stream computes it, of pairs and of rows that stay alone."""
        if not isinstance(left, Dataset) or not isinstance(right, Dataset):
            return joined
        found, alone = (self.model_copy(update={"how": how}).side_by_side(left, right, Findings()) for how in ("inner", "anti"))
        kept_alone = alone if self.how == "left" else None
        reach, option = (None, "keep") if near is None else (near.reach, near.option)
        return Stateful(joined.schema, joined, Pairs(left, right, reach, option, found, kept_alone, joined))

    def _near(self, left: Relation, right: Relation, findings: Findings) -> InTime | None:
        """How near in time two rows have to be, where that was said."""
        if self.within is not None:
            return within(left, right, self.with_, self.within, findings)
        if self.between is not None:
            return between(left, right, self.with_, self.between, findings)
        return None

    def _matched(self, left: Relation, right: Relation, findings: Findings) -> InTime | None:
        """What is matched in time beside other columns, where two streams could be joined by it."""
        on = self._columns(left, right)
        if self.keep is not None or self.how not in ("inner", "left") or self.expect == "one" or isinstance(on, str):
            return None
        return matched_in_time(left, right, match_columns(on or (), left.schema, right.schema, self.with_, findings))

    def _check_options(self, findings: Findings) -> None:
        if self.how == "cross" and self.on is not None:
            findings.add("a cross join pairs every row with every row", "on", hint="leave out `on`, or say another `how`")
        if self.how != "cross" and not self.on:
            findings.add("say which rows belong together", hint="for example `on: [carrier]` or `on: {origin: faa}`")
        timely = [name for name in ("within", "between", "keep") if getattr(self, name) is not None]
        for name in timely:
            if self.how not in ("inner", "left"):
                findings.add(f"`{name}` is for inner and left joins, not for {self.how}", name)
            if self.expect == "one":
                findings.add("what is near in time may be several", "expect", hint="leave `expect` out")
        for name in timely[1:]:
            findings.add(f"`{timely[0]}` and `{name}` say different things of the same", name, hint="leave one of them out")
        if self.expect == "one" and self.how not in ("inner", "left"):
            findings.add(f"`expect: one` is for inner and left joins, not for {self.how}", "expect")

    @staticmethod
    def _is_column(text: str, left: Relation, right: Relation) -> bool:
        return left.schema.resolve(text) is not None or right.schema.resolve(text) is not None or text.isidentifier()

    def _on_columns(self, matches: list[Match], left: Relation, right: Relation, findings: Findings) -> Relation:
        matched = {m.right.name for m in matches}
        partial = self.how in ("semi", "anti")
        taken = {} if partial else self._taken(left.schema, [c for c in right.schema if c.name not in matched], findings)
        findings.settle()
        side, condition = partners(right, matches, {**taken, **self._hidden_time(right, taken, matches)})
        near = self._near(left, right, findings)
        findings.settle()
        both = [part for part in (condition, near.condition(side) if near else None) if part is not None]
        joined = self._joined(left, side, all_of(*both) if both else None)
        if partial:
            return joined
        keys = {m.left.name: self._key(m, side.schema) for m in matches}
        ours = {c.name: keys.get(c.name, ref(c)) for c in left.schema}
        never_null = [m.left.name for m in matches if self._key_known(m)]
        never_null += [of.column for of in (near.reach if near else ()) if of.column and self.how == "inner"]
        return project(joined, {**ours, **{name: column(name, joined.schema[name].type) for name in taken}}, never_null)

    def _on_condition(self, text: str, left: Relation, right: Relation, findings: Findings) -> Relation:
        taken = self._taken(left.schema, list(right.schema), findings)
        both = Schema((*left.schema, *(replace(c, name=name) for name, c in taken.items())))
        condition = findings.condition(text, both, "on")
        if self.expect == "one":
            hint = "match by columns, as in `on: {origin: faa}`"
            findings.add("`expect: one` cannot be checked for a condition", "expect", hint=hint)
        findings.settle()
        unchanged = all(name == c.name for name, c in taken.items())
        side = right if unchanged else project(right, {name: ref(c) for name, c in taken.items()})
        near = self._near(left, right, findings)
        findings.settle()
        both_true = [part for part in (condition, near.condition(side) if near else None) if part is not None]
        return self._joined(left, side, all_of(*both_true) if both_true else None)

    def _hidden_time(self, right: Relation, taken: Mapping[str, Column], matches: list[Match]) -> Mapping[str, Column]:
        """The time of the other dataset, for a join that compares it and does not give it out."""
        time = event_time(right)
        if (
            (self.within is None and self.between is None)
            or time is None
            or any(c.name == time for c in (*taken.values(), *(m.right for m in matches)))
        ):
            return {}
        return {"#:their time": right.schema[time]}

    def _joined(self, left: Relation, right: Relation, condition: Expr | None) -> Join:
        ours = nullable(left.schema) if self.how in ("right", "full") else left.schema
        theirs = nullable(right.schema) if self.how in ("left", "full") else right.schema
        schema = left.schema if self.how in ("semi", "anti") else Schema((*ours, *theirs))
        return Join(schema, left, right, self.how, condition, single=self.expect == "one")

    def _taken(self, left: Schema, theirs: list[Column], findings: Findings) -> dict[str, Column]:
        """Their columns by the names that they come out with."""
        ours = {name.lower() for name in left.names}
        taken = {f"{self.prefix}{c.name}{self.suffix}" if c.name.lower() in ours else c.name: c for c in theirs}
        alike = [name for name in taken if name.lower() in ours]
        if alike or len({name.lower() for name in taken}) < len(theirs):
            which = ", ".join(f"`{name}`" for name in alike or taken)
            findings.add(
                f"both datasets have columns called {which}",
                "with",
                hint=f"say `suffix: _{self.with_}`, or `select` and `rename` before",
            )
        return taken

    def _key(self, match: Match, side: Schema) -> Expr:
        """What comes out for a matched pair: ours, theirs where we may have no row, or whichever is there."""
        ours, theirs = ref(match.left), column(match.beside, side[match.beside].type)
        if self.how not in ("right", "full"):
            return ours
        if self.how == "right":
            return theirs
        kind = common_type(ours.type, theirs.type) or theirs.type
        return Call(kind, "coalesce", (coerce(ours, kind), coerce(theirs, kind)))

    def _key_known(self, match: Match) -> bool:
        """Whether the matched pair has a value in every row: it was matched, or is known on the sides that are kept whole."""
        return {
            "inner": True,
            "right": not match.right.nullable,
            "full": not match.left.nullable and not match.right.nullable,
        }.get(self.how, not match.left.nullable)
