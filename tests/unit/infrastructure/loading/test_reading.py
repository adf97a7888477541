"""YAML texts, friendly and hostile."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from headrace.errors import DefinitionError, Location, UsageError
from headrace.infrastructure.loading.reading import LARGEST, read_document, read_text


def refused(text: str) -> tuple[str, int, int]:
    with pytest.raises(DefinitionError) as caught:
        read_document(text, "f.yaml")
    (problem,) = caught.value.problems
    return problem.message, problem.location.line, problem.location.column


def test_every_key_and_value_has_its_place():
    document = read_document("a:\n  - b: 1\n    'c d': [x, {y: z}]\n", "f.yaml")
    assert document.data == {"a": [{"b": 1, "c d": ["x", {"y": "z"}]}]}
    assert document.places.of(("a",), on_key=True) == Location("f.yaml", 1, 1)
    assert document.places.of(("a", 0, "b")) == Location("f.yaml", 2, 8)
    assert document.places.of(("a", 0, "c d"), on_key=True) == Location("f.yaml", 3, 5)
    assert document.places.of(("a", 0, "c d", 1, "y")) == Location("f.yaml", 3, 20)


def test_a_part_that_is_not_there_is_placed_at_the_one_above():
    places = read_document("a:\n  b: 1\n", "f.yaml").places
    assert places.of(("a", "b", "c", 3)) == Location("f.yaml", 2, 6)
    assert places.of(("x",)) == Location("f.yaml", 1, 1)


def test_keys_are_the_words_that_they_look_like():
    assert read_document("NO: 1\n1: 2\ntrue: 3\n010: 4\n2013-01-01: 5", "f").data == {
        "NO": 1,
        "1": 2,
        "true": 3,
        "010": 4,
        "2013-01-01": 5,
    }


def test_quoted_scalars_are_text():
    assert read_document("""{a: '1', b: "true", c: 'null', d: ""}""", "f").data == {"a": "1", "b": "true", "c": "null", "d": ""}


def test_references_may_stand_unquoted_between_braces():
    text = "{path: in/${params.day}.csv, url: ${secret:env/PG-URL}, list: [${env.A}, $${b}]}"
    assert read_document(text, "f").data == {
        "path": "in/${params.day}.csv",
        "url": "${secret:env/PG-URL}",
        "list": ["${env.A}", "$${b}"],
    }


def test_aliases_repeat_what_they_name():
    document = read_document("a: &x [1, 2]\nb: *x\n", "f.yaml")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    assert document.places.of(("b", 1)) == Location("f.yaml", 1, 11)


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter():
    document = read_document("\ufeffa: 1\r\nb:\r\n  c: x\r\n", "f")
    assert document.data == {"a": 1, "b": {"c": "x"}}
    assert document.places.of(("b", "c")) == Location("f", 3, 6)


def test_an_empty_text_has_no_data():
    assert [read_document(text, "f").data for text in ("", "# nothing\n", "---\n", "\n\n")] == [None] * 4


def test_all_duplicates_are_told_with_the_first():
    document = read_document("a: 1\nb: 2\na: 3\nc: {x: 1, x: 2}\n", "f")
    assert [(p.message, p.location.line, p.hint) for p in document.problems] == [
        ("`a` stands here twice", 3, "the first is at line 1, column 1"),
        ("`x` stands here twice", 4, "the first is at line 4, column 5"),
    ]
    assert document.data == {"a": 1, "b": 2, "c": {"x": 1}}


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.system [id]", "a: !x 1", "a: !!str 1", "!!map {a: 1}", "a: !<tag:yaml.org,2002:int> 1"],
)
def test_tags_are_refused(text):
    assert "tag" in refused(text)[0]


def test_merge_keys_and_keys_that_are_no_words_are_told():
    document = read_document("x: &d {a: 1}\ny: {<<: *d, b: 2}\n? [k]\n: 1\n'': 2\n", "f")
    assert [(p.message.split()[0:3], p.location.line) for p in document.problems] == [
        (["merge", "keys", "(`<<`)"], 2),
        (["a", "key", "must"], 3),
        (["a", "key", "is"], 5),
    ]


def billion_laughs(levels: int = 9) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_alias_bombs_are_refused_without_being_unfolded():
    tracemalloc.start()
    message, _, _ = refused(billion_laughs())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "at most 100,000 values" in message
    assert peak < 200_000_000


def test_an_alias_inside_of_what_it_names_is_refused():
    assert refused("a: &x [1, *x]") == ("nothing before this is named `&x`", 1, 11)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "\n".join(" " * n + "a:" for n in range(1000))]
)
def test_deep_nesting_is_refused(text):
    assert "levels deep" in refused(text)[0]


@pytest.mark.parametrize(
    ("char", "code"),
    [
        ("\0", "0000"),
        ("\x07", "0007"),
        ("\x1b", "001B"),
        ("\x7f", "007F"),
        ("\u2028", "2028"),
        ("\x85", "0085"),
        ("\ufeff", "FEFF"),
        ("\ue000", "E000"),
    ],
)
def test_control_characters_are_refused_at_their_place(char, code):
    assert refused(f"a: 1\nb: x{char}y\n") == (f"the control character U+{code} cannot stand in a definition", 2, 5)


def test_a_second_document_is_refused():
    assert refused("a: 1\n---\nb: 2\n") == ("a second document begins here", 2, 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("a: b: c", 1, 5, "a `: ` inside a value"),
        ("a:\n\tb: 1", 2, 1, "a tab cannot indent"),
        ("a: 'x\nb: 1\n", 1, 4, "this quote is never closed"),
        ("a: 'x\nb: 'y'\n", 1, 4, "this quote is not closed"),
        ("b: 1\na: [1, 2\nc: 3\n", 2, 4, "this `[` is not closed by `]`"),
        ("b: 1\na: {x: 2\nc: 3\n", 2, 4, "this `{` is not closed by `}`"),
        ('a: "\\d+"', 1, 5, "there is no such escape (`\\`) in double quotes"),
        ("a: @x", 1, 4, "a value cannot begin with `@`"),
        ("a: %x", 1, 4, "a value cannot begin with `%`"),
        ("sources\n  b: 1\n", 1, 1, "`sources` needs a `:` behind it"),
        ("a: 1\n  b: 2\n", 2, 3, "this is indented deeper than the line above, which has a value already"),
        ("a:\n    b: 1\n  c: 2\n", 3, 3, "this line fits neither the block above nor one around it"),
        ("steps:\n  - a: 1\n   b: 2\n", 3, 4, "this line fits neither the block above nor one around it"),
        ("a: 'x' y\n", 1, 8, "this does not belong behind the value"),
        ("a: - b", 1, 4, "a list cannot begin behind its key"),
        ("a: | x\n  b", 1, 6, "nothing may follow `|` or `>` here"),
        ("a: *b", 1, 4, "nothing before this is named `&b`"),
    ],
)
def test_mistakes_of_syntax_are_told_where_they_are(text, line, column, said):
    assert refused(text) == (said, line, column)


def test_files_that_are_no_definitions(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        read_text(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="is not a file"):
        read_text(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not a file"):
        read_text(tmp_path / "pipe")


def test_a_huge_file_is_refused_without_being_read(tmp_path):
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(DefinitionError, match="100,000,000 bytes"):
        read_text(huge)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * LARGEST


def test_bytes_that_are_no_text_are_told_at_their_place(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\nb: caf\xe9\n")
    with pytest.raises(DefinitionError, match=r"f\.yaml:2:7: the byte 0xe9 is not UTF-8"):
        read_text(file)
    file.write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(DefinitionError, match="UTF-16"):
        read_text(file)
