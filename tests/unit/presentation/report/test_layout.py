"""The picture of a run: no two boxes overlap, rows flow to the right, edges that meet stand apart, every number is drawn."""

from __future__ import annotations

import random
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from headrace.application.queries.runs import RunView
from headrace.presentation.report.layout import BOX_HEIGHT, MARGIN, lay_out
from headrace.presentation.report.picture import picture


def graph(parts: int, seed: int) -> list[dict]:
    """Some sources, steps that read any of what is before them, and sinks."""
    chance = random.Random(seed)
    sources = [{"name": f"s{n}", "part": "source", "kind": "file", "inputs": []} for n in range(1 + parts // 3)]
    steps = []
    for n in range(parts):
        before = [node["name"] for node in (*sources, *steps)]
        reads = chance.sample(before, chance.randint(1, min(4, len(before))))
        steps.append({"name": f"t{n}", "part": "step", "kind": "sql", "inputs": reads})
    names = [node["name"] for node in (*sources, *steps)]
    sinks = [{"name": f"t{n}", "part": "sink", "kind": "file", "inputs": [chance.choice(names)]} for n in range(1 + parts // 4)]
    return [*sources, *steps, *sinks]


@given(st.integers(0, 14), st.integers(0, 10_000))
def test_boxes_do_not_overlap_and_lie_within_the_picture(parts, seed):
    layout = lay_out(graph(parts, seed))
    for x in {box.x for box in layout.boxes}:
        column = sorted(box.y for box in layout.boxes if box.x == x)
        assert all(below - above >= BOX_HEIGHT for above, below in pairwise(column))
    assert all(box.y >= MARGIN - 1e-6 and box.y + BOX_HEIGHT <= layout.height - MARGIN + 1e-6 for box in layout.boxes)


@given(st.integers(0, 14), st.integers(0, 10_000))
def test_rows_flow_to_the_right_and_edges_stand_apart(parts, seed):
    layout = lay_out(graph(parts, seed))
    assert all(edge.source.column < edge.target.column for edge in layout.edges)
    for box in layout.boxes:
        arriving = [edge.arrives for edge in layout.edges if edge.target is box]
        assert len(set(arriving)) == len(arriving)
        assert all(0 < place < BOX_HEIGHT for place in arriving)


def test_a_row_of_boxes_is_a_straight_line():
    chain = [{"name": "a", "part": "source", "kind": "file", "inputs": []}]
    chain += [{"name": after, "part": "step", "kind": "filter", "inputs": [before]} for before, after in pairwise("abcd")]
    assert len({box.y for box in lay_out(chain).boxes}) == 1


def test_an_empty_run_is_an_empty_picture():
    assert ElementTree.fromstring(picture(RunView("r"))).tag.endswith("svg")


def test_every_number_stands_in_the_picture_and_names_are_escaped():
    run = RunView("r", "p", "succeeded")
    run.graph = [
        {"name": "a<b>&", "part": "source", "kind": "file", "inputs": []},
        {"name": "kept", "part": "step", "kind": "filter", "inputs": ["a<b>&"]},
        {"name": "out", "part": "sink", "kind": "file", "inputs": ["kept"]},
    ]
    run.sources = {"a<b>&": {"read": 12_345, "good": 12_000, "quarantined": 345, "dropped": 0, "filtered": 0}}
    run.steps = {"kept": {"rows": 11_000, "filtered": 1_000}}
    run.sinks = {"out": {"already": False, "inserted": 11_000, "updated": 0, "unchanged": 0}}
    words = "|".join(ElementTree.fromstring(picture(run)).itertext())
    for number in ("12,345 read", "345 held back", "12,000", "11,000 rows", "1,000 filtered", "11,000 inserted", "a<b>&"):
        assert number in words
