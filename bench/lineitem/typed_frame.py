"""The typed frame that both pandas contestants start from: raw columns have an `l_`, typed ones have none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

WHOLE = ("orderkey", "partkey", "suppkey", "linenumber")
MONEY = ("quantity", "extendedprice", "discount", "tax")
DATES = ("shipdate", "commitdate", "receiptdate")
TYPED = (*WHOLE, *MONEY, *DATES)
MODES = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"]


def read(data: Path) -> pd.DataFrame:
    return pd.read_csv(data, dtype="str", engine="pyarrow")


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in WHOLE:
        frame[name] = pd.to_numeric(frame[f"l_{name}"], errors="coerce").astype("Int64")
    for name in MONEY:
        frame[name] = pd.to_numeric(frame[f"l_{name}"], errors="coerce")
    for name in DATES:
        frame[name] = pd.to_datetime(frame[f"l_{name}"], format="%Y-%m-%d", errors="coerce")
    flag = frame["l_returnflag"].str.strip(" ")
    frame["returnflag"] = flag.mask(flag == "")
    frame["shipmode"] = frame["l_shipmode"].str.strip(" ").str.upper()
    return frame


def write(frame: pd.DataFrame, reasons: pd.Series, out: Path) -> None:
    """Split, clean, derive, aggregate and write. `reasons` holds a list for each bad row, by the row's index."""
    bad = frame.loc[reasons.index, [name for name in frame.columns if name.startswith("l_")]].copy()
    bad["reasons"] = reasons
    bad.to_parquet(out / "bad.parquet", index=False)
    good = frame.drop(reasons.index).drop_duplicates(["orderkey", "linenumber"])
    good = good[[*TYPED, "returnflag", "l_linestatus", "l_shipinstruct", "shipmode", "l_comment"]]
    good = good.rename(columns={name: f"l_{name}" for name in good.columns if not name.startswith("l_")})
    good["l_comment"] = good["l_comment"].str.strip(" ")
    good["revenue"] = good["l_extendedprice"] * (1 - good["l_discount"])
    good["days_on_the_way"] = (good["l_receiptdate"] - good["l_shipdate"]).dt.days
    good["is_late"] = good["l_receiptdate"] > good["l_commitdate"]
    good.to_parquet(out / "good.parquet", index=False)
    groups = good.groupby(["l_returnflag", "l_linestatus", "l_shipmode"], as_index=False)
    groups.agg(
        lines=("l_orderkey", "size"),
        quantity=("l_quantity", "sum"),
        revenue=("revenue", "sum"),
        discount=("l_discount", "mean"),
        late=("is_late", "sum"),
    ).to_parquet(out / "totals.parquet", index=False)
