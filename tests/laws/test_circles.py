"""No module knows itself by a detour. Imports inside functions and under TYPE_CHECKING are knowledge too, and count."""

from __future__ import annotations

import grimp


def test_no_module_is_in_a_circle():
    graph = grimp.build_graph("headrace", cache_dir=None)
    below = {module: sorted(graph.find_modules_directly_imported_by(module)) for module in sorted(graph.modules)}
    assert [circle for circle in circles(below) if len(circle) > 1] == []


def circles(graph: dict[str, list[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph (Tarjan), without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    found: list[list[str]] = []
    for start in graph:
        work = [(start, iter(graph[start]))] if start not in index else []
        while work:
            node, rest = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                open_nodes.append(node)
            fresh = next((n for n in rest if _look(n, node, index, low, open_nodes)), None)
            if fresh is not None:
                work.append((fresh, iter(graph[fresh])))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                at = open_nodes.index(node)
                found.append(open_nodes[at:])
                del open_nodes[at:]
    return found


def _look(below: str, node: str, index: dict[str, int], low: dict[str, int], open_nodes: list[str]) -> bool:
    """Whether `below` is still to be visited; a node that is still open lowers the one that imports it."""
    if below not in index:
        return True
    if below in open_nodes:
        low[node] = min(low[node], index[below])
    return False


def test_a_circle_would_be_found():
    assert sorted(map(sorted, circles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": []}))) == [
        ["a", "b", "c"],
        ["d"],
        ["e"],
    ]
