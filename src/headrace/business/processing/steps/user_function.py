"""A user's function by its name, found when it is called. Importing it may do anything, so planning never does."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from headrace.business.model.schema import did_you_mean
from headrace.errors import NonRetryableError
from headrace.records import record


@record
class UserFunction:
    """A function, `module:function` or `path/to/file.py:function`, with arguments that are passed by name."""

    call: str | Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...] = field(default=(), hash=False)
    project: Path = Path()
    """Where modules and files are looked for."""

    def at(self, project: Path) -> UserFunction:
        return replace(self, project=project)

    def __call__(self, *tables: Any) -> Any:
        return self.found()(*tables, **dict(self.arguments))

    def found(self) -> Callable[..., Any]:
        """The function itself. Raises `NonRetryableError` when there is none of that name."""
        if not isinstance(self.call, str):
            return self.call
        place, _, path = self.call.rpartition(":")
        found: Any = self._file(place) if place.endswith(".py") else self._module(place)
        for name in path.split("."):
            if not hasattr(found, name):
                raise NonRetryableError(f"there is no function `{path}` in `{place}`", hint=did_you_mean(name, _public(found)))
            found = getattr(found, name)
        if not callable(found):
            raise NonRetryableError(
                f"`{self.call}` is no function", hint="name a function that takes and returns an Arrow table"
            )
        function: Callable[..., Any] = found
        return function

    def _module(self, name: str) -> Any:
        folder = str(self.project.resolve())
        added = folder not in sys.path
        if added:
            sys.path.insert(0, folder)
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the module is there; something that it imports is not
            raise NonRetryableError(
                f"there is no module `{name}`", hint=f"it is looked for in {folder} and among what is installed"
            ) from None
        finally:
            if added:
                sys.path.remove(folder)

    def _file(self, place: str) -> Any:
        path = (self.project / place).resolve()
        spec = importlib.util.spec_from_file_location(f"headrace_step_{path.stem}", path)
        if spec is None or spec.loader is None or not path.is_file():
            raise NonRetryableError(f"there is no file `{place}`", hint=f"it is looked for at {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where decorators and dataclasses look for the module that they are in
        spec.loader.exec_module(module)
        return module


def _public(module: Any) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_") and callable(getattr(module, name))]
