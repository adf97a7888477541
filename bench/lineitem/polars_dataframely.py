"""The work by hand in Polars, with dataframely for the rules. Casts are columns of their own, as only so a row that
fails a cast is told its other reasons too."""

from __future__ import annotations

import sys
from pathlib import Path

import dataframely as dy
import polars as pl

WHOLE = {"orderkey": pl.Int64, "partkey": pl.Int64, "suppkey": pl.Int64, "linenumber": pl.Int32}
MONEY = ("quantity", "extendedprice", "discount", "tax")
DATES = ("shipdate", "commitdate", "receiptdate")
MODES = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"]
TYPED = (*WHOLE, *MONEY, *DATES)


def readable(name: str) -> pl.Expr:
    return pl.col(f"l_{name}").is_null() | pl.col(name).is_not_null()


class Lineitem(dy.Schema):
    """Raw columns have an `l_`, typed ones have none."""

    l_orderkey = dy.String(nullable=False)
    l_partkey = dy.String(nullable=False)
    l_suppkey = dy.String(nullable=True)
    l_linenumber = dy.String(nullable=True)
    l_quantity = dy.String(nullable=True)
    l_extendedprice = dy.String(nullable=True)
    l_discount = dy.String(nullable=True)
    l_tax = dy.String(nullable=True)
    l_returnflag = dy.String(nullable=True)
    l_linestatus = dy.String(nullable=True)
    l_shipdate = dy.String(nullable=True)
    l_commitdate = dy.String(nullable=True)
    l_receiptdate = dy.String(nullable=True)
    l_shipinstruct = dy.String(nullable=True, regex="^[A-Z]+( [A-Z]+)*$")
    l_shipmode = dy.String(nullable=True)
    l_comment = dy.String(nullable=True)
    orderkey = dy.Int64(nullable=True)
    partkey = dy.Int64(nullable=True)
    suppkey = dy.Int64(nullable=True)
    linenumber = dy.Int32(nullable=True)
    quantity = dy.Decimal(15, 2, nullable=True)
    extendedprice = dy.Decimal(15, 2, nullable=True)
    discount = dy.Decimal(15, 2, nullable=True)
    tax = dy.Decimal(15, 2, nullable=True)
    returnflag = dy.String(nullable=False)
    shipdate = dy.Date(nullable=True)
    commitdate = dy.Date(nullable=True)
    receiptdate = dy.Date(nullable=True)
    shipmode = dy.String(nullable=True)

    @dy.rule()
    def orderkey_type(cls) -> pl.Expr:
        return readable("orderkey")

    @dy.rule()
    def partkey_type(cls) -> pl.Expr:
        return readable("partkey")

    @dy.rule()
    def suppkey_type(cls) -> pl.Expr:
        return readable("suppkey")

    @dy.rule()
    def linenumber_type(cls) -> pl.Expr:
        return readable("linenumber")

    @dy.rule()
    def quantity_type(cls) -> pl.Expr:
        return readable("quantity")

    @dy.rule()
    def quantity_between(cls) -> pl.Expr:
        return pl.col("quantity").is_between(1, 50)

    @dy.rule()
    def extendedprice_type(cls) -> pl.Expr:
        return readable("extendedprice")

    @dy.rule()
    def extendedprice_above(cls) -> pl.Expr:
        return pl.col("extendedprice") > 0

    @dy.rule()
    def discount_type(cls) -> pl.Expr:
        return readable("discount")

    @dy.rule()
    def discount_between(cls) -> pl.Expr:
        return pl.col("discount").is_between(0, 1)

    @dy.rule()
    def tax_type(cls) -> pl.Expr:
        return readable("tax")

    @dy.rule()
    def tax_between(cls) -> pl.Expr:
        return pl.col("tax").is_between(0, pl.lit("0.08").cast(pl.Decimal(15, 2)))

    @dy.rule()
    def returnflag_in(cls) -> pl.Expr:
        return pl.col("returnflag").is_in(["A", "N", "R"])

    @dy.rule()
    def linestatus_in(cls) -> pl.Expr:
        return pl.col("l_linestatus").is_in(["O", "F"])

    @dy.rule()
    def shipdate_type(cls) -> pl.Expr:
        return readable("shipdate")

    @dy.rule()
    def commitdate_type(cls) -> pl.Expr:
        return readable("commitdate")

    @dy.rule()
    def receiptdate_type(cls) -> pl.Expr:
        return readable("receiptdate")

    @dy.rule()
    def received_after_sent(cls) -> pl.Expr:
        return pl.col("receiptdate") >= pl.col("shipdate")

    @dy.rule()
    def known_shipmode(cls) -> pl.Expr:
        return pl.col("shipmode").is_in(MODES)


