"""The connection `odbc`: how a database is reached through a driver of ODBC, for the sources that are told of it by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from headrace.business.connections import Answer, Connection, Profile
from headrace.business.model.plugin import Plugin
from headrace.business.model.wording import Misworded
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.database_connection import CONNECT_SECONDS
from headrace.infrastructure.connectors.odbc.dialects import dialect_of
from headrace.infrastructure.connectors.odbc.drivers import Link, OdbcError, library, linked
from headrace.infrastructure.connectors.odbc.faults import odbc_faults
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.security.secrets import Secret

_OWN = {"driver": "driver", "dsn": "dsn", "uid": "user", "user": "user", "pwd": "password", "password": "password"}
_SECRET = re.compile(r"pwd|pass|token|secret|key", re.IGNORECASE)
#: What is shorter takes words apart that hide nothing.
_SHORTEST = 3
#: What drivers call the server, its port and the database.
_SERVER, _PORT, _DATABASE = (
    ("server", "servername", "host", "hostname", "dbq", "address", "addr"), ("port",), ("database", "dbname", "db"),
)  # fmt: skip
#: Keywords and values of a connection string. A value that holds what would end it stands in braces.
_PIECE = re.compile(r"\s*(?P<key>[^=;]+?)\s*=\s*(?P<value>\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|\Z)")


def _as_texts(settings: Any) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return {key: str(value) if type(value) is int else value for key, value in settings.items()}


def _names(settings: Mapping[str, Secret]) -> Mapping[str, Secret]:
    for name in settings:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ -]*", name):
            raise Misworded(f"`{name}` cannot be a keyword of a connection string", "letters, digits, `_`, `-` and spaces")
        if own := _OWN.get(name.lower()):
            raise Misworded(f"`{name}` is not among the settings", f"give it as `{own}` of the connection")
    return settings


Settings = Annotated[Mapping[str, Secret], BeforeValidator(_as_texts), AfterValidator(_names)]


class OdbcConnection(Connection):
    """A database with a driver of ODBC: by `driver` and `settings`, by a `dsn`, or by a whole connection string."""

    kind: ClassVar[str] = "odbc"

    driver: str | None = Field(
        None, description="The driver, as odbcinst.ini of this machine calls it (`odbcinst -q -d` lists them), or its library"
    )
    dsn: str | None = Field(None, description="A data source of odbc.ini, in place of `driver`")
    string: Secret | None = Field(
        None, description="A whole connection string, in place of `driver` and `dsn`: ${secret:env/NAME}"
    )
    settings: Settings = Field(
        default_factory=dict, description="What the driver is told besides: server, port, database and encryption, by its own keywords",
        examples=[{"Server": "erp.example.com,1433", "Database": "shop"}],
    )  # fmt: skip
    user: str | None = Field(None, description="Given to the driver as `UID`")
    password: Secret | None = Field(
        None, description="As ${secret:env/NAME} or ${secret:file/NAME}; given to the driver as `PWD`"
    )
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for the server")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("driver", "dsn", "string") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of `driver`, `dsn` and `string`" + (f", not {' and '.join(given)}" if given else ""))
        return self

    def shown(self) -> str:
        place, database, through = self._place()
        named = f"odbc://{place or through}{f'/{database}' if database else ''}"
        return f"{named} ({through})" if place and through else named

    @property
    def system(self) -> str:
        """The server, by which all who reach it know it."""
        place, _, through = self._place()
        return f"odbc://{place or through}"

    def address(self, **more: str | int) -> str:
        """All of it as a connection string, secrets included, with settings that the user did not give. Do not keep it."""
        key, named = ("DSN", self.dsn) if self.dsn else ("Driver", self.driver)
        begun = self.string.reveal() if self.string else f"{key}={_braced(str(named))}"
        pieces = {key: value.reveal() for key, value in self.settings.items()}
        pieces |= {"UID": self.user} if self.user is not None else {}
        pieces |= {"PWD": self.password.reveal()} if self.password is not None else {}
        taken = {key.lower() for key in pieces} | set(_parsed(begun))
        pieces |= {key: str(value) for key, value in more.items() if key.lower() not in taken}
        return begun.rstrip("; ") + ";" + "".join(f"{key}={_braced(value)};" for key, value in pieces.items())

    def _place(self) -> tuple[str, str, str]:
        """The server, the database, and the driver or data source that leads there, as far as they can be had."""
        try:
            said = _parsed(self.address())
        except NonRetryableError:  # a secret is missing, which is told when it is needed
            said = {"driver": self.driver or self.dsn or str(self.string)}
        server, port, database = (next((said[k] for k in keys if said.get(k)), "") for keys in (_SERVER, _PORT, _DATABASE))
        return server + (f":{port}" if port else ""), database, said.get("driver") or said.get("dsn") or ""

    def veil(self, said: str) -> str:
        """What is said, without the secrets of this connection."""
        secrets = [value for key, value in _parsed(self.address()).items() if _SECRET.search(key)]
        secrets += [value.reveal() for value in self.settings.values() if value.reference is not None]
        for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
            said = said.replace(secret, "***")
        return re.sub(r"(?i)\b(pwd|password)\s*=\s*(\{[^}]*\}|[^;\s]*)", r"\1=***", said)

    @contextmanager
    def linked(self, shown: str, **more: str | int) -> Iterator[Link]:
        """An open connection that can be asked what is there. What fails within is said of `shown`."""
        with odbc_faults(shown, self.veil), linked(self.address(**more), self.connect_seconds) as link:
            yield link

    def reach(self, home: Path) -> Answer:  # noqa: ARG002 - drivers know where their files are
        needs_odbc()
        shown = self.shown()
        with self.linked(shown) as link:
            who = link.answering()
            took = round_trip_ms(lambda: _asked(link))
            tls = dialect_of(who).encryption(link)
        server, notes = f"{who.database} {who.version}", (f"through {who.driver}",)
        return Answer(server, who.user or None, tls, verified=False, round_trip_ms=took, notes=notes)


class ReachedOdbc(Plugin):
    """What reaches a database through a driver of ODBC."""

    connection: Profile[OdbcConnection] = Field(description="The name of a connection of kind `odbc` in headrace.toml")

    @property
    def reached(self) -> OdbcConnection:
        return self.connection.connection

    @property
    def system(self) -> str:
        return self.reached.system


def needs_odbc() -> None:
    """Say what is to be installed, where something is missing."""
    missing = next((module for module in ("pyarrow", "arrow_odbc") if find_spec(module) is None), None)
    if missing:
        raise NonRetryableError(f"ODBC needs {missing}", hint="pip install 'headrace[odbc]'")
    library()


def _asked(link: Link) -> None:
    """One question and its answer. Some databases refuse the question, which is an answer as well."""
    try:
        link.first("SELECT 1")
    except OdbcError as error:
        if not error.diagnoses[0].state.startswith("42"):
            raise


def _parsed(address: str) -> dict[str, str]:
    """The values by keyword in small letters. Of a keyword that is given twice the first counts, as it does for drivers."""
    found: dict[str, str] = {}
    for piece in _PIECE.finditer(address):
        value = piece["value"]
        plain = value[1:-1].replace("}}", "}") if value.startswith("{") and value.endswith("}") else value.strip()
        found.setdefault(piece["key"].lower(), plain)
    return found


def _braced(value: str) -> str:
    if "\0" in value:
        raise NonRetryableError("a NUL stands in a setting of the connection", hint="take it out")
    return value if re.fullmatch(r"[A-Za-z0-9._:,/@-]*", value) else "{" + value.replace("}", "}}") + "}"
