"""Places the nodes of a run's graph in columns along the flow, and the edges between them. Geometry only, no drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BOX_WIDTH, BOX_HEIGHT = 208, 78
COLUMN_GAP, ROW_GAP, MARGIN = 92, 34, 24


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


@dataclass(frozen=True, slots=True)
class Edge:
    source: Box
    target: Box
    dataset: str


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
    """Columns by longest way from a source; within a column, each node near those it takes rows from."""
    boxes: dict[str, Box] = {}
    for node in graph:
        above = [boxes[f"data:{name}"].column for name in node["inputs"] if f"data:{name}" in boxes]
        boxes[key_of(node)] = Box(node, max(above, default=-1) + 1)
    _pull_sources(boxes)
    columns: dict[int, list[Box]] = {}
    for box in boxes.values():
        columns.setdefault(box.column, []).append(box)
    tallest = max((len(c) for c in columns.values()), default=0)
    height = tallest * (BOX_HEIGHT + ROW_GAP) - ROW_GAP + 2 * MARGIN
    for number in sorted(columns):
        _place(number, columns[number], boxes, height)
    edges = [
        Edge(boxes[f"data:{name}"], box, name)
        for box in boxes.values()
        for name in box.node["inputs"]
        if f"data:{name}" in boxes
    ]
    width = (max(columns, default=0) + 1) * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP + 2 * MARGIN
    return Layout(list(boxes.values()), edges, width, height)


def _pull_sources(boxes: Mapping[str, Box]) -> None:
    """A source that is first read far along the flow stands just before its first reader, so that no edge crosses the picture."""
    for box in boxes.values():
        if box.node["part"] != "source":
            continue
        readers = [b.column for b in boxes.values() if box.name in b.node["inputs"]]
        if readers:
            box.column = max(box.column, min(readers) - 1)


def _place(number: int, column: list[Box], boxes: Mapping[str, Box], height: float) -> None:
    def wish(box: Box) -> float:
        above = [boxes[f"data:{name}"].y for name in box.node["inputs"] if f"data:{name}" in boxes]
        return sum(above) / len(above) if above else height

    column.sort(key=wish)
    total = len(column) * (BOX_HEIGHT + ROW_GAP) - ROW_GAP
    y = (height - total) / 2
    for box in column:
        box.x = MARGIN + number * (BOX_WIDTH + COLUMN_GAP)
        box.y = y
        y += BOX_HEIGHT + ROW_GAP
