"""Whether a pattern covers the same on both sides: PostgreSQL takes the longest match, RE2 the first alternative. They agree where
the next character decides how to go on."""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.pattern_tree import Node, Ranges, Untranslatable, overlap, tidy


def decided(tree: Node, use: str, part: int) -> None:
    if use == "replace" and _nullable(tree):
        raise Untranslatable("it matches the empty text, of which PostgreSQL replaces others than RE2")
    if part and _is_repeated(tree, part):
        raise Untranslatable("brackets inside of a repetition are asked for, which PostgreSQL fills differently")
    _check(tree, ())


def _check(node: Node, follow: Ranges) -> None:
    """`follow` are the characters that may come behind a node."""
    why = "PostgreSQL takes the longest match and RE2 the first, and here they may differ; let each part begin with other characters"
    if node.kind == "repeat":
        first = _first(node.parts[0])
        if node.lazy or _nullable(node.parts[0]) or (node.least != node.most and overlap(first, follow)):
            raise Untranslatable(why)
        _check(node.parts[0], tidy([*first, *follow]) if node.most != 1 else follow)
    elif node.kind == "choice":
        seen: Ranges = ()
        for branch in node.parts:
            if _nullable(branch) or overlap(_first(branch), seen):
                raise Untranslatable(why)
            seen = tidy([*seen, *_first(branch)])
            _check(branch, follow)
    else:
        for i, part in enumerate(node.parts):
            rest = Node("sequence", node.parts[i + 1 :])
            after = tidy([*_first(rest), *(follow if _nullable(rest) else ())])
            _check(part, after)


def _first(node: Node) -> Ranges:
    if node.kind == "chars":
        return node.ranges
    if node.kind == "sequence":
        found: list[tuple[int, int]] = []
        for part in node.parts:
            found += _first(part)
            if not _nullable(part):
                break
        return tidy(found)
    return tidy([r for part in node.parts for r in _first(part)])


def _nullable(node: Node) -> bool:
    if node.kind == "repeat":
        return node.least == 0 or _nullable(node.parts[0])
    if node.kind == "choice":
        return any(map(_nullable, node.parts))
    return node.kind == "anchor" or (node.kind != "chars" and all(map(_nullable, node.parts)))


def groups_in(node: Node) -> int:
    return (node.kind == "group") + sum(map(groups_in, node.parts))


def _is_repeated(tree: Node, wanted: int) -> bool:
    """Whether the brackets of that number stand in a repetition that may go round more than once."""
    seen = 0

    def look(node: Node, inside: bool) -> bool:
        nonlocal seen
        if node.kind == "group":
            seen += 1
            if seen == wanted:
                return inside
        inside = inside or (node.kind == "repeat" and node.most != 1)
        return any(look(part, inside) for part in node.parts)

    return look(tree, inside=False)
