"""YAML text to plain data with the place of every key and value. Safe with hostile text; not about what the data mean.

The tree is composed here from the parser's events, because PyYAML's own composer knows no limits and forgets the places.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NoReturn

import yaml

from headrace.errors import DefinitionError, Location, Path, Problem, UsageError
from headrace.infrastructure.loading.places import Places
from headrace.infrastructure.loading.scalars import resolve
from headrace.infrastructure.loading.syntax import explain

LARGEST = 5_000_000
DEEPEST = 64
MOST_NODES = 100_000

# Among them are some that break lines for the parser, but for no editor, and the two stand-ins below.
UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\ue001\ufeff\ufffe\uffff]")
#: In `{path: in/${params.day}.csv}` the inner braces would end the mapping: they are hidden from the parser.
_REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.:/@#-]*)\}", re.ASCII)
_HIDDEN = str.maketrans({"\ue000": "{", "\ue001": "}"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """What was read: plain data, the place of each part, and what is wrong with it as YAML."""

    data: Any
    places: Places
    problems: list[Problem] = field(default_factory=list)
    written: dict[Path, str] = field(default_factory=dict)
    """The text of each plain scalar that was read as a number or a boolean."""


def read_text(file: FilePath) -> str:
    """The text of a definition's file. Raises `UsageError` if there is none, `DefinitionError` if it is not text."""
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"{file} is not a file", hint="name the YAML file of a pipeline")
        with file.open("rb") as opened:
            raw = opened.read(LARGEST + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {file}", hint="`headrace init` writes one to start from") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if max(about.st_size, len(raw)) > LARGEST:
        _refuse(f"this file has {max(about.st_size, len(raw)):,} bytes; a definition has at most {LARGEST:,}", str(file))
    return _decode(raw, str(file))


def _decode(raw: bytes, file: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        _refuse("this file is in UTF-16", file, hint="save it as UTF-8")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = _line_and_column(before, len(before))
        _refuse(f"the byte 0x{raw[error.start]:02x} is not UTF-8", file, line, column, "save the file as UTF-8")


def read_document(text: str, file: str) -> Document:
    """The one document in the text. Raises `DefinitionError` when it cannot be read; lesser faults are in `problems`."""
    text = text.removeprefix("\ufeff")
    if len(text) > LARGEST:
        _refuse(f"this text has {len(text):,} characters; a definition has at most {LARGEST:,}", file)
    if strange := UNPRINTABLE.search(text):
        line, column = _line_and_column(text, strange.start())
        hint = f'in double quotes it can be written "\\u{ord(strange[0]):04x}"' if ord(strange[0]) else None
        _refuse(f"the control character U+{ord(strange[0]):04X} cannot stand in a definition", file, line, column, hint)
    root = _Composer(text, file).document()
    document = Document(None, Places(file, text))
    if root is not None:
        _Walk(document).visit(root, ())
    return document


@dataclass(slots=True, eq=False)
class _Node:
    event: Any
    items: list[Any] | None = None
    """Nodes of a list; pairs of nodes of a mapping; None for a scalar."""


class _Composer:
    """Events to nodes. An alias is the very node that its anchor named."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.anchors: dict[str, _Node] = {}
        self.events = self._events()

    def _events(self) -> Iterator[Any]:
        try:
            for event in yaml.parse(_REFERENCE.sub("$\ue000\\1\ue001", self.text), Loader=_LOADER):
                if isinstance(event, yaml.ScalarEvent):
                    event.value = event.value.translate(_HIDDEN)
                yield event
        except yaml.MarkedYAMLError as error:
            raise DefinitionError([explain(error, self.text, self.file)]) from None
        except yaml.YAMLError as error:
            raise DefinitionError([Problem(str(error).splitlines()[0], location=Location(self.file, 1, 1))]) from None

    def document(self) -> _Node | None:
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._refuse(
                        "a second document begins here", event, "a file holds one pipeline: put the other in a file of its own"
                    )
                root = self._node(next(self.events), 0)
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > DEEPEST:
            self._refuse(f"this is nested more than {DEEPEST} levels deep", event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self._refuse(
                    f"nothing before this is named `&{event.anchor}`", event, "put text that begins with `*` in quotes"
                )
            return self.anchors[event.anchor]
        if event.tag is not None:
            self._refuse(
                f"the tag `{event.tag}` is not allowed",
                event,
                "a definition holds plain values only; put text that begins with `!` in quotes",
            )
        node = _Node(event)
        if isinstance(event, yaml.SequenceStartEvent):
            node.items = [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        elif isinstance(event, yaml.MappingStartEvent):
            keys = self._until(yaml.MappingEndEvent)
            node.items = [(self._node(key, depth + 1), self._node(next(self.events), depth + 1)) for key in keys]
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self.events), end):
            yield event

    def _refuse(self, message: str, event: Any, hint: str | None = None) -> NoReturn:
        mark = event.start_mark
        _refuse(message, self.file, mark.line + 1, mark.column + 1, hint)


class _Walk:
    """Nodes to plain data, noting the places. Aliases are followed, so that each path has its value, but not without end."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.visited = 0

    def visit(self, node: _Node, path: Path) -> None:
        self.document.data = self._value(node, path)

    def _value(self, node: _Node, path: Path) -> Any:
        self.visited += 1
        if self.visited > MOST_NODES or len(path) > DEEPEST:
            mark, file = node.event.start_mark, self.document.places.file
            hint = "aliases (`*name`) repeat what they name, and count each time"
            _refuse(f"a definition has at most {MOST_NODES:,} values", file, mark.line + 1, mark.column + 1, hint)
        self.document.places.values[path] = node.event
        if isinstance(node.event, yaml.ScalarEvent):
            return self._scalar(node.event, path)
        items = node.items or []
        if isinstance(node.event, yaml.SequenceStartEvent):
            return [self._value(item, (*path, n)) for n, item in enumerate(items)]
        return self._mapping(items, path)

    def _scalar(self, event: Any, path: Path) -> Any:
        if event.style:
            return event.value
        value = resolve(event.value)
        if value is not None and not isinstance(value, str):
            self.document.written[path] = event.value
        return value

    def _mapping(self, pairs: list[Any], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            name = self._key(key)
            if name is None:
                continue
            if name in found:
                first = self.document.places.of((*path, name), on_key=True)
                where = f"line {first.line}, column {first.column}" if first else "above"
                self._problem(f"`{name}` stands here twice", key, f"the first is at {where}")
                continue
            self.document.places.keys[*path, name] = key.event
            found[name] = self._value(value, (*path, name))
        return found

    def _key(self, key: _Node) -> str | None:
        """The text of a key: `NO`, `1` and `true` are the words that they look like."""
        if not isinstance(key.event, yaml.ScalarEvent):
            self._problem("a key must be a word", key, "put text that begins with `[`, `{` or `?` in quotes")
            return None
        name: str = key.event.value
        if name == "<<" and not key.event.style:
            self._problem("merge keys (`<<`) are not allowed", key, "write the keys out, or use an alias for a whole value")
            return None
        if not name:
            self._problem("a key is missing before this `:`", key)
            return None
        return name

    def _problem(self, message: str, node: _Node, hint: str | None = None) -> None:
        mark = node.event.start_mark
        location = Location(self.document.places.file, mark.line + 1, mark.column + 1)
        self.document.problems.append(Problem(message, (), hint, location=location))


def _line_and_column(text: str, index: int) -> tuple[int, int]:
    lines = re.split(r"\r\n|\r|\n", text[:index])
    return len(lines), len(lines[-1]) + 1


def _refuse(message: str, file: str, line: int = 1, column: int = 1, hint: str | None = None) -> NoReturn:
    raise DefinitionError([Problem(message, (), hint, location=Location(file, line, column))])
