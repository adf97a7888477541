"""Finds plugins by name, through entry points, and imports them only when they are used. Not what they do.

Headrace's own plugins register exactly as everyone's do; its own list is only looked at first, because reading those of all
installed distributions takes longer than all the rest of a small run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headrace.business.model.plugin import Plugin
from headrace.business.model.schema import did_you_mean
from headrace.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The groups of which the parts of a definition are made.
GROUPS = ("sources", "steps", "checks", "sinks")
_ALL = (*GROUPS, "connections")

#: Which extra brings an optional library.
EXTRAS = {
    "pyarrow": "arrow", "fastavro": "avro", "numpy": "avro", "python_calamine": "excel", "psycopg": "postgres",
    "adbc_driver_postgresql": "postgres",
    "adbc_driver_manager": "postgres", "pymysql": "mysql", "redis": "redis", "obstore": "stores", "paramiko": "sftp",
    "hdfs_native": "hdfs", "confluent_kafka": "kafka", "hiredis": "redis", "pika": "rabbitmq", "cryptography": "nats",
    "snowflake": "snowflake", "pgpq": "postgres", "datasketches": "sketches",
}  # fmt: skip


class UnknownPlugin(UsageError):
    """No installed distribution has a plugin of that name."""


def missing_library(error: ImportError) -> UsageError | None:
    """What to install, when an optional library of ours is what could not be imported."""
    library = (error.name or "").partition(".")[0]
    if library not in EXTRAS:
        return None
    return UsageError(f"this needs the library {library}", hint=f"pip install 'headrace[{EXTRAS[library]}]'")


class Catalog:
    """The plugins by group (`sources`, `steps`, `checks`, `sinks`, `connections`) and name. `more` adds classes that are not installed."""

    def __init__(self, more: Mapping[str, Iterable[type[Plugin]]] | None = None) -> None:
        self._classes = {(group, c.kind): c for group, classes in (more or {}).items() for c in classes}

    def source(self, name: str) -> type[Plugin]:
        return self.find("sources", name)

    def step(self, name: str) -> type[Plugin]:
        return self.find("steps", name)

    def check(self, name: str) -> type[Plugin]:
        return self.find("checks", name)

    def sink(self, name: str) -> type[Plugin]:
        return self.find("sinks", name)

    def find(self, group: str, name: str) -> type[Plugin]:
        """The class of a plugin. Raises `UnknownPlugin`, or `UsageError` when it cannot be imported."""
        if (group, name) not in self._classes:
            self._classes[group, name] = _load(self._entry(group, name))
        return self._classes[group, name]

    def has(self, group: str, name: str) -> bool:
        return (group, name) in self._classes or name in self._own[group] or name in self._all[group]

    def names(self, group: str) -> tuple[str, ...]:
        """All names of a group, without importing anything."""
        return tuple(sorted({*self._all[group], *(name for g, name in self._classes if g == group)}))

    def group_of(self, name: str) -> str | None:
        """The first group that has a plugin of that name."""
        return next((group for group in GROUPS if self.has(group, name)), None)

    def _entry(self, group: str, name: str) -> EntryPoint:
        if entry := self._own[group].get(name):
            return entry
        found = self._all[group].get(name, [])
        if not found:
            raise UnknownPlugin(f"there is no {group.removesuffix('s')} `{name}`", hint=did_you_mean(name, self.names(group)))
        if len({entry.value for entry in found}) > 1:
            owners = ", ".join(sorted(entry.dist.name for entry in found if entry.dist))
            raise UsageError(
                f"several installed packages have a {group.removesuffix('s')} `{name}`: {owners}", hint="uninstall all but one"
            )
        return found[0]

    @cached_property
    def _own(self) -> dict[str, dict[str, EntryPoint]]:
        from importlib.metadata import PackageNotFoundError, distribution

        found: dict[str, dict[str, EntryPoint]] = {group: {} for group in _ALL}
        try:
            entries: Any = distribution("headrace").entry_points
        except PackageNotFoundError:
            raise UsageError("headrace is not installed, so it cannot find its plugins", hint="pip install headrace") from None
        for entry in entries:
            if entry.group.removeprefix("headrace.") in found:
                found[entry.group.removeprefix("headrace.")][entry.name] = entry
        return found

    @cached_property
    def _all(self) -> dict[str, dict[str, list[EntryPoint]]]:
        from importlib.metadata import entry_points

        found: dict[str, dict[str, list[EntryPoint]]] = {group: {} for group in _ALL}
        for group, names in found.items():
            for entry in entry_points(group=f"headrace.{group}"):
                names.setdefault(entry.name, []).append(entry)
        return found


def _load(entry: EntryPoint) -> type[Plugin]:
    try:
        loaded = entry.load()
    except ImportError as error:
        raise missing_library(error) or UsageError(
            f"{_called(entry)} cannot be imported: {error}", hint="reinstall the package that brings it"
        ) from error
    except AttributeError as error:
        raise UsageError(
            f"{_called(entry)} is not where its entry point says: {error}", hint="reinstall the package that brings it"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Plugin)):
        raise UsageError(f"{_called(entry)} is not a Plugin", hint="derive it from headrace.plugin.Plugin")
    return loaded


def _called(entry: EntryPoint) -> str:
    """A plugin in a message, with the package that brings it unless that is ours."""
    owner = entry.dist.name if entry.dist else "headrace"
    ours = re.sub(r"[-_.]+", "-", owner).lower() == "headrace"
    return f"the plugin `{entry.name}`" + ("" if ours else f" of {owner}")
