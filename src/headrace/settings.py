"""How much a run may use and where it keeps its state: `headrace.toml` beside the definition or above it, and the environment over it.

    memory_limit = "1GB"           HEADRACE_MEMORY_LIMIT     at most this much memory; larger work spills to disk
    threads = 4                    HEADRACE_THREADS          at most this many threads
    temp_directory = "/scratch"    HEADRACE_TEMP_DIRECTORY   where spilled work goes
    temp_limit = "100GB"           HEADRACE_TEMP_LIMIT       at most so much of it, in each run
    state = ".headrace"            HEADRACE_STATE            runs, quarantine and history
    quarantine_days = 90           HEADRACE_QUARANTINE_DAYS  rows that are held back are kept so long, for ever when not set
    quarantine_max = "10GB"        HEADRACE_QUARANTINE_MAX   a run that would hold back more than fits fails
    database_url = "postgresql://app:${secret:env/PG_PASSWORD}@db/state"
                                   HEADRACE_DATABASE_URL     the state database; SQLite in the state folder unless said
    database_schema = "headrace"   HEADRACE_DATABASE_SCHEMA  the schema of the state in that database
    definitions = "pipelines"      HEADRACE_DEFINITIONS      the folder of definitions that `headrace serve` watches
    lease_seconds = 30             HEADRACE_LEASE_SECONDS    how long a worker that is not heard of keeps its run
    attempts = 3                   HEADRACE_ATTEMPTS         how many workers may be lost over one run
    keep_days = 90                 HEADRACE_KEEP_DAYS        how long the events of ended runs are kept
    slots = {warehouse = 2}        HEADRACE_SLOTS            named resources of all workers together: `warehouse=2,api=1`

    worker_address = "10.0.0.5"    HEADRACE_WORKER_ADDRESS   where workers on other machines reach one that leads a stream

    [engines.postgres]                                       the database in which `engine: postgres` works (see `PostgresSettings`)
    connection = "warehouse"                                 or its address as `url`
    schema = "headrace_staging"

    [engines.snowflake]                                      the database in which `engine: snowflake` works (see `SnowflakeSettings`)
    connection = "warehouse"
    schema = "headrace_staging"

    [engines.spark]                                          where `engine: spark` works (see `engine_settings`)
    master = "spark://cluster:7077"

    [[outbox]]                                               who is told of events outside (see `Outlet`)
    webhook = "https://hooks.example.com/headrace"
    types = ["pipeline.*"]
    secret = "${secret:env/HOOK_SECRET}"

    [connections.warehouse]                                  how a system is reached, by name (see `profiles`)
    kind = "postgres"

Not what a pipeline does: that is all in its definition.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from headrace.engine_settings import SparkSettings, spark_settings
from headrace.errors import DefinitionError, Location, Problem
from headrace.profiles import WrittenProfile, written_profiles
from headrace.records import record

FILE = "headrace.toml"
#: How a `database_url` begins that is the name of a connection.
NAMED = "connection:"
_PREFIX = "HEADRACE_"
_KEYS = (
    "memory_limit", "threads", "temp_directory", "temp_limit", "state", "quarantine_days", "quarantine_max", "database_url",
    "database_schema", "definitions", "lease_seconds", "attempts", "keep_days", "slots", "worker_address", "outbox", "connections",
    "engines",
)  # fmt: skip
#: What only the file holds, or the environment in its own way.
_TABLES = ("outbox", "connections", "engines", "postgres", "snowflake", "spark")
_PATHS = ("temp_directory", "state", "definitions")
_COUNTS = ("threads", "quarantine_days", "attempts", "keep_days")
_SIZES = ("memory_limit", "temp_limit", "quarantine_max")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_UNITS = ("B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")


@record
class Outlet:
    """One way out for events: a webhook or a Redis stream. Its address and its secret may hold references to secrets."""

    kind: str
    """`webhook` or `redis`."""
    address: str
    name: str
    """Of its subscription; made of the address unless said."""
    types: tuple[str, ...] = ()
    """Kinds of events or patterns of them; all unless said."""
    secret: str | None = None
    """What a webhook's requests are signed with."""
    stream: str = "headrace"
    """The key of the Redis stream."""
    timeout: float = 10.0
    """How long an answer is waited for, in seconds."""


@record
class PostgresSettings:
    """The database of `engine: postgres`: by its address, or by the name of a connection."""

    url: str | None = None
    """May hold references to secrets, which are resolved when it is used."""
    connection: str | None = None
    schema: str = "headrace_staging"
    """Where it stages; made when it is not there."""
    statement_timeout: float | None = None
    """How long one statement may take, in seconds; as the server says unless set."""
    lock_timeout: float = 60.0
    """How long another's lock is waited for, in seconds."""


