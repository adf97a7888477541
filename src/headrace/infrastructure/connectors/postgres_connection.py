"""The connection `postgres`: how a PostgreSQL server is reached, for the sources, sinks and engines that are told of it by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Profile
from headrace.business.model.plugin import Plugin
from headrace.infrastructure.connectors.tls import TlsOptions
from headrace.infrastructure.detours import led_to, system_of
from headrace.infrastructure.postgresql.faults import explained, shown_url
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 15
_QUESTIONS = 5
_URL = "postgresql://user@host:port/database, with the password as ${secret:env/NAME}"
_SSLMODE = {"off": "disable"}
_RIGHTS = (
    "SELECT current_user, version(), current_setting('server_version'), pg_is_in_recovery(), "
    "has_database_privilege(current_database(), 'CREATE'), has_database_privilege(current_database(), 'TEMP'), "
    "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), coalesce(current_schema(), '')"
)


class PostgresConnection(TlsOptions):
    """A PostgreSQL database: by `url`, or by its parts."""

    kind: ClassVar[str] = "postgres"

    url: Secret | None = Field(None, description=_URL)
    host: str | None = Field(None, description="Its name or address; a folder for a socket there")
    port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(None, description="5432 unless said")
    user: str | None = None
    password: Secret | None = Field(None, description="As ${secret:env/NAME} or ${secret:file/NAME}")
    database: str | None = Field(None, description="As the user unless said")
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for the server")

    @model_validator(mode="after")
    def _either(self) -> Self:
        parts = [name for name in ("host", "port", "user", "password", "database") if getattr(self, name) is not None]
        if self.url is not None and parts:
            raise ValueError(f"give either `url` or its parts, not `url` and `{parts[0]}`")
        if self.url is None and self.host is None:
            raise ValueError("give `host`, or the whole address as `url`")
        return self

    def shown(self) -> str:
        if self.url is not None:
            return shown_url(self.url)
        return f"postgres://{self.host}:{self.port or 5432}/{self.database or self.user or ''}"

    @property
    def system(self) -> str:
        """The server, by which all who reach it know it: without user, password and database."""
        return system_of(self.url.reveal()) if self.url is not None else f"postgres://{self.host}:{self.port or 5432}"

    def address(self, home: Path) -> str:
        """All of it as libpq reads it, secrets included. Do not keep it."""
        from psycopg.conninfo import make_conninfo

        parts: dict[str, Any] = {"host": self.host, "port": self.port, "user": self.user, "dbname": self.database}
        if self.password is not None:
            parts["password"] = self.password.reveal()
        if self.tls is not None or self.ca is not None or self.url is None:
            parts["sslmode"] = _SSLMODE.get(self.tls_mode, self.tls_mode)
        files = self.tls_files(home)
        if self.verifies:
            parts["sslrootcert"] = files.get("ca", "system" if self.tls_mode == "verify-full" else None)
        parts |= {"sslcert": files.get("cert"), "sslkey": files.get("key"), "connect_timeout": self.connect_seconds}
        return make_conninfo(self.url.reveal() if self.url else "", **{k: v for k, v in parts.items() if v is not None})

    def reach(self, home: Path) -> Answer:
        import psycopg

        try:
            with psycopg.connect(self.address(home), application_name="headrace", client_encoding="utf8") as connection:
                return self._asked(connection)
        except psycopg.Error as error:
            raise explained(self.shown(), error) from error

    def _asked(self, connection: psycopg.Connection[Any]) -> Answer:
        trips = []
        for _ in range(_QUESTIONS):
            begun = time.perf_counter()
            connection.execute("SELECT 1").fetchone()
            trips.append((time.perf_counter() - begun) * 1000)
        user, whole, version, standby, schemas, temporary, tables, schema = connection.execute(_RIGHTS).fetchall()[0]
        tls = connection.execute(
            "SELECT version || ' ' || cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
        ).fetchone()
        name = "PostgreSQL" if str(whole).startswith("PostgreSQL") else str(whole).partition(" ")[0]
        rights = {
            f"create tables in schema {schema or '(none)'}": tables,
            "create schemas": schemas,
            "make temporary tables": temporary,
        }
        notes = ("it is a standby: nothing can be written here",) if standby else ()
        return Answer(
            f"{name} {version}", user, tls[0] if tls else None, bool(tls) and self.verifies, min(trips), rights, notes
        )


class ReachedPostgres(Plugin):
    """What reaches a PostgreSQL database: by its address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[PostgresConnection] | None = Field(
        None, description="The name of a connection of kind `postgres` in headrace.toml"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.connection is None):
            raise ValueError("give either `connection` or `url`" + ("" if self.url is None else ", not both"))
        return self

    @property
    def address(self) -> str:
        """As libpq reads it, secrets included. Do not keep it."""
        return led_to(self._reached.address(self.connection.home if self.connection else Path()))

    @property
    def system(self) -> str:
        return self._reached.system

    @property
    def _reached(self) -> PostgresConnection:
        return self.connection.connection if self.connection else PostgresConnection(url=self.url)
