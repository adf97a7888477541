"""Draws the graph of a run as SVG: rows on every edge, and beside each node what became of the rest. No page around it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import log10
from typing import Any

from headrace.application.queries.runs import RunView
from headrace.presentation.report.layout import BOX_HEIGHT, BOX_WIDTH, Box, Edge, Layout, lay_out

STYLE = """
.page{fill:#fff}.box{fill:#f7f9fb;stroke:#c6d0da;stroke-width:1.2}.box.source{fill:#eef5fb;stroke:#8fb4d6}
.box.sink{fill:#eef8f1;stroke:#85bd97}.box.failed{fill:#fdf0ee;stroke:#d88a7d}.edge{fill:none;stroke:#9fb2c4}
text{font-family:system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1d2935}.name{font-size:14px;font-weight:650}
.kind{font-size:11px;fill:#647587}.rows{font-size:12.5px;font-variant-numeric:tabular-nums}.held{fill:#a85a00}
.lost{fill:#647587}.count{font-size:11.5px;font-variant-numeric:tabular-nums;fill:#3c4d5e}.halo{fill:#fff;opacity:.9}
@media (prefers-color-scheme:dark){.page{fill:#12181f}.box{fill:#1a232d;stroke:#3a4a5a}.box.source{fill:#162738;stroke:#3f6a92}
.box.sink{fill:#15291d;stroke:#3f7a55}.box.failed{fill:#341b18;stroke:#8f4a3f}.edge{stroke:#4d6174}text{fill:#e4ebf2}
.kind,.lost{fill:#93a4b5}.held{fill:#e8a04a}.count{fill:#b9c7d4}.halo{fill:#12181f}}
"""


def picture(run: RunView) -> str:
    """The SVG document."""
    layout = lay_out(run.graph)
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" {size} role="img">',
        f"<title>{escape(run.pipeline)}, run {escape(run.id)}: {escape(run.state)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" {size}/>',
        *_edges(run, layout),
        *(part for box in layout.boxes for part in _box(run, box)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _edges(run: RunView, layout: Layout) -> Iterator[str]:
    for edge in layout.edges:
        yield _curve(run, edge)
    for edge in layout.edges:
        rows = run.rows(edge.dataset)
        if rows is None:
            continue
        x, y = _point(edge, 0.66 if edge.fans_out else 0.34)
        text = f"{rows:,}"
        half = 3.6 * len(text) + 3
        yield f'<rect class="halo" x="{x - half:.1f}" y="{y - 8:.1f}" width="{2 * half:.1f}" height="16" rx="4"/>'
        yield f'<text class="count" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{text}</text>'


def _ends(edge: Edge) -> tuple[float, float, float, float]:
    return edge.source.x + BOX_WIDTH, edge.source.y + edge.leaves, edge.target.x, edge.target.y + edge.arrives


def _point(edge: Edge, way: float) -> tuple[float, float]:
    """The place on the curve after a part of the way, by its height; between two boxes in a row, the middle."""
    x1, y1, x2, y2 = _ends(edge)
    if edge.target.column - edge.source.column == 1 and abs(y2 - y1) < 1:
        way = 0.5
    return (
        x1 * (1 - way) ** 3 + 1.5 * (x1 + x2) * way * (1 - way) + x2 * way**3,
        y1 + (y2 - y1) * way**2 * (3 - 2 * way),
    )


def _curve(run: RunView, edge: Edge) -> str:
    x1, y1, x2, y2 = _ends(edge)
    middle = (x1 + x2) / 2
    rows = run.rows(edge.dataset) or 0
    width = 1.2 + 0.9 * log10(rows + 1)
    way = f"M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    return f'<path class="edge" stroke-width="{width:.1f}" d="{way}"/>'


def _box(run: RunView, box: Box) -> Iterator[str]:
    part = str(box.node["part"])
    failed = " failed" if run.state == "failed" and part == "sink" else ""
    yield f'<rect class="box {part}{failed}" x="{box.x:.1f}" y="{box.y:.1f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="9"/>'
    yield f'<text class="name" x="{box.x + 13:.1f}" y="{box.y + 23:.1f}">{escape(_short(box.name, 21))}</text>'
    yield f'<text class="kind" x="{box.x + 13:.1f}" y="{box.y + 39:.1f}">{escape(part)} · {escape(str(box.node["kind"]))}</text>'
    for i, (style, text) in enumerate(_facts(run, box)):
        yield f'<text class="rows {style}" x="{box.x + 13:.1f}" y="{box.y + 55 + 15 * i:.1f}">{escape(text)}</text>'


def _facts(run: RunView, box: Box) -> list[tuple[str, str]]:
    """At most two lines: the rows, and what became of those that did not go on."""
    part = box.node["part"]
    if part == "source":
        found = run.sources.get(box.name, {})
        if "good" not in found:
            return [("lost", "not read")]
        held = [
            f"{found[k]:,} {word}"
            for k, word in (("quarantined", "held back"), ("dropped", "dropped"), ("filtered", "read before"))
            if found.get(k)
        ]
        return [("", f"{found['read']:,} read"), *([("held", ", ".join(held))] if held else [])]
    if part == "step":
        return _step_facts(run.steps.get(box.name))
    stored = run.sinks.get(box.name)
    if stored is None:
        return [("lost", "not published")]
    if stored["already"]:
        return [("lost", "already there")]
    return [("", ", ".join(f"{stored[k]:,} {k}" for k in ("inserted", "updated", "unchanged") if stored[k]) or "0 rows")]


def _step_facts(found: dict[str, Any] | None) -> list[tuple[str, str]]:
    if not found:
        return []
    facts = [("", f"{found['rows']:,} rows")]
    if found["filtered"]:
        facts.append(("lost", f"{found['filtered']:,} filtered"))
    return facts


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