@record
class SnowflakeSettings:
    """The database of `engine: snowflake`."""

    connection: str
    """The name of a connection of kind `snowflake`."""
    schema: str = "headrace_staging"
    """Where it stages; made when it is not there."""
    statement_timeout: float | None = None
    """How long one statement may take, in seconds; as the account says unless set."""


@record
class Settings:
    """What was set; None leaves the choice to the engine. Relative paths are meant from the project folder."""

    memory_limit: str | None = None
    threads: int | None = None
    temp_directory: Path | None = None
    state: Path = Path(".headrace")
    temp_limit: str | None = None
    quarantine_days: int | None = None
    quarantine_max: str | None = None
    database_url: str | None = None
    """May hold references to secrets, which are resolved when it is used; or names a connection: `connection:NAME`."""
    database_schema: str = "headrace"
    definitions: Path = Path()
    lease_seconds: float = 30.0
    attempts: int = 3
    keep_days: int = 90
    slots: Mapping[str, int] = field(default_factory=dict)
    worker_address: str | None = None
    """This machine only unless said."""
    outbox: tuple[Outlet, ...] = ()
    postgres: PostgresSettings | None = None
    snowflake: SnowflakeSettings | None = None
    spark: SparkSettings = SparkSettings()
    connections: Mapping[str, WrittenProfile] = field(default_factory=dict)


def home(project: Path) -> Path:
    """The folder whose `headrace.toml` holds for a project: its own, or the next above it that belongs to the same user; without any,
    its own. Beyond the folder of a repository and the user's home nothing is looked for."""
    folder = project.resolve()
    owner = _owner(folder)
    for above in (folder, *folder.parents):
        if _owner(above) != owner:
            break
        if (above / FILE).is_file():
            return above
        if (above / ".git").exists() or above == Path.home():
            break
    return project


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None


