"""The pipeline of `../shop/pipeline.yaml`, written in Python. Both build the same definition and compare equal.

python pipeline.py
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from headrace import Pipeline, check, contract, sink, source, step

promises = contract(
    columns={
        "order_id": {"type": "int64", "required": True},
        "ordered_on": {"type": "date", "required": True},
        "customer": {"type": "string", "required": True},
        "status": {"type": "string", "required": True, "in": ["open", "paid", "shipped", "returned"]},
        "quantity": {"type": "int32", "required": True, "between": [1, 100]},
        "price": {"type": "decimal(10, 2)", "required": True, "at_least": 0},
    },
    rules={"nothing_from_the_future": "ordered_on <= date '2024-12-31'"},
)

shop = (
    Pipeline(
        "shop",
        description="A shop exports its orders once a day; each file is read once, and what is known of an order is brought up to date",
        project=Path(__file__).parent,
    )
    .read(orders=source.file("orders/*.csv"), contract=promises, incremental={"by": "file"})
    .apply(
        step.clean(
            trim=["customer"],
            case={"customer": "lower"},
            dedupe={"key": ["order_id"], "order_by": "ordered_on", "keep": "last"},
        ),
        step.derive(total="quantity * price"),
    )
    .check(check.row_count(min=1), check.unique("order_id"))
    .write(sink.sqlite(path="out/shop.db", table="orders", mode="merge", key=["order_id"], indexes=[["customer"]]))
    .test(
        "an order of nothing is held back",
        rows={"orders": [{"quantity": 0}]},
        expect={"quarantined": [{"reasons": ["quantity.between"]}]},
    )
    .test(
        "a total is what was ordered times what it costs",
        rows={
            "orders": [
                {
                    "order_id": 1,
                    "ordered_on": date(2024, 1, 3),
                    "customer": " Ada ",
                    "status": "open",
                    "quantity": 3,
                    "price": 2.5,
                }
            ]
        },
        expect={"rows": {"derive": [{"order_id": 1, "customer": "ada", "total": 7.5}]}},
    )
)

if __name__ == "__main__":
    run = shop.run()
    print(f"{run.state}: {run.read} read, {run.quarantined} held back, {run.written} written")