#: dataframely's names of rules, as the other contestants write them.
REASONS = {
    **{f"{name}_type": f"l_{name}.type" for name in TYPED},
    "l_orderkey|nullability": "l_orderkey.required",
    "l_partkey|nullability": "l_partkey.required",
    "quantity_between": "l_quantity.between",
    "extendedprice_above": "l_extendedprice.above",
    "discount_between": "l_discount.between",
    "tax_between": "l_tax.between",
    "returnflag|nullability": "l_returnflag.required",
    "returnflag_in": "l_returnflag.in",
    "linestatus_in": "l_linestatus.in",
    "l_shipinstruct|regex": "l_shipinstruct.matches",
    "received_after_sent": "received_after_sent",
    "known_shipmode": "known_shipmode",
}


def typed(data: Path) -> pl.LazyFrame:
    returnflag = pl.col("l_returnflag").str.strip_chars(" ")
    return pl.scan_csv(data, infer_schema=False).with_columns(
        *(pl.col(f"l_{name}").cast(kind, strict=False).alias(name) for name, kind in WHOLE.items()),
        *(pl.col(f"l_{name}").cast(pl.Decimal(15, 2), strict=False).alias(name) for name in MONEY),
        *(pl.col(f"l_{name}").str.to_date("%Y-%m-%d", strict=False).alias(name) for name in DATES),
        pl.when(returnflag != "").then(returnflag).alias("returnflag"),
        pl.col("l_shipmode").str.strip_chars(" ").str.to_uppercase().alias("shipmode"),
    )


def cleaned(good: pl.DataFrame) -> pl.LazyFrame:
    names = (*TYPED, "returnflag", "shipmode")
    return (
        good.lazy()
        .filter(pl.struct("orderkey", "linenumber").is_first_distinct())  # `unique` took seven times as long
        .select(
            *(pl.col(name).alias(f"l_{name}") for name in names),
            "l_linestatus",
            "l_shipinstruct",
            pl.col("l_comment").str.strip_chars(" "),
            (pl.col("extendedprice") * (1 - pl.col("discount")).cast(pl.Decimal(15, 4))).alias("revenue"),
            (pl.col("receiptdate") - pl.col("shipdate")).dt.total_days().alias("days_on_the_way"),
            (pl.col("receiptdate") > pl.col("commitdate")).alias("is_late"),
        )
    )


def main(data: Path, out: Path) -> None:
    good, failure = Lineitem.filter(typed(data)).collect_all()
    details = failure.details()
    reasons = pl.concat_list(
        *(pl.when(pl.col(rule).cast(pl.String) == "invalid").then(pl.lit(name)) for rule, name in REASONS.items())
    ).list.drop_nulls()
    raw = [name for name in Lineitem.column_names() if name.startswith("l_")]
    details.select(*raw, reasons.alias("reasons")).write_parquet(out / "bad.parquet")
    rows = cleaned(good).collect()
    rows.write_parquet(out / "good.parquet")
    rows.lazy().group_by("l_returnflag", "l_linestatus", "l_shipmode").agg(
        pl.len().alias("lines"),
        pl.col("l_quantity").sum().alias("quantity"),
        pl.col("revenue").sum().alias("revenue"),
        pl.col("l_discount").mean().alias("discount"),
        pl.col("is_late").sum().alias("late"),
    ).collect().write_parquet(out / "totals.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