def load_settings(project: Path, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of a project. Raises `DefinitionError` with every problem."""
    problems: list[Problem] = []
    variables = os.environ if env is None else env
    found = _file(project / FILE, variables, problems) | _environment(variables, problems)
    values = {key: _value(key, value, where, project, problems) for key, (value, where) in found.items()}
    if problems:
        raise DefinitionError(problems)
    return Settings(**values)


def _file(file: Path, env: Mapping[str, str], problems: list[Problem]) -> dict[str, tuple[Any, Location | None]]:
    text, written = _toml(file, problems)
    found: dict[str, tuple[Any, Location | None]] = {}
    for key, value in written.items():
        where = Location(str(file), _line(text, key), 1)
        if key == "outbox":
            found[key] = (_outlets(value, str(file), text, problems), where)
        elif key == "engines":
            found |= {engine: (chosen, where) for engine, chosen in _engines(value, where, problems).items()}
        elif key not in _KEYS:
            problems.append(Problem(f"unknown setting `{key}`", (), _meant(key, _KEYS), location=where))
        elif key != "connections":
            found[key] = (value, where)
    found["connections"] = (written_profiles(written.get("connections", {}), text, str(file), env, problems), None)
    return found


def _toml(file: Path, problems: list[Problem]) -> tuple[str, dict[str, Any]]:
    """The text of the file and what it says; nothing when there is no file, or none that can be read."""
    if not file.exists():
        return "", {}
    import tomllib

    text = ""
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (len(text.splitlines()) or 1, 1)
        problems.append(
            Problem(f"this is not TOML: {str(error).partition(' (at ')[0]}", location=Location(str(file), line, column))
        )
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(f"this file cannot be read: {error}", location=Location(str(file), 1, 1)))
    return "", {}


def _environment(env: Mapping[str, str], problems: list[Problem]) -> dict[str, tuple[Any, None]]:
    """Variables of ours. Others may begin alike, being secrets or parameters; only a misspelt one is a mistake."""
    names = {_PREFIX + key.upper(): key for key in _KEYS if key not in _TABLES}
    problems += [
        Problem(f"unknown setting `{name}` in the environment", (), _meant(name, names))
        for name in env
        if name.startswith(_PREFIX) and name not in names and difflib.get_close_matches(name, names, n=1, cutoff=0.85)
    ]
    return {key: (env[name], None) for name, key in names.items() if env.get(name)}


def _value(key: str, value: Any, where: Location | None, project: Path, problems: list[Problem]) -> Any:
    if key in _TABLES:
        return value
    if key in _COUNTS and _is_count(value):
        return int(value)
    if key == "lease_seconds" and (seconds := _seconds(value)) is not None:
        return seconds
    if key in _SIZES and isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        units = {unit.lower(): unit for unit in _UNITS}
        if found[2].lower() in units and float(found[1]) > 0:
            return f"{found[1]}{units[found[2].lower()]}"
        problems.append(Problem(f"`{found[2]}` is not a unit of size", (), "allowed: " + ", ".join(_UNITS), location=where))
        return None
    if key in _PATHS and isinstance(value, str) and value:
        return project / value if key == "temp_directory" else Path(value)
    if key == "database_url" and isinstance(value, str) and value.startswith(("postgresql://", "postgres://", NAMED)):
        return value
    if key == "database_schema" and isinstance(value, str) and _SCHEMA.fullmatch(value):
        return value
    if key == "slots" and (slots := _slots(value)) is not None:
        return slots
    wanted = _WANTED.get(key, "a path")
    shown = "what it is" if key == "database_url" else f"`{value}`"
    problems.append(Problem(f"`{key}` must be {wanted}, not {shown}", location=where))
    return None


_WANTED = {
    **dict.fromkeys(_COUNTS, "a whole number above 0"),
    **dict.fromkeys(_SIZES, 'a size such as "1GB"'),
    "lease_seconds": "a number of seconds, at least 1",
    "database_url": "an address such as `postgresql://user@host/database`, or `connection:NAME`",
    "database_schema": "a name of at most 63 small letters, digits and underscores",
    "slots": "names with whole numbers, such as `{warehouse = 2}`",
}


def _is_count(value: Any) -> bool:
    return (isinstance(value, int) or str(value).isdecimal()) and not isinstance(value, bool) and int(value) > 0


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 1 <= seconds < 1e6 and not isinstance(value, bool) else None


def _slots(value: Any) -> dict[str, int] | None:
    """A table of numbers; in the environment `name=number`, parted by commas."""
    if isinstance(value, str):
        value = {name.strip(): units for name, _, units in (item.partition("=") for item in value.split(","))}
    if not isinstance(value, Mapping) or not all(name and _is_count(units) for name, units in value.items()):
        return None
    return {str(name): int(units) for name, units in value.items()}


_ENGINE_KEYS = ("url", "connection", "schema", "statement_timeout", "lock_timeout")


def _engines(value: Any, head: Location, problems: list[Problem]) -> dict[str, Any]:
    """The settings of each engine that has a table, with every problem."""
    read = {"postgres": _postgres, "snowflake": _snowflake, "spark": spark_settings}
    if not isinstance(value, Mapping) or not set(value) <= set(read):
        listed = ", ".join(f"`[engines.{name}]`" for name in read)
        problems.append(Problem(f"`engines` holds the settings of engines: {listed}, and no other", location=head))
        return {}
    return {name: found for name, table in value.items() if (found := read[name](table, head, problems)) is not None}


def _postgres(table: Any, head: Location, problems: list[Problem]) -> PostgresSettings | None:
    """The table `[engines.postgres]`, with every problem."""
    before = len(problems)
    if not isinstance(table, Mapping):
        problems.append(Problem("`engines.postgres` must be a table", location=head))
        return None
    if ("url" in table) == ("connection" in table):
        said = "the engine postgres is given either the name of a `connection` or an address as `url`"
        problems.append(Problem(said, location=head))
    checks = {
        "url": (_is_database(table.get("url", "postgresql://")), "an address such as `postgresql://user@host/database`"),
        "connection": (_is_word(table.get("connection", "name")), "the name of a connection"),
        "schema": (_is_word(table.get("schema", "headrace_staging")), "the name of a schema"),
        "statement_timeout": (_seconds(table.get("statement_timeout", 1)) is not None, "a number of seconds, at least 1"),
        "lock_timeout": (_seconds(table.get("lock_timeout", 1)) is not None, "a number of seconds, at least 1"),
    }
    problems += [
        Problem(f"unknown setting `{key}` of an engine", (), _meant(key, _ENGINE_KEYS), location=head)
        for key in table
        if key not in _ENGINE_KEYS
    ]
    problems += [
        Problem(f"`{k}` of the engine postgres must be {want}", location=head) for k, (ok, want) in checks.items() if not ok
    ]
    return PostgresSettings(**table) if len(problems) == before else None


def _snowflake(table: Any, head: Location, problems: list[Problem]) -> SnowflakeSettings | None:
    """The table `[engines.snowflake]`, with every problem."""
    keys = ("connection", "schema", "statement_timeout")
    if not isinstance(table, Mapping):
        problems.append(Problem("`engines.snowflake` must be a table", location=head))
        return None
    checks = {
        "connection": (_is_word(table.get("connection")), "the name of a connection of kind `snowflake`"),
        "schema": (_is_word(table.get("schema", "headrace_staging")), "the name of a schema"),
        "statement_timeout": (_seconds(table.get("statement_timeout", 1)) is not None, "a number of seconds, at least 1"),
    }
    found = [
        Problem(f"unknown setting `{key}` of an engine", (), _meant(key, keys), location=head)
        for key in table
        if key not in keys
    ]
    found += [
        Problem(f"`{k}` of the engine snowflake must be {want}", location=head) for k, (ok, want) in checks.items() if not ok
    ]
    problems += found
    return None if found else SnowflakeSettings(**table)


def _is_database(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("postgresql://", "postgres://", "${secret:"))


_SCHEMES = {"webhook": ("http://", "https://"), "redis": ("redis://", "rediss://", "unix://")}
_OUTLET_KEYS = {
    "webhook": ("webhook", "name", "types", "secret", "timeout"),
    "redis": ("redis", "name", "types", "stream", "timeout"),
}


def _outlets(value: Any, file: str, text: str, problems: list[Problem]) -> tuple[Outlet, ...]:
    """The tables of the outbox, with every problem at its line."""
    heads = [
        text.count("\n", 0, m.start()) + 1 for m in re.finditer(r"^[ \t]*\[\[[ \t]*[\"']?outbox[\"']?[ \t]*\]\]", text, re.M)
    ]
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value) or len(heads) != len(value):
        where = Location(file, _line(text, "outbox"), 1)
        problems.append(Problem("`outbox` must be written as tables, each under `[[outbox]]`", location=where))
        return ()
    lines = text.splitlines()
    found: list[Outlet] = []
    for head, table in zip(heads, value, strict=True):
        rest = "\n".join(lines[head:])
        own = re.split(r"^[ \t]*\[", rest, maxsplit=1, flags=re.M)[0]
        places = {key: Location(file, head + _line(own, key), 1) for key in table}
        outlet = _outlet(table, Location(file, head, 1), places, problems)
        if outlet is not None and outlet.name in {o.name for o in found}:
            problems.append(
                Problem(f"two outlets are called `{outlet.name}`", (), "give each a `name`", location=Location(file, head, 1))
            )
        elif outlet is not None:
            found.append(outlet)
    return tuple(found)


def _outlet(table: Mapping[str, Any], head: Location, places: Mapping[str, Location], problems: list[Problem]) -> Outlet | None:
    kinds = [kind for kind in _SCHEMES if kind in table]
    if len(kinds) != 1:
        problems.append(Problem("an outlet has either a `webhook` or a `redis`", location=head))
        return None
    before, kind = len(problems), kinds[0]
    checks = {
        kind: (_is_address(table[kind], kind), f"an address that begins with {' or '.join(_SCHEMES[kind])}"),
        "name": (_is_word(table.get("name")), "a text"),
        "types": (_are_words(table.get("types")), 'a list such as `["pipeline.*"]`'),
        "secret": (_is_word(table.get("secret")), "a text such as `${secret:env/NAME}`"),
        "stream": (_is_word(table.get("stream")), "a text"),
        "timeout": (_seconds(table.get("timeout")) is not None, "a number of seconds, at least 1"),
    }
    for key in table:
        if key not in _OUTLET_KEYS[kind]:
            problems.append(
                Problem(f"unknown key `{key}` of a {kind} outlet", (), _meant(key, _OUTLET_KEYS[kind]), location=places[key])
            )
        elif not checks[key][0]:
            problems.append(Problem(f"`{key}` of an outlet must be {checks[key][1]}", location=places[key]))
    if len(problems) > before:
        return None
    import hashlib

    address = str(table[kind])
    mark = hashlib.sha256(f"{address} {table.get('stream')}".encode()).hexdigest()[:6]
    given = {key: table[key] for key in ("secret", "stream", "timeout") if key in table}
    return Outlet(kind, address, table.get("name", f"{kind}-{mark}"), tuple(table.get("types", ())), **given)


def _is_address(value: Any, kind: str) -> bool:
    return isinstance(value, str) and value.startswith((*_SCHEMES[kind], "${secret:"))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_word, value))


def in_bytes(size: str) -> int:
    """A size that was read as a setting: units of a thousand, and of 1024 with an `i`."""
    amount = re.match(r"[\d.]+", size)
    unit = size[amount.end() :] if amount else ""
    power = ("", "K", "M", "G", "T").index(unit.rstrip("iB"))
    return int(float(size.removesuffix(unit)) * (1024 if "i" in unit else 1000) ** power)


def _line(text: str, key: str) -> int:
    found = re.search(rf"""^[ \t]*(?:\[+[ \t]*)?["']?{re.escape(key)}["']?[ \t]*[=.\]]""", text, re.M)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _meant(word: str, words: Any) -> str:
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else "allowed: " + ", ".join(words)
