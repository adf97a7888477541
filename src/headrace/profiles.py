"""Connection profiles as they are written: the tables `[connections.NAME]` of `headrace.toml`, and the environment over them.

    [connections.warehouse]
    kind = "postgres"
    host = "db.example.com"        HEADRACE_CONNECTION__WAREHOUSE__HOST    over what the file says, or instead of it
    password = "${secret:env/PG_PASSWORD}"

Not what their options mean: that knows the kind of connection (see `infrastructure.loading.connections`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from headrace.errors import Location, Problem
from headrace.records import record

#: How the variables of the environment begin that give one option of one profile.
PREFIX = "HEADRACE_CONNECTION__"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*")
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"^[ \t]*\[[ \t]*(?P<name>{_DOTTED})[ \t]*\]")
_KEY = re.compile(rf"^[ \t]*(?P<name>{_DOTTED})[ \t]*=[ \t]*(?P<value>.*)$")


@record
class WrittenProfile:
    """One profile: its options as plain data, and where each stands. What came from the environment has its variable instead."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    places: Mapping[str, tuple[Location, Location]] = field(default_factory=dict, repr=False)
    """Of an option, its key and its value; under the empty name the profile itself."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def place(self, option: str, *, on_key: bool) -> Location | None:
        """Where an option stands in the file; None when it came from the environment, or the whole profile did."""
        if option in self.variables:
            return None
        key, value = self.places.get(option) or self.places.get("") or (None, None)
        return key if on_key else value


def written_profiles(
    table: Any, text: str, file: str, env: Mapping[str, str], problems: list[Problem]
) -> Mapping[str, WrittenProfile]:
    """The profiles in the table `connections` of the file with this text, and those of the environment."""
    places = dict(_places(text, file))
    if not isinstance(table, Mapping) or not all(isinstance(options, Mapping) for options in table.values()):
        where = next((at[0] for path, at in places.items() if path[0] == "connections"), Location(file, 1, 1))
        problems.append(Problem("`connections` must be written as tables, each under `[connections.NAME]`", location=where))
        return {}
    found: dict[str, WrittenProfile] = {}
    for name, options in table.items():
        own = {".".join(path[2:]): at for path, at in places.items() if path[:2] == ("connections", name)}
        found[name] = WrittenProfile(name, options, {"": next(iter(own.values()), _start(file)), **own})
    for variable, name, option in _variables(env):
        known = next((n for n in found if _shouted(n) == name), name.lower())
        before = found.get(known, WrittenProfile(known))
        options = {**before.options, option.lower(): env[variable]}
        found[known] = WrittenProfile(known, options, before.places, {**before.variables, option.lower(): variable})
    return found


def _variables(env: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The variables that give an option, with the name of the profile and of the option, both in capitals. Empty ones give nothing."""
    for variable in env:
        name, _, option = variable.removeprefix(PREFIX).partition("__")
        if variable.startswith(PREFIX) and name and option and env[variable]:
            yield variable, name, option


def _shouted(name: str) -> str:
    return name.upper().replace("-", "_")


def _start(file: str) -> tuple[Location, Location]:
    return Location(file, 1, 1), Location(file, 1, 1)


def _places(text: str, file: str) -> Iterator[tuple[tuple[str, ...], tuple[Location, Location]]]:
    """Where each key of a TOML text and its value stand. Of an inline table, only the table is found."""
    table: tuple[str, ...] = ()
    until = None  # what ends a text of several lines
    for number, line in enumerate(text.splitlines(), 1):
        if until is not None:
            until = None if until in line else until
        elif header := _HEADER.match(line):
            table = _names(header["name"])
            where = Location(file, number, header.start() + len(line) - len(line.lstrip()) + 1)
            yield table, (where, where)
        elif key := _KEY.match(line):
            value = key["value"]
            yield (*table, *_names(key["name"])), (
                Location(file, number, key.start("name") + 1), Location(file, number, key.start("value") + 1),
            )  # fmt: skip
            until = next((mark for mark in ('"""', "'''") if value.startswith(mark) and mark not in value[3:]), None)


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in re.findall(_PART, dotted))
