"""Makes the events of an auction house as the benchmark NEXMark describes them: of fifty, one is a person, three auctions, 46 bids.

The same number and seed give the same events, in order of time, so that whatever reads them can be compared.

    python examples/nexmark/events.py --events 50000 --out examples/nexmark/data

Source: P. Tucker, K. Tufte, V. Papadimos, D. Maier: NEXMark, a benchmark for queries over data streams (2002).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

KINDS = ("persons", "auctions", "bids")
STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
CITIES = ("Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne")
CHANNELS = ("Google", "Facebook", "Baidu", "Apple")
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
CATEGORIES = range(10, 15)
#: How many of the latest persons and auctions are still talked of.
ACTIVE_PEOPLE, IN_FLIGHT = 200, 60


def events(number: int, per_second: int = 1000, seed: int = 1) -> Iterator[tuple[str, dict[str, object]]]:
    """So many events, each with its kind, in order of time."""
    chance = random.Random(seed)
    persons = auctions = 0
    for i in range(number):
        at = BEGIN + timedelta(seconds=i / per_second)
        place = i % 50
        if place == 0:
            yield "persons", _person(persons, at, chance)
            persons += 1
        elif place < 4:
            yield "auctions", _auction(auctions, persons, at, chance)
            auctions += 1
        else:
            yield "bids", _bid(auctions, persons, at, chance)


def _person(number: int, at: datetime, chance: random.Random) -> dict[str, object]:
    return {
        "id": number, "name": f"person {number}", "email": f"{number}@example.com", "city": chance.choice(CITIES),
        "state": chance.choice(STATES), "at": _text(at),
    }  # fmt: skip


def _auction(number: int, persons: int, at: datetime, chance: random.Random) -> dict[str, object]:
    first = chance.randrange(1, 1000)
    return {
        "id": number, "item": f"item {number}", "initial_bid": first, "reserve": first + chance.randrange(1000),
        "seller": chance.randrange(max(persons - ACTIVE_PEOPLE, 0), persons), "category": chance.choice(CATEGORIES), "at": _text(at),
        "expires": _text(at + timedelta(seconds=chance.randrange(1, 20))),
    }  # fmt: skip


def _bid(auctions: int, persons: int, at: datetime, chance: random.Random) -> dict[str, object]:
    hot = chance.random() < 0.5
    latest = auctions - 1
    return {
        "auction": latest - latest % 10 if hot else chance.randrange(max(auctions - IN_FLIGHT, 0), auctions),
        "bidder": chance.randrange(max(persons - ACTIVE_PEOPLE, 0), persons), "price": int(10 ** (chance.random() * 6)) * 100,
        "channel": chance.choice(CHANNELS), "at": _text(at),
    }  # fmt: skip


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(folder: Path, number: int, per_second: int = 1000, seed: int = 1) -> None:
    """Write a file of JSON lines for each kind of event."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: (folder / f"{kind}.jsonl").open("w", encoding="utf-8") for kind in KINDS}
    for kind, event in events(number, per_second, seed):
        files[kind].write(json.dumps(event) + "\n")
    for file in files.values():
        file.close()


def main(words: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=50_000)
    options.add_argument("--per-second", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("data"))
    chosen = options.parse_args(words)
    write(chosen.out, chosen.events, chosen.per_second, chosen.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
