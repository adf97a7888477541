"""Plain data to models, with every problem in our own words at the place where it was written. Not which model is meant (see `parts`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from headrace.business.model.plugin import Plugin
from headrace.errors import Path, Problem
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loading.issues import Issue, issues
from headrace.infrastructure.loading.substitution import RAW, Substitution
from headrace.infrastructure.loading.telling import tell

M = TypeVar("M", bound=BaseModel)
#: `(plugin, options, path, problems) -> options` with profiles in the place of their names (see `connections.with_connections`).
Profiles = Callable[[type[Plugin], Any, Path, list[Problem]], Any]
#: Each round mends all texts that can be seen to be wanted; a mended one can bring another to light.
_ROUNDS = 5


class Options:
    """Makes models of a document's data, collecting the problems. `profiles` puts connections in the place of their names."""

    def __init__(
        self,
        document: Any,
        written: Mapping[Path, str],
        substitution: Substitution,
        catalog: Catalog,
        profiles: Profiles | None = None,
    ) -> None:
        self.document, self.written = document, written
        self.substitution, self.catalog, self.profiles = substitution, catalog, profiles
        self.problems: list[Problem] = []

    def model(self, model: type[M], value: Any, path: Path, written: Callable[[Any], Any] = lambda value: value) -> M | None:
        """The model of a value at `path`, or None when there are problems. `written` turns a shorthand into options."""
        found: list[Issue] = []
        for _ in range(_ROUNDS):
            try:
                return model.model_validate(written(value))
            except ValidationError as error:
                found = issues(error.errors(include_url=False, include_input=False), value)
            except ValueError as error:
                found = [Issue("refused", (), message=str(error), hint=getattr(error, "hint", None))]
            mended = self._with_texts(value, found, path)
            if mended is value:
                break
            value = mended
        problems = tell(found, self._original(path), path, model, self.catalog)
        self.problems += [p for p in problems if not any(p.path[: len(b)] == b for b in self.substitution.broken)]
        return None

    def plugin(self, group: str, kind: str, value: Any, path: Path) -> Plugin | None:
        """The plugin of a kind with its options, both as written at `path`."""
        cls = self.catalog.find(group, kind)
        replaced = self.substitution.apply(value, path, sql=group in ("steps", "checks"))
        if self.profiles is not None:
            before = len(self.problems)
            replaced = self.profiles(cls, replaced, path, self.problems)
            if len(self.problems) > before:
                return None  # what a connection would have given cannot be judged
        made = self.model(cls, replaced, path, cls.written)
        if made is not None:
            self._refuse_raw(made, path)
        return made

    def _with_texts(self, value: Any, found: list[Issue], path: Path) -> Any:
        """The value with `1.10`, `NO` or `2013` as the texts that were written, wherever text is wanted."""
        for issue in found:
            text = self.text(path + issue.path)
            if text is not None and "text" in issue.expected and not isinstance(_at(value, issue.path), str):
                value = with_value(value, issue.path, text)
        return value

    def text(self, path: Path) -> str | None:
        """The text of a value that is no text."""
        return self.substitution.texts.get(path, self.written.get(path))

    def _refuse_raw(self, plugin: Plugin, path: Path) -> None:
        for where, text in self.substitution.embedded.items():
            if where[: len(path)] == path and _holds(plugin, text + RAW):
                hint = "let the whole value be the reference; only SQL takes one within a text"
                self.problems.append(Problem("a reference cannot stand within this text", where, hint, offset=text.index("${")))

    def _original(self, path: Path) -> Any:
        """What was written at a path, with its references as they stand."""
        return _at(self.document, path)


def with_value(data: Any, path: Path, value: Any) -> Any:
    """A copy of the data with one value exchanged."""
    if not path:
        return value
    if isinstance(data, Mapping):
        return {**data, path[0]: with_value(data[path[0]], path[1:], value)}
    return [with_value(item, path[1:], value) if n == path[0] else item for n, item in enumerate(data)]


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return value == text
    if isinstance(value, BaseModel):
        return any(_holds(getattr(value, name), text) for name in type(value).model_fields)
    if isinstance(value, Mapping):
        return any(_holds(item, text) for item in (*value, *value.values()))
    return isinstance(value, list | tuple | frozenset | set) and any(_holds(item, text) for item in value)
