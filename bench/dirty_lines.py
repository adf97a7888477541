"""Lines of orders of which two in a hundred break a rule, and the contract that says which: what the benchmarks of engines work on."""

from __future__ import annotations

import random
from pathlib import Path

NAMES = ("id", "customer", "quantity", "price", "discount", "shipped", "received", "status", "mode", "comment")
CONTRACT = """
      columns:
        id: {type: int64, required: true}
        customer: {type: int32, required: true, at_least: 1}
        quantity: {type: int32, between: [1, 50]}
        price: {type: 'decimal(12, 2)', at_least: 0}
        discount: {type: 'decimal(4, 2)', between: [0, 1]}
        shipped: {type: date, required: true}
        received: {type: date}
        status: {type: string, in: [O, F, P]}
        mode: {type: string, required: true}
      rules:
        in_order: received >= shipped
"""


def generate(file: Path, rows: int) -> None:
    dice = random.Random(7)
    with file.open("w") as out:
        out.write(",".join(NAMES) + "\n")
        for i in range(rows):
            bad = dice.random() < 0.02
            day, took = dice.randrange(1, 28), dice.randrange(0, 3)
            out.write(
                f"{i},{dice.randrange(1, 99999)},{'many' if bad and i % 2 else dice.randrange(1, 51)},{dice.randrange(100, 9999999) / 100:.2f},"
                f"0.{dice.randrange(0, 99):02},2024-{1 + i % 12:02}-{day:02},2024-{1 + i % 12:02}-{min(day + took, 28):02},"
                f"{'X' if bad and not i % 2 else 'OFP'[i % 3]},{('AIR', 'FOB', 'MAIL', 'RAIL')[i % 4]},comment number {i} about nothing in particular\n"
            )
