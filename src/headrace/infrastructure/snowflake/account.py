"""An account of Snowflake: how it is reached and how a session there is set. Not what is said in it.

Nothing is asked of any other host than the account's: the driver's reports about its use and about the machine are switched off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import NonRetryableError
from headrace.infrastructure.snowflake.faults import snowflake_faults
from headrace.records import record
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

#: How long a statement of ours waits for a lock of another's, in seconds. Where that one died in the middle, Snowflake ends its
#: transaction when it was idle for five minutes and somebody waits.
LOCK_SECONDS = 330
#: How long a request that fails is sent again by the driver, in seconds, before we are told.
NETWORK_SECONDS = 60


@record
class Account:
    """Where to connect, as whom, and in which database."""

    account: str
    user: str
    database: str
    schema: str = "public"
    password: Secret | None = None
    private_key: Path | None = None
    passphrase: Secret | None = None
    role: str | None = None
    warehouse: str | None = None
    host: str | None = None
    port: int | None = None
    protocol: str = "https"
    connect_seconds: int = 15
    network_seconds: int = NETWORK_SECONDS

    @property
    def shown(self) -> str:
        """Where it leads, for people."""
        return f"{self.system}/{self.database}"

    @property
    def system(self) -> str:
        """The account, by which all who reach it know it."""
        port = f":{self.port}" if self.port else ""
        return f"snowflake://{self.host or self.account}{port}"

    @property
    def identity(self) -> str:
        """A text that two connections share when they see the same tables with the same rights."""
        parts = (self.account, self.host or "", str(self.port or ""), self.database, self.user, self.role or "")
        return "snowflake " + " ".join(part.lower() or "-" for part in parts)

    def connect(self, about: str = "headrace", session: Mapping[str, Any] | None = None) -> SnowflakeConnection:
        """An open session. `session` are parameters of it beside ours. Raises our errors."""
        import snowflake.connector

        given = {
            "account": self.account, "user": self.user, "database": self.database, "schema": self.schema, "role": self.role,
            "warehouse": self.warehouse, "host": self.host, "port": self.port, "protocol": self.protocol,
            "password": self.password.reveal() if self.password else None,
            "private_key_file": str(self.private_key) if self.private_key else None,
            "private_key_file_pwd": self.passphrase.reveal() if self.passphrase else None,
        }  # fmt: skip
        with snowflake_faults(self.shown), self._key_faults():
            return snowflake.connector.connect(
                **{name: value for name, value in given.items() if value is not None},
                autocommit=True,
                application="headrace",
                login_timeout=self.connect_seconds,
                network_timeout=self.network_seconds,
                arrow_number_to_decimal=True,
                client_session_keep_alive=True,
                platform_detection_timeout_seconds=0,
                session_parameters=_session(about) | dict(session or {}),
            )

    @contextmanager
    def _key_faults(self) -> Iterator[None]:
        """What the driver says of a private key that it cannot use is none of its own errors."""
        try:
            yield
        except OSError as error:
            if self.private_key is None or error.filename is None:
                raise
            raise NonRetryableError(f"{self.shown}: the private key cannot be read: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            if self.private_key is None:
                raise
            raise NonRetryableError(
                f"{self.shown}: the private key cannot be used", hint="it has to be PEM; see that `passphrase` is its own"
            ) from error


def _session(about: str) -> dict[str, Any]:
    """Instants are read in UTC, results come as Arrow, and nobody waits for a lock for hours."""
    return {
        "TIMEZONE": "UTC", "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW", "QUERY_TAG": about[:2000], "LOCK_TIMEOUT": LOCK_SECONDS,
        "CLIENT_TELEMETRY_ENABLED": False, "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ", "BINARY_INPUT_FORMAT": "HEX",
        "BINARY_OUTPUT_FORMAT": "HEX", "DATE_INPUT_FORMAT": "AUTO", "TIMESTAMP_INPUT_FORMAT": "AUTO", "TIME_INPUT_FORMAT": "AUTO",
        "DATE_OUTPUT_FORMAT": "YYYY-MM-DD", "WEEK_START": 0, "WEEK_OF_YEAR_POLICY": 0, "TWO_DIGIT_CENTURY_START": 1970,
        "QUOTED_IDENTIFIERS_IGNORE_CASE": False, "TRANSACTION_ABORT_ON_ERROR": True,
    }  # fmt: skip
