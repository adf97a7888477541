"""Runs a resource of dlt in this process: found by name, configured, with the state that it is given. Not what its rows become.

None of dlt's pipelines, loaders, folders or telemetry are involved. Its state is a position like any other, so it lies with the target
and moves when the rows are published.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar, cast

from headrace.business.model.schema import did_you_mean
from headrace.business.processing.steps.user_function import UserFunction
from headrace.errors import HeadraceError, NonRetryableError, RetryableError, UsageError
from headrace.records import record
from headrace.security.secrets import Secret

T = TypeVar("T")

_PROVIDER = "Headrace"
#: dlt has one list of providers for the whole process.
_CONFIGURING = RLock()
_END = object()


def needs_dlt() -> None:
    """Raises `UsageError` when dlt is not installed."""
    try:
        import dlt  # noqa: F401
    except ImportError:
        raise UsageError("sources of dlt need the package dlt", hint="pip install 'headrace[dlt]'") from None


@record
class Resource:
    """One resource of a source: where it is, what it is called with, and what its configuration is."""

    source: str | Callable[..., Any]
    name: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    project: Path = Path()

    @property
    def origin(self) -> str:
        place = self.source if isinstance(self.source, str) else getattr(self.source, "__qualname__", "a source")
        return f"{place} ({self.name})" if self.name else place

    def made(self) -> Any:
        """The `DltResource`, made anew: one can be read once."""
        with self._configured():
            return self._run(self._found)

    def items(self, resource: Any, state: dict[str, Any]) -> Iterator[Any]:
        """What it yields: mappings, or tables of Arrow or pandas. `state` changes as it goes on. Leaving the generator closes it."""
        from dlt.common.configuration.container import Container
        from dlt.common.pipeline import StateInjectableContext

        def begun() -> Iterator[Any]:
            with Container().injectable_context(StateInjectableContext(state=cast("Any", state))):
                return iter(resource)

        with self._configured():
            things = self._run(begun)
        try:
            while True:
                with self._configured():
                    thing = self._run(lambda: next(things, _END))
                if thing is _END:
                    return
                yield thing
        finally:
            close = getattr(things, "close", None)
            if close is not None:
                close()

    # How ------------------------------------------------------------------------------------------------------------

    def _found(self) -> Any:
        from dlt.extract.resource import DltResource
        from dlt.extract.source import DltSource

        arguments = tuple((name, _revealed(value)) for name, value in self.arguments.items())
        function = UserFunction(self.source, arguments).at(self.project)
        found = function()
        if isinstance(found, DltResource):
            if self.name is not None and found.name != self.name:
                raise NonRetryableError(
                    f"`{self.origin}` is a resource that is called `{found.name}`", hint="leave `resource` out"
                )
            return found
        if not isinstance(found, DltSource):
            raise NonRetryableError(
                f"`{self.origin}` gave a {type(found).__name__}, which is neither a source nor a resource of dlt",
                hint="name a function with @dlt.source or @dlt.resource, or one that returns such",
            )
        return self._of_source(found)

    def _of_source(self, source: Any) -> Any:
        names = list(source.resources)
        if self.name is None and len(source.selected_resources) == 1:
            return next(iter(source.selected_resources.values()))
        if self.name not in source.resources:
            said = "has several resources" if self.name is None else f"has no resource `{self.name}`"
            raise NonRetryableError(
                f"`{self.origin}` {said}", hint=f"name one with `resource`: {did_you_mean(self.name or '', names)}"
            )
        return source.resources[self.name]

    def _run(self, operation: Callable[[], T]) -> T:
        """Run code of others; what it raises is named as theirs, and may pass when it is about a connection."""
        try:
            return operation()
        except HeadraceError:
            raise
        except Exception as error:
            cause = _root(error)
            said = f"`{self.origin}` raised {type(cause).__name__}: {self._told(cause)}"
            if _may_pass(error):
                raise RetryableError(said) from error
            raise NonRetryableError(said, hint="see that its arguments and `config` are right") from error

    def _told(self, error: BaseException) -> str:
        """The first line of what an error says, without our secrets."""
        text = str(error).strip().partition("\n")[0]
        for secret in _secrets((*self.arguments.values(), *self.config.values())):
            text = text.replace(secret, "***")
        return text

    @contextmanager
    def _configured(self) -> Iterator[None]:
        """Within this, dlt finds the values of `config` before all others, and sends nothing home."""
        from dlt.common.configuration.container import Container
        from dlt.common.configuration.providers import CustomLoaderDocProvider
        from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

        document = _nested({"runtime.dlthub_telemetry": False, **self.config})
        provider = CustomLoaderDocProvider(_PROVIDER, lambda: document, locations=())
        with _CONFIGURING:
            providers = Container()[PluggableRunContext].providers.providers
            providers.insert(0, provider)
            try:
                yield
            finally:
                providers.remove(provider)


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _revealed(inner) for name, inner in value.items()}
    return [_revealed(inner) for inner in value] if isinstance(value, list | tuple) else value


def _secrets(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, Secret) and (revealed := value.reveal()):
            yield revealed
        elif isinstance(value, Mapping):
            yield from _secrets(value.values())
        elif isinstance(value, list | tuple):
            yield from _secrets(value)


def _nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """`sources.github.token` as tables in tables, with secrets in them."""
    document: dict[str, Any] = {}
    for path, value in config.items():
        *sections, name = path.split(".")
        table = document
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = _revealed(value)
    return document


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _root(error: BaseException) -> BaseException:
    """The first error that is not dlt's wrapping of another."""
    chain = list(_chain(error))
    return next((e for e in chain if not type(e).__module__.startswith("dlt.extract.exceptions")), chain[-1])


def _may_pass(error: BaseException) -> bool:
    """Whether it is about a connection, or the fault of a server."""
    requests = sys.modules.get("requests")
    for cause in _chain(error):
        if isinstance(cause, ConnectionError | TimeoutError):
            return True
        if requests is not None and isinstance(cause, requests.ConnectionError | requests.Timeout):
            return True
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(status, int) and (status >= 500 or status in (408, 429)):
            return True
    return False
