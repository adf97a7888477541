"""Secrets: texts with `${secret:provider/name}` in them, read at the moment of use and shown nowhere. Not a place to keep them.

    Secret("postgresql://app:${secret:env/PG_PASSWORD}@db/flights", vault).reveal()

A `Secret` holds the reference, never the value. What is written out in full in a secret (a password in plain text) is shown
as `***`; a reference is shown as it stands, because it gives nothing away.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from headrace.errors import NonRetryableError
from headrace.records import record

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

#: Gives the value of a name. Raises `NonRetryableError` when there is none; the message never holds a value.
Provider = Callable[[str], str]

REFERENCE = re.compile(r"(?<!\$)\$\{secret:(?P<provider>[^/{}]*)/(?P<name>[^{}]+)\}")
_LARGEST = 65_536


@record
class Vault:
    """Where secrets come from, by the name of the provider."""

    providers: Mapping[str, Provider] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, project: Path, env: Mapping[str, str] | None = None, **more: Provider) -> Vault:
        """`env` reads the environment, `file` a file inside the project folder that only its owner can read."""
        variables = os.environ if env is None else env
        return cls({"env": lambda name: _variable(variables, name), "file": lambda name: _file(project, name), **more})

    def read(self, provider: str, name: str) -> str:
        if provider not in self.providers:
            allowed = ", ".join(sorted(self.providers))
            raise NonRetryableError(f"there is no secret provider `{provider}`", hint=f"allowed: {allowed}")
        return self.providers[provider](name)


class Secret:
    """A text that holds secrets. Nothing but `reveal` gives them away; do not keep what it returns."""

    __slots__ = ("_template", "_vault")

    def __init__(self, template: str, vault: Vault | None = None) -> None:
        self._template, self._vault = template, vault

    def reveal(self) -> str:
        """The text with its secrets in it, read anew each time. Raises `NonRetryableError` when one cannot be had."""
        vault = self._vault or Vault.of(Path())
        return _pieces(self._template, lambda m: vault.read(m["provider"], m["name"]), lambda text: text.replace("$${", "${"))

    @property
    def reference(self) -> str | None:
        """The text as it was written, if all that is secret in it is referred to; None for a secret in plain text."""
        return self._template if REFERENCE.search(self._template) else None

    def __str__(self) -> str:
        return _pieces(self._template, lambda m: m[0], lambda text: "***" if text else "")

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._template == other._template

    def __hash__(self) -> int:
        return hash((Secret, self._template))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process: pass the reference and let the other side read it")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.union_schema(
            [core_schema.is_instance_schema(cls), text],
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "password", "examples": ["${secret:env/NAME}", "${secret:file/NAME}"]}


def _pieces(template: str, secret: Callable[[re.Match[str]], str], plain: Callable[[str], str]) -> str:
    out, end = [], 0
    for match in REFERENCE.finditer(template):
        out += [plain(template[end : match.start()]), secret(match)]
        end = match.end()
    return "".join([*out, plain(template[end:])])


def _variable(variables: Mapping[str, str], name: str) -> str:
    if name not in variables:
        raise NonRetryableError(f"the secret `env/{name}` is not there", hint=f"set the environment variable {name}")
    return variables[name]


def _file(project: Path, name: str) -> str:
    root = project.resolve()
    path = (root / name).resolve() if "\0" not in name else root
    if path == root or root not in path.parents:
        raise NonRetryableError(f"the secret `file/{name}` is outside of the project folder", hint=f"keep it below {root}")
    try:
        # Neither a link put there since, nor a pipe that never answers, may hold us up.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise NonRetryableError(
            f"the secret `file/{name}` cannot be read: {error.strerror}", hint=f"it is looked for at {path}"
        ) from None
    with os.fdopen(handle, "rb") as opened:
        about = os.fstat(opened.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise NonRetryableError(f"the secret `file/{name}` is not a regular file")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise NonRetryableError(f"others than its owner can read the secret `file/{name}`", hint=f"chmod 600 {path}")
        value = opened.read(_LARGEST + 1)
    if len(value) > _LARGEST:
        raise NonRetryableError(f"the secret `file/{name}` is larger than {_LARGEST:,} bytes")
    try:
        return value.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # Shown without its cause, which would hold the bytes.
        raise NonRetryableError(f"the secret `file/{name}` is not UTF-8 text") from None
