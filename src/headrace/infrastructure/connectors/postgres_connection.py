"""The connection `postgres`: how a PostgreSQL server is reached, for the sources, sinks and engines that are told of it by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.connections import Answer, Profile
from headrace.infrastructure.connectors.database_connection import DatabaseConnection, ReachedDatabase
from headrace.infrastructure.detours import led_to, system_of
from headrace.infrastructure.postgresql.faults import explained, shown_url
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import psycopg

_URL = "postgresql://user@host:port/database, with the password as ${secret:env/NAME}"
_SSLMODE = {"off": "disable"}
_RIGHTS = (
    "SELECT current_user, version(), current_setting('server_version'), pg_is_in_recovery(), "
    "has_database_privilege(current_database(), 'CREATE'), has_database_privilege(current_database(), 'TEMP'), "
    "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), coalesce(current_schema(), '')"
)


class PostgresConnection(DatabaseConnection):
    """A PostgreSQL database: by `url`, or by its parts."""

    kind: ClassVar[str] = "postgres"

    url: Secret | None = Field(None, description=_URL)
    port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(None, description="5432 unless said")
    database: str | None = Field(None, description="As the user unless said")

    def shown(self) -> str:
        if self.url is not None:
            return shown_url(self.url)
        return f"postgres://{self.host}:{self.port or 5432}/{self.database or self.user or ''}"

    @property
    def system(self) -> str:
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
        took = round_trip_ms(lambda: connection.execute("SELECT 1").fetchone())
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
        return Answer(f"{name} {version}", user, tls[0] if tls else None, bool(tls) and self.verifies, took, rights, notes)


class ReachedPostgres(ReachedDatabase):
    """What reaches a PostgreSQL database: by its address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[PostgresConnection] | None = Field(
        None, description="The name of a connection of kind `postgres` in headrace.toml"
    )

    @property
    def address(self) -> str:
        """As libpq reads it, secrets included. Do not keep it."""
        return led_to(self._reached.address(self.home))

    @property
    def system(self) -> str:
        return self._reached.system

    @property
    def _reached(self) -> PostgresConnection:
        return self.connection.connection if self.connection else PostgresConnection(url=self.url)
