"""Places the nodes of a run's graph in columns along the flow, and the edges between them. Geometry only, no drawing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from headrace.records import record

BOX_WIDTH, BOX_HEIGHT = 186, 78
COLUMN_GAP, ROW_GAP, MARGIN = 100, 26, 20
_STEP = BOX_HEIGHT + ROW_GAP


@dataclass(slots=True)
class Box:
    """A node with its place; `column` counts from the sources."""

    node: Mapping[str, Any]
    column: int
    x: float = 0
    y: float = 0

    @property
    def name(self) -> str:
        return str(self.node["name"])

    @property
    def key(self) -> str:
        return key_of(self.node)


@record
class Edge:
    """Rows that flow from one box to another. `leaves` and `arrives` are where it meets their sides, from their tops."""

    source: Box
    target: Box
    dataset: str
    leaves: float = BOX_HEIGHT / 2
    arrives: float = BOX_HEIGHT / 2
    fans_out: bool = False
    """Whether more edges leave its source than arrive at its target, so that its own place is near the target."""


@dataclass(slots=True)
class Layout:
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    width: float = 0
    height: float = 0


def key_of(node: Mapping[str, Any]) -> str:
    """Sinks may bear the name of a step, so they are told apart."""
    return f"{'sink' if node['part'] == 'sink' else 'data'}:{node['name']}"


def lay_out(graph: Sequence[Mapping[str, Any]]) -> Layout:
    """Columns by longest way from a source; within a column, each node near those it takes rows from and gives them to."""
    boxes: dict[str, Box] = {}
    for node in graph:
        above = [boxes[f"data:{name}"].column for name in node["inputs"] if f"data:{name}" in boxes]
        boxes[key_of(node)] = Box(node, max(above, default=-1) + 1)
    _pull_sources(boxes)
    edges = [
        Edge(boxes[f"data:{name}"], box, name)
        for box in boxes.values()
        for name in box.node["inputs"]
        if f"data:{name}" in boxes
    ]
    columns: dict[int, list[Box]] = {}
    for box in boxes.values():
        columns.setdefault(box.column, []).append(box)
    for column in columns.values():
        _stack(column, {box.key: i * _STEP for i, box in enumerate(column)})
    _settle(columns, edges)
    for box in boxes.values():
        box.x = MARGIN + box.column * (BOX_WIDTH + COLUMN_GAP)
    width = (max(columns, default=0) + 1) * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP + 2 * MARGIN
    return Layout(list(boxes.values()), _with_ends(edges), width, _from_the_top(boxes.values()))


def _pull_sources(boxes: Mapping[str, Box]) -> None:
    """A source that is first read far along the flow stands just before its first reader, so that no edge crosses the picture."""
    for box in boxes.values():
        if box.node["part"] != "source":
            continue
        readers = [b.column for b in boxes.values() if box.name in b.node["inputs"]]
        if readers:
            box.column = max(box.column, min(readers) - 1)


def _settle(columns: Mapping[int, list[Box]], edges: Sequence[Edge], sweeps: int = 4) -> None:
    """Sweep back and forth: every box wishes to stand at the middle of its neighbours on the side just visited."""
    for sweep in range(2 * sweeps + 1):
        forth = sweep % 2 == 1
        for number in sorted(columns, reverse=not forth):
            _stack(columns[number], _wishes(columns[number], edges, forth=forth))
    if columns:
        _stack(columns[max(columns)], _wishes(columns[max(columns)], edges, forth=True))


def _wishes(column: Sequence[Box], edges: Sequence[Edge], *, forth: bool) -> dict[str, float]:
    wishes = {}
    for box in column:
        before = [e.source.y for e in edges if e.target is box]
        behind = [e.target.y for e in edges if e.source is box]
        near = (before or behind) if forth else (behind or before)
        wishes[box.key] = sum(near) / len(near) if near else box.y
    return wishes


def _stack(column: list[Box], wishes: Mapping[str, float]) -> None:
    """Place the boxes of a column as near to their wishes as they can be without overlapping. Ties keep their order."""
    column.sort(key=lambda box: wishes[box.key])
    y = -inf
    for box in column:
        y = box.y = max(wishes[box.key], y + _STEP)
    shift = sum(wishes[box.key] - box.y for box in column) / len(column)
    for box in column:
        box.y += shift


def _from_the_top(boxes: Collection[Box]) -> float:
    """Move everything to below the margin; how tall the picture is."""
    top = min((box.y for box in boxes), default=0)
    for box in boxes:
        box.y += MARGIN - top
    return max((box.y + BOX_HEIGHT for box in boxes), default=MARGIN) + MARGIN


def _with_ends(edges: Sequence[Edge]) -> list[Edge]:
    """Edges that meet at a box stand apart there, in the order of where they come from or go to."""
    placed = []
    for edge in edges:
        leaving = sorted((e for e in edges if e.source is edge.source), key=lambda e: e.target.y)
        arriving = sorted((e for e in edges if e.target is edge.target), key=lambda e: e.source.y)
        ends = (_spread(leaving.index(edge), len(leaving)), _spread(arriving.index(edge), len(arriving)))
        placed.append(replace(edge, leaves=ends[0], arrives=ends[1], fans_out=len(leaving) > len(arriving)))
    return placed


def _spread(number: int, of: int) -> float:
    """Where the edge with this number meets the side of a box, from its top."""
    gap = min(14.0, (BOX_HEIGHT - 24) / max(of - 1, 1))
    return BOX_HEIGHT / 2 + (number - (of - 1) / 2) * gap
