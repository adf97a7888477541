"""The connection `mysql`: how a MySQL or MariaDB server is reached, for the sources and sinks that are told of it by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import Field

from headrace.business.connections import Answer, Profile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.database_connection import DatabaseConnection, ReachedDatabase
from headrace.infrastructure.connectors.mysql_faults import mysql_faults
from headrace.infrastructure.round_trips import round_trip_ms
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    import pymysql

PORT = 3306
#: The number of the driver's error when TLS is demanded of a server that has none.
_NO_TLS_THERE = 2026
_URL = "mysql://user@host:port/database, with the password as ${secret:env/NAME}"


class MySQLConnection(DatabaseConnection):
    """A database of a MySQL or MariaDB server: by `url`, or by its parts."""

    kind: ClassVar[str] = "mysql"

    url: Secret | None = Field(None, description=_URL)
    port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(None, description=f"{PORT} unless said")

    def shown(self) -> str:
        try:
            parts = self._parts()
        except NonRetryableError:
            return str(self.url)
        return f"mysql://{parts['host']}:{parts['port']}/{parts['database'] or ''}"

    @property
    def system(self) -> str:
        parts = self._parts()
        return f"mysql://{parts['host']}:{parts['port']}"

    def connect(self, home: Path, **settings: Any) -> pymysql.Connection[Any]:
        """An open connection that speaks UTF-8, with these settings of the driver. Raises its errors."""
        import pymysql
        from pymysql.constants import CLIENT

        parts = self._parts()
        if self.password is not None:
            parts["password"] = self.password.reveal()
        if str(parts["host"]).startswith("/"):
            parts["unix_socket"] = parts.pop("host")
        parts |= settings | {"charset": "utf8mb4", "client_flag": CLIENT.FOUND_ROWS, "program_name": "headrace"}
        given = {key: value for key, value in parts.items() if value is not None} | {"connect_timeout": self.connect_seconds}
        if self.tls_mode == "off":
            return pymysql.connect(**given, ssl_disabled=True)
        try:
            return pymysql.connect(**given, ssl=self.tls_context(home))
        except pymysql.OperationalError as error:
            if self.tls_mode != "prefer" or error.args[0] != _NO_TLS_THERE:
                raise
            return pymysql.connect(**given, ssl_disabled=True)

    def _parts(self) -> dict[str, Any]:
        """Host, port, user and database, and the password where the address has one."""
        if self.url is None:
            return {"host": self.host, "port": self.port or PORT, "user": self.user, "database": self.database}
        wrong = NonRetryableError("`url` is not the address of a MySQL or MariaDB database", hint=f"write it as {_URL}")
        try:
            found = urlsplit(self.url.reveal())
            port = found.port or PORT
        except ValueError:
            raise wrong from None
        if found.scheme not in ("mysql", "mariadb") or found.query or not found.hostname:
            raise wrong
        named = {"user": found.username, "password": found.password, "database": found.path.lstrip("/")}
        return {
            "host": found.hostname,
            "port": port,
            **{key: unquote(value) if value else None for key, value in named.items()},
        }

    def reach(self, home: Path) -> Answer:
        with mysql_faults(self.shown()), self.connect(home) as connection:
            took = round_trip_ms(lambda: asked(connection, "SELECT 1"))
            version, user, database, read_only = asked(connection, "SELECT version(), current_user(), database(), @@read_only")[
                0
            ]
            tls = dict(asked(connection, "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_version', 'Ssl_cipher')"))
            grants = [str(row[0]) for row in asked(connection, "SHOW GRANTS")]
        encryption = f"{tls.get('Ssl_version')} {tls.get('Ssl_cipher')}" if tls.get("Ssl_version") else None
        maria = "mariadb" in str(version).lower()
        server = f"MariaDB {str(version).partition('-')[0]}" if maria else f"MySQL {version}"
        rights = {
            right.lower(): _granted(grants, right, database)
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER")
        }
        notes = [] if database else ["no database is named: name tables as `database.table`"]
        notes += ["the server takes no changes now (read_only)"] if read_only else []
        verified = encryption is not None and self.verifies
        return Answer(server, str(user), encryption, verified, took, rights, tuple(notes))


def asked(connection: pymysql.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _granted(grants: list[str], right: str, database: str | None) -> bool:
    """Whether a right is granted on everything, or on the whole database."""
    for grant in grants:
        rights, _, rest = grant.removeprefix("GRANT ").partition(" ON ")
        where = rest.partition(" TO ")[0].replace("`", "")
        if where in ("*.*", f"{database}.*") and (rights.startswith("ALL PRIVILEGES") or right in rights.split(", ")):
            return True
    return False


class ReachedMySQL(ReachedDatabase):
    """What reaches a MySQL or MariaDB database: by its address, or by a connection."""

    url: Secret | None = Field(None, description=f"{_URL}; or give `connection`")
    connection: Profile[MySQLConnection] | None = Field(
        None, description="The name of a connection of kind `mysql` in headrace.toml"
    )

    @property
    def system(self) -> str:
        return self._reached.system

    def connect(self, **settings: Any) -> pymysql.Connection[Any]:
        """An open connection, with these settings of the driver. Raises its errors."""
        return self._reached.connect(self.home, **settings)

    @property
    def _reached(self) -> MySQLConnection:
        return self.connection.connection if self.connection else MySQLConnection(url=self.url)
