"""Repetitions that take as little as they can, written as ones that take what they must: PostgreSQL takes the longest match, whatever is
said of a part. Only where both cover the same; what is lazy still, afterwards, is refused.
"""

from __future__ import annotations

from dataclasses import replace

from headrace.infrastructure.engines.postgres.pattern_tree import Node, Ranges, others, overlap, tidy


def without_laziness(tree: Node) -> Node:
    """The same matches of a pattern that need not be all of a text. `.*?"` at its end is `[^"]*"`; `a*?b` is `a*b` anywhere."""
    return _within(tree, [])


def _within(node: Node, rest: list[Node]) -> Node:
    """`rest` is what has to come behind a node, up to the end of the pattern."""
    if node.kind == "repeat":
        return _repeat(node, rest)
    if node.kind in ("sequence", "group"):
        parts = [_within(part, [*node.parts[i + 1 :], *rest]) for i, part in enumerate(node.parts)]
        return replace(node, parts=parts)
    return node  # Alternatives are left as they are: which one counts may depend on how far a part goes.


def _repeat(node: Node, rest: list[Node]) -> Node:
    inner, closing = node.parts[0], _flat(rest)
    if not node.lazy or inner.kind != "chars" or not closing or closing[0].kind != "chars":
        return node
    if not overlap(inner.ranges, closing[0].ranges):
        return replace(node, lazy=False)
    if len(closing) > 1:
        return node
    short = _minus(inner.ranges, closing[0].ranges)
    most = None if node.most is None else node.most - node.least
    exact = Node("repeat", [inner], least=node.least, most=node.least)
    more = Node("repeat", [replace(inner, ranges=short)], least=0, most=most)
    parts = [exact] * (node.least > 0) + [more] * bool(short and most != 0)
    return Node("sequence", parts)


def _flat(nodes: list[Node]) -> list[Node]:
    """Sequences as what they are made of, one behind the other."""
    return [part for node in nodes for part in (_flat(node.parts) if node.kind == "sequence" else [node])]


def _minus(ranges: Ranges, without: Ranges) -> Ranges:
    """The characters of one set that are not in another."""
    kept = others(without)
    return tidy([(max(a, low), min(b, high)) for a, b in ranges for low, high in kept if max(a, low) <= min(b, high)])
