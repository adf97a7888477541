"""A room is one idea, and a function is read in one look."""

from __future__ import annotations

LONGEST_FILE = 450
LONGEST_FUNCTION = 50


def test_no_file_is_two_ideas(rooms):
    assert {r.name: n for r in rooms if (n := len(r.text.splitlines())) > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_look(rooms):
    lengths = {f"{r.name}:{f.name}": f.end_lineno - f.lineno + 1 for r in rooms for f in r.functions()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}
