"""The connection `snowflake`: how an account of Snowflake is reached, for the sources and sinks that are told of it by name."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Connection, Profile
from headrace.business.model.plugin import Plugin
from headrace.errors import NonRetryableError
from headrace.infrastructure.snowflake.account import NETWORK_SECONDS, Account
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.infrastructure.snowflake.names import stored
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection as Driver

CONNECT_SECONDS = 15
_QUESTIONS = 3


class SnowflakeConnection(Connection):
    """A database of a Snowflake account."""

    kind: ClassVar[str] = "snowflake"

    account: str = Field(description="The account identifier, such as `org-account`")
    user: str
    password: Secret | None = Field(None, description="As ${secret:env/NAME} or ${secret:file/NAME}")
    private_key: str | None = Field(None, description="A PEM file with our private key, in place of a password")
    passphrase: Secret | None = Field(None, description="What the private key is encrypted with")
    role: str | None = Field(None, description="The user's default role unless said")
    warehouse: str | None = Field(None, description="What computes; the user's default unless said")
    database: str
    in_schema: str = Field("public", alias="schema", description="Where tables are that are named without a schema")
    host: str | None = Field(None, description="For an endpoint other than the account's own, such as one for tests")
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    protocol: Literal["https", "http"] = Field("https", description="http for an endpoint of tests alone: nothing is encrypted")
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = Field(CONNECT_SECONDS, description="How long to wait for the server")
    retry_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        NETWORK_SECONDS, description="How long a request that fails on its way is sent again"
    )

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.password is None) == (self.private_key is None):
            raise ValueError("give either `password` or `private_key`" + ("" if self.password is None else ", not both"))
        if self.passphrase is not None and self.private_key is None:
            raise ValueError("`passphrase` is that of a `private_key`")
        if self.protocol == "http" and self.host is None:
            raise ValueError("`protocol: http` is for an endpoint of tests: name its `host`")
        return self

    def shown(self) -> str:
        return self.reached(Path()).shown

    @property
    def system(self) -> str:
        """The account, by which all who reach it know it."""
        return self.reached(Path()).system

    def reached(self, home: Path) -> Account:
        return Account(
            self.account, self.user, self.database, self.in_schema, self.password,
            (home / self.private_key).resolve() if self.private_key else None, self.passphrase, self.role, self.warehouse, self.host,
            self.port, self.protocol, self.connect_seconds, self.retry_seconds,
        )  # fmt: skip

    def reach(self, home: Path) -> Answer:
        if find_spec("snowflake") is None:
            raise NonRetryableError("Snowflake needs its driver", hint="pip install 'headrace[snowflake]'")
        account = self.reached(home)
        connection = account.connect()
        try:
            with snowflake_faults(account.shown):
                return self._asked(connection, account)
        finally:
            connection.close()

    def _asked(self, connection: Driver, account: Account) -> Answer:
        trips = []
        for _ in range(_QUESTIONS):
            begun = time.perf_counter()
            version = _one(connection, "SELECT current_version()")
            trips.append((time.perf_counter() - begun) * 1000)
        self._demand_place(connection, account)
        user, role = _one(connection, "SELECT current_user()"), _one(connection, "SELECT current_role()")
        notes = (f"as the role {role}", *(() if connection.warehouse else ("no warehouse is named: statements need one",)))
        tls = "TLS" if self.protocol == "https" else None
        return Answer(f"Snowflake {version}", str(user), tls, self.protocol == "https", min(trips), {}, notes)

    def _demand_place(self, connection: Driver, account: Account) -> None:
        """Snowflake lets one in also where the database or schema is not there."""
        wanted = {"database": self.database, "schema": self.in_schema}
        for word, name in wanted.items():
            found = _one(connection, f"SELECT current_{word}()")
            if str(found).upper() != stored(name).upper():
                raise NonRetryableError(
                    f"{account.shown}: there is no {word} `{name}`, or the role may not use it",
                    hint=f"see `{word}` and `role` of the connection",
                )


def _one(connection: Driver, query: str) -> Any:
    with connection.cursor() as cursor:
        row = cursor.execute(query).fetchone()  # type: ignore[union-attr]
    return row[0] if isinstance(row, tuple) else None


class ReachedSnowflake(Plugin):
    """What reaches a Snowflake account by a connection."""

    connection: Profile[SnowflakeConnection] = Field(
        description="The name of a connection of kind `snowflake` in headrace.toml"
    )

    @property
    def account(self) -> Account:
        return self.connection.connection.reached(self.connection.home)

    @property
    def system(self) -> str:
        return self.connection.connection.system
