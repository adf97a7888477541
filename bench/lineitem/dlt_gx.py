"""The work with dlt for loading and Great Expectations for the rules: CSV to Parquet by dlt, then pandas frames."""

from __future__ import annotations

import sys
from pathlib import Path

import dlt
import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from dlt.destinations import filesystem
from pyarrow import csv as arrow_csv
from pyarrow import string
from typed_frame import MODES, TYPED, typed, write

NAMES = (
    "l_orderkey l_partkey l_suppkey l_linenumber l_quantity l_extendedprice l_discount l_tax l_returnflag l_linestatus "
    "l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment"
).split()

EXPECTATIONS = {
    "l_orderkey.required": gxe.ExpectColumnValuesToNotBeNull(column="l_orderkey"),
    "l_partkey.required": gxe.ExpectColumnValuesToNotBeNull(column="l_partkey"),
    "l_quantity.between": gxe.ExpectColumnValuesToBeBetween(column="quantity", min_value=1, max_value=50),
    "l_extendedprice.above": gxe.ExpectColumnValuesToBeBetween(column="extendedprice", min_value=0, strict_min=True),
    "l_discount.between": gxe.ExpectColumnValuesToBeBetween(column="discount", min_value=0, max_value=1),
    "l_tax.between": gxe.ExpectColumnValuesToBeBetween(column="tax", min_value=0, max_value=0.08),
    "l_returnflag.required": gxe.ExpectColumnValuesToNotBeNull(column="returnflag"),
    "l_returnflag.in": gxe.ExpectColumnValuesToBeInSet(column="returnflag", value_set=["A", "N", "R"]),
    "l_linestatus.in": gxe.ExpectColumnValuesToBeInSet(column="l_linestatus", value_set=["O", "F"]),
    "l_shipinstruct.matches": gxe.ExpectColumnValuesToMatchRegex(column="l_shipinstruct", regex="^[A-Z]+( [A-Z]+)*$"),
    "known_shipmode": gxe.ExpectColumnValuesToBeInSet(column="shipmode", value_set=MODES),
    "received_after_sent": gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="receiptdate", column_B="shipdate", or_equal=True, ignore_row_if="either_value_is_missing"
    ),
    **{f"l_{name}.type": gxe.ExpectColumnValuesToBeInSet(column=f"{name}_readable", value_set=[True]) for name in TYPED},
}


def loaded(data: Path, out: Path) -> pd.DataFrame:
    @dlt.resource(name="lineitem", write_disposition="replace")
    def lineitem():
        text = arrow_csv.ConvertOptions(column_types=dict.fromkeys(NAMES, string()), strings_can_be_null=True, null_values=[""])
        with arrow_csv.open_csv(data, read_options=arrow_csv.ReadOptions(block_size=1 << 24), convert_options=text) as batches:
            yield from batches

    store = filesystem(bucket_url=(out / "loaded").as_uri())
    pipeline = dlt.pipeline("lineitem", destination=store, dataset_name="raw", pipelines_dir=str(out / "dlt"))
    pipeline.run(lineitem(), loader_file_format="parquet")
    return pd.read_parquet(out / "loaded" / "raw" / "lineitem", columns=NAMES)


def reasons(frame: pd.DataFrame) -> pd.Series:
    for name in TYPED:
        frame[f"{name}_readable"] = frame[f"l_{name}"].isna() | frame[name].notna()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("lineitem")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite("lineitem")
    for reason, expectation in EXPECTATIONS.items():
        expectation.meta = {"reason": reason}
        suite.add_expectation(expectation)
    results = batch.validate(suite, result_format={"result_format": "COMPLETE"}).results
    found: dict[int, list[str]] = {}
    for result in results:
        if result.exception_info.get("raised_exception"):
            raise SystemExit(str(result.exception_info))
        for row in result.result.get("unexpected_index_list") or ():
            found.setdefault(row, []).append(result.expectation_config.meta["reason"])
    return pd.Series(found, dtype="object")


def main(data: Path, out: Path) -> None:
    frame = typed(loaded(data, out))
    write(frame, reasons(frame), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
