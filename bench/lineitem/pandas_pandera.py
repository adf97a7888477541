"""The work in pandas, with Pandera for the rules."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from typed_frame import MODES, TYPED, read, typed, write


def readable(name: str) -> pa.Check:
    return pa.Check(lambda frame: frame[f"l_{name}"].isna() | frame[name].notna(), name=f"l_{name}.type")


SCHEMA = pa.DataFrameSchema(
    {
        "l_orderkey": pa.Column(nullable=False),
        "l_partkey": pa.Column(nullable=False),
        "quantity": pa.Column(nullable=True, checks=pa.Check.between(1, 50, error="l_quantity.between")),
        "extendedprice": pa.Column(nullable=True, checks=pa.Check.gt(0, error="l_extendedprice.above")),
        "discount": pa.Column(nullable=True, checks=pa.Check.between(0, 1, error="l_discount.between")),
        "tax": pa.Column(nullable=True, checks=pa.Check.between(0, 0.08, error="l_tax.between")),
        "returnflag": pa.Column(nullable=False, checks=pa.Check.isin(["A", "N", "R"], error="l_returnflag.in")),
        "l_linestatus": pa.Column(nullable=True, checks=pa.Check.isin(["O", "F"], error="l_linestatus.in")),
        "l_shipinstruct": pa.Column(
            nullable=True, checks=pa.Check.str_matches(r"^[A-Z]+( [A-Z]+)*$", error="l_shipinstruct.matches")
        ),
        "shipmode": pa.Column(nullable=True, checks=pa.Check.isin(MODES, error="known_shipmode")),
    },
    checks=[
        *(readable(name) for name in TYPED),
        pa.Check(
            lambda f: ~(f["receiptdate"] < f["shipdate"]),
            name="received_after_sent",
        ),
    ],
)


def reasons(frame: pd.DataFrame) -> pd.Series:
    try:
        SCHEMA.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases[["index", "column", "check"]]
    else:
        return pd.Series(dtype="object")
    missing = cases["check"] == "not_nullable"
    named = "l_" + cases["column"].astype("str").str.removeprefix("l_") + ".required"
    cases = cases.assign(check=cases["check"].mask(missing, named)).drop_duplicates(["index", "check"])
    return cases.groupby("index")["check"].agg(list)


def main(data: Path, out: Path) -> None:
    frame = typed(read(data))
    write(frame, reasons(frame), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
