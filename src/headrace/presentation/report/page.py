"""A run as one HTML page: picture, balance, reasons, checks, outputs. It loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from headrace.application.queries.runs import RunView
from headrace.presentation.report.picture import picture

STYLE = """
:root{color-scheme:light dark;
--ink:#1d2935;--soft:#647587;--line:#dbe2e9;--page:#fff;--held:#a85a00;--ok:#1f7a45;--bad:#b3372a}
@media (prefers-color-scheme:dark){
:root{--ink:#e4ebf2;--soft:#93a4b5;--line:#2b3845;--page:#12181f;--held:#e8a04a;--ok:#5cc98a;--bad:#f08a7c}}
body{margin:0 auto;max-width:1180px;padding:28px 24px 60px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0}h2{font-size:16px;margin:34px 0 8px}p{margin:4px 0;color:var(--soft)}
.graph{overflow-x:auto;margin-top:20px;border:1px solid var(--line);border-radius:10px}
.graph svg{display:block;min-width:760px;width:100%;height:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:13px}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;padding-right:22px}
code{font:13px ui-monospace,monospace}.pass,.succeeded,.unchanged{color:var(--ok)}.fail,.error,.failed{color:var(--bad)}
.held{color:var(--held)}
"""


def page(run: RunView) -> str:
    """The HTML document."""
    started = f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC" if run.started_at else ""
    seconds = f"{run.seconds:.2f} s" if run.seconds is not None else ""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(run.pipeline)} {escape(run.id)}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        f'<h1>{escape(run.pipeline)} <span class="{escape(run.state)}">{escape(run.state)}</span></h1>',
        f"<p>run <code>{escape(run.id)}</code>, {started}, {seconds}, plan <code>{escape(run.fingerprint)}</code></p>",
        *_error(run),
        f'<div class="graph">{picture(run)}</div>',
        *_balance(run),
        *_reasons(run),
        *_checks(run),
        *_outputs(run),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _error(run: RunView) -> Iterator[str]:
    if run.error:
        yield f'<p class="failed">{escape(str(run.error["message"]))}</p><p>{escape(str(run.error.get("hint") or ""))}</p>'


def _balance(run: RunView) -> Iterator[str]:
    rows = [
        [name, *(f"{found.get(k, 0):,}" for k in ("read", "good", "quarantined", "dropped", "filtered"))]
        for name, found in run.sources.items()
    ]
    yield "<h2>Every row accounted for</h2>"
    yield from _table(
        ("source", "read", "= passed on", "+ quarantined", "+ dropped", "+ read before"), rows, numbers=range(1, 6)
    )


def _reasons(run: RunView) -> Iterator[str]:
    rows = [
        [f"{name}: {rule['rule']}", rule["action"], f"{rule['rows']:,}", _example(examples.get(rule["rule"]), rule["columns"])]
        for name, found in run.sources.items()
        for examples in [{e["rule"]: e for e in found.get("examples", ())}]
        for rule in sorted(found.get("rules", ()), key=lambda r: -r["rows"])
        if rule["rows"]
    ]
    if rows:
        yield "<h2>Rules that were broken</h2>"
        yield from _table(("rule", "then", "rows", "for example"), rows, numbers=(2,))


def _example(example: Mapping[str, Any] | None, columns: Sequence[str]) -> str:
    if example is None:
        return ""
    cells = example["cells"]
    shown = [column for column in columns if column in cells] or list(cells)[:6]
    text = example["text"] or ", ".join(f"{name} = {cells[name]!r}" for name in shown)
    return f"{example['file']}, record {example['record']}: {text}"


def _checks(run: RunView) -> Iterator[str]:
    if run.checks:
        yield "<h2>Checks</h2>"
        rows = [[c["outcome"], f"{c['check']} on {c['dataset']}", c["observed"], c["expected"]] for c in run.checks]
        yield from _table(("outcome", "check", "observed", "expected"), rows, styled=True)


def _outputs(run: RunView) -> Iterator[str]:
    if run.sinks:
        yield "<h2>Published</h2>"
        rows = [[s["target"], f"{s['inserted']:,}", f"{s['updated']:,}", f"{s['unchanged']:,}"] for s in run.sinks.values()]
        yield from _table(("target", "inserted", "updated", "unchanged"), rows, numbers=(1, 2, 3))


def _table(
    head: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = (), styled: bool = False
) -> Iterator[str]:
    def cell(tag: str, i: int, value: object) -> str:
        style = ' class="n"' if i in numbers else f' class="{escape(str(value))}"' if styled and i == 0 and tag == "td" else ""
        return f"<{tag}{style}>{escape(str(value))}</{tag}>"

    yield "<table><tr>" + "".join(cell("th", i, value) for i, value in enumerate(head)) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(cell("td", i, value) for i, value in enumerate(row)) + "</tr>"
    yield "</table>"
