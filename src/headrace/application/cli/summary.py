"""A run in words and lines: the graph with rows on every edge, the balance, reasons, checks, outputs, times. No I/O but its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.application.cli.console import duration, number, paint, printable, size, table
from headrace.application.queries.runs import RunView

_MARKS = {
    "pass": ("ok", "green"),
    "fail": ("fail", "red"),
    "error": ("error", "red"),
    "learning": ("learning", "blue"),
    "skipped": ("skipped", "dim"),
}


def summary(run: RunView) -> Iterator[str]:
    """The whole story of a run."""
    yield from heading(run)
    if run.sources:
        yield from ("", paint("Rows", "bold"))
        yield from graph(run)
        yield from balance(run)
        yield from reasons(run)
    if run.checks:
        yield from ("", paint("Checks", "bold"))
        yield from checks(run)
    if run.sinks:
        yield from ("", paint("Published", "bold"))
        yield from outputs(run)
    if run.sources:
        yield from ("", paint("Time", "bold"))
        yield from times(run)


def heading(run: RunView) -> Iterator[str]:
    style = {"succeeded": "green", "unchanged": "green", "failed": "red", "cancelled": "yellow"}.get(run.state, "cyan")
    words = "nothing to do: every target already holds this" if run.unchanged else run.state
    yield f"{paint(run.pipeline, 'bold')}  run {run.id}  {paint(words, style)}  {paint(duration(run.seconds), 'dim')}"
    if run.error:
        yield paint(f"  {run.error['message']}", "red")
        if run.error.get("hint"):
            yield f"  {run.error['hint']}"


def graph(run: RunView) -> Iterator[str]:
    """Every node with the rows on the edges into and out of it, each below the one it takes most of its rows from."""
    children: dict[str, list[Mapping[str, Any]]] = {}
    roots = []
    for node in run.graph:
        if node["inputs"]:
            children.setdefault(node["inputs"][0], []).append(node)
        else:
            roots.append(node)
    for root in sorted(roots, key=lambda n: n["name"] not in children):
        yield from _branch(run, root, children, "  ", "")


def _branch(
    run: RunView, node: Mapping[str, Any], children: Mapping[str, list[Mapping[str, Any]]], indent: str, mark: str
) -> Iterator[str]:
    label = f"{indent}{mark}{paint(node['name'], 'bold')} {paint('(' + node['kind'] + ')', 'dim')}"
    yield f"{label}  {_rows(run, node)}"
    below = children.get(node["name"], []) if node["part"] != "sink" else []
    inner = indent + ("" if not mark else "   " if mark.startswith("└") else "│  ")
    for i, child in enumerate(below):
        yield from _branch(run, child, children, inner, "└─ " if i == len(below) - 1 else "├─ ")


def _rows(run: RunView, node: Mapping[str, Any]) -> str:
    if node["part"] == "source":
        found = run.sources.get(node["name"], {})
        if "good" not in found:
            return ""
        parts = [f"{number(found['read'])} read → {paint(number(found['good']), 'green')} good"]
        parts += [f"{paint(number(found[k]), 'yellow')} {word}" for k, word in _FATES if found.get(k)]
        return ", ".join(parts)
    if node["part"] == "step":
        return _step_rows(run, node)
    stored = run.sinks.get(node["name"])
    if stored is None:
        rows = run.rows(node["inputs"][0])
        return f"{number(rows)} → not published" if rows is not None else ""
    if stored["already"]:
        return f"{number(stored['rows'])} → already there, nothing changed"
    return f"{number(stored['rows'])} → {paint(_changes(stored), 'green')}"


_FATES = (("quarantined", "quarantined"), ("dropped", "dropped"), ("filtered", "read before"))


def _step_rows(run: RunView, node: Mapping[str, Any]) -> str:
    found = run.steps.get(node["name"])
    if not found:
        return ""
    main, *others = found["inputs"].items()
    text = f"{number(main[1])} → {number(found['rows'])}"
    if found["filtered"]:
        text += f", {paint(number(found['filtered']), 'yellow')} filtered"
    if others:
        text += paint("  with " + ", ".join(f"{name} {number(rows)}" for name, rows in others), "dim")
    return text


def _changes(stored: Mapping[str, Any]) -> str:
    parts = [f"{number(stored[k])} {k}" for k in ("inserted", "updated", "unchanged", "deleted") if stored[k]]
    return ", ".join(parts) or "0 rows"


def balance(run: RunView) -> Iterator[str]:
    """`read = written + filtered + quarantined`, over all sources."""
    for name, found in run.sources.items():
        if "good" not in found:
            continue
        parts = [f"{number(found['good'])} passed on"]
        parts += [f"{number(found[k])} {word}" for k, word in _FATES if found.get(k)]
        yield paint(f"  {name}: {number(found['read'])} read = {' + '.join(parts)}", "dim")


def reasons(run: RunView, top: int = 8) -> Iterator[str]:
    """The rules that were broken most, each with an example row."""
    broken = [(name, rule) for name, s in run.sources.items() for rule in s.get("rules", ()) if rule["rows"]]
    if not broken:
        return
    yield from ("", paint("Rows that broke rules", "bold"))
    broken.sort(key=lambda item: -item[1]["rows"])
    for name, rule in broken[:top]:
        yield f"  {number(rule['rows']):>9}  {paint(name + ': ' + rule['rule'], 'yellow')}  {paint(rule['action'], 'dim')}"
        example = next((e for e in run.sources[name].get("examples", ()) if e["rule"] == rule["rule"]), None)
        if example:
            yield paint(f"             {_example(example, rule['columns'])}", "dim")
    if len(broken) > top:
        yield paint(f"  and {len(broken) - top} more rules: `headrace show --json`", "dim")


def _example(example: Mapping[str, Any], columns: Sequence[str]) -> str:
    place = printable(str(example["file"])) + (f", record {example['record']:,}" if example["record"] else "")
    if example["text"] is not None:
        return f"{place}: {example['text'][:100]!r}"
    cells = example["cells"]
    shown = [column for column in columns if column in cells] or list(cells)[:6]
    return f"{place}: " + ", ".join(f"{c} = {cells[c]!r}" for c in shown)


def checks(run: RunView) -> Iterator[str]:
    for check in run.checks:
        word, style = _MARKS.get(check["outcome"], (check["outcome"], "red"))
        if check["outcome"] == "fail" and check["on_fail"] == "warn":
            word, style = "warn", "yellow"
        expected = f", expected {check['expected']}" if check["expected"] else ""
        yield f"  {paint(f'{word:<8}', style)} {check['check']} {paint('on ' + check['dataset'], 'dim')}: {check['observed']}{expected}"


def outputs(run: RunView) -> Iterator[str]:
    for stored in run.sinks.values():
        staged = run.staged.get(stored["dataset"], {})
        weight = f" ({size(staged['bytes'])} staged)" if staged.get("bytes") else ""
        what = "already there" if stored["already"] else _changes(stored)
        yield f"  {stored['target']}  {what}{weight}"
    held = [s["quarantine"] for s in run.sources.values() if s.get("quarantine")]
    for path in held:
        yield paint(f"  held back: {path}", "dim")


def times(run: RunView) -> Iterator[str]:
    rows = [(f"read and judge {n}", s.get("seconds"), s.get("read")) for n, s in run.sources.items()]
    rows += [(f"transform and stage {n}", s["seconds"], s["rows"]) for n, s in run.staged.items()]
    rows += [(f"publish {n}", s["seconds"], s["rows"]) for n, s in run.sinks.items()]
    lines = table(("  part", "time", "rows"), [(f"  {what}", duration(t), number(n)) for what, t, n in rows], right=(1, 2))
    yield from lines
