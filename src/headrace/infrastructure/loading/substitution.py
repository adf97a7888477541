"""Puts parameters, the environment and secrets where a definition refers to them. Not how a reference is written (see `references`).

A value that is nothing but a reference takes the parameter's value with its type. A reference within a text becomes text; in
an option of type `Sql`, a literal. In steps and checks, where texts are mostly SQL, a reference within a text that is not
`Sql` is refused, so that no plugin can take a value raw by mistake. Secrets stay references (see `security.secrets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.business.model.references import (
    Interpolated,
    Reference,
    Replaced,
    Unquotable,
    literal,
    plain,
    references,
    replace,
    replace_in_sql,
)
from headrace.business.model.schema import did_you_mean, suggest
from headrace.errors import Path, Problem
from headrace.security.secrets import Secret, Vault

#: Marks a text that nothing but SQL may take. No definition holds this character (see `reading`).
RAW = "\ue000"


class Substitution:
    """Replaces the references in the values of a definition, and remembers what it replaced."""

    def __init__(self, params: Mapping[str, Any], declared: Mapping[str, Any], env: Mapping[str, str], vault: Vault) -> None:
        self.params, self.declared, self.env, self.vault = params, declared, env, vault
        self.problems: list[Problem] = []
        self.forgiving = False
        """Whether a parameter that is not there is somebody else's mistake."""
        self.broken: set[Path] = set()
        """The values whose references cannot be replaced: what else is wrong with them is not worth saying."""
        self.texts: dict[Path, str] = {}
        """The text of values that are no text, for options that want one."""
        self.replaced: dict[Path, list[Replaced]] = {}
        self.embedded: dict[Path, str] = {}
        """Texts of steps and checks with references in them, as written: they are marked, and only options of type `Sql` take them."""

    def apply(self, data: Any, path: Path, *, sql: bool) -> Any:
        """The data with its references replaced. `sql` says that texts are taken for SQL."""
        if isinstance(data, str):
            return self._text(data, path, sql) if "${" in data else data
        if isinstance(data, Mapping):
            return {key: self.apply(value, (*path, key), sql=sql) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.apply(item, (*path, n), sql=sql) for n, item in enumerate(data)]
        return data

    def _text(self, text: str, path: Path, sql: bool) -> Any:
        found = [r for r in references(text) if r.space != "escape"]
        mistakes = [problem for r in found if (problem := self._mistake(r, path))]
        if mistakes:
            self.problems += [p for p in mistakes if not (self.forgiving and p.message.startswith("there is no parameter"))]
            self.broken.add(path)
            return text
        if any(r.space == "params" and r.name not in self.params for r in found):
            # What is wrong with the parameter itself was said where it is declared.
            self.broken.add(path)
            return text
        if any(r.space == "secret" for r in found):
            return self._secret(text)
        if len(found) == 1 and (found[0].start, found[0].end) == (0, len(text)):
            return self._whole(found[0], path)
        return self._within(text, path, sql) if found else replace(text, lambda _: "")[0]

    def _whole(self, reference: Reference, path: Path) -> Any:
        value = self._value(reference)
        if isinstance(value, str):
            return Interpolated(value, literal(value))
        if value is not None:
            self.texts[path] = plain(value)
        return value

    def _within(self, text: str, path: Path, sql: bool) -> Any:
        try:
            in_sql, self.replaced[path] = replace_in_sql(text, self._value)
        except Unquotable as error:
            self.problems.append(Problem(str(error), path, offset=error.reference.start))
            self.broken.add(path)
            return text
        if sql:
            self.embedded[path] = text
            return Interpolated(text + RAW, in_sql)
        return Interpolated(replace(text, lambda r: plain(self._value(r)))[0], in_sql)

    def _secret(self, text: str) -> Secret:
        def kept(reference: Reference) -> str:
            if reference.space == "secret":
                return text[reference.start : reference.end]
            # What comes from a parameter is text for good: a `${` in it must not be taken for a reference later.
            return plain(self._value(reference)).replace("${", "$${")

        return Secret(replace(text, kept, escape="$${")[0], self.vault)

    def _value(self, reference: Reference) -> Any:
        return self.params[reference.name] if reference.space == "params" else self.env[reference.name]

    def _mistake(self, reference: Reference, path: Path) -> Problem | None:
        message, hint = self._wrong(reference)
        return Problem(message, path, hint, offset=reference.start) if message else None

    def _wrong(self, reference: Reference) -> tuple[str | None, str | None]:
        name = reference.name
        match reference.space:
            case "unclosed":
                return "this `${` is not closed", "close it with `}`, or write `$${` for a plain `${`"
            case "unknown":
                return f"`${{{name}}}` refers to nothing", self._meant(name)
            case "params" if name not in self.declared:
                near = suggest(name, self.declared)
                return (
                    f"there is no parameter `{name}`",
                    f"did you mean `{near}`?" if near else f"declare it: params: {{{name}: ...}}",
                )
            case "env" if name not in self.env:
                return f"there is no environment variable `{name}`", "set it before the run, or use a parameter with a default"
            case "secret" if (provider := name.partition("/")[0]) not in self.vault.providers:
                return f"there is no secret provider `{provider}`", did_you_mean(provider, self.vault.providers)
        return None, None

    def _meant(self, name: str) -> str:
        space, _, rest = name.partition(".")
        if name in self.declared:
            return f"did you mean `${{params.{name}}}`?"
        if rest and (near := suggest(space, ["params", "env"])):
            return f"did you mean `${{{near}.{rest}}}`?"
        return "allowed: ${params.NAME}, ${env.NAME}, ${secret:env/NAME}; write `$${` for a plain `${`"
