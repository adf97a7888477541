"""How a system outside is reached: what a kind of connection has to be, and how sources and sinks name one. Not any kind itself.

A kind is a frozen Pydantic model whose fields are the options of a profile in `headrace.toml`, registered by an entry point in the
group `headrace.connections`. A source or sink that can be reached by one has a field `connection: Profile[ThatKind] | None`, and
definitions give it the name of a profile.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from headrace.business.model.plugin import Plugin
from headrace.records import record

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


@record
class Answer:
    """What a system said when it was reached."""

    server: str
    """What it is, with its version: `PostgreSQL 18.1`."""
    user: str | None = None
    """As whom it knows us."""
    tls: str | None = None
    """The version and cipher of TLS; None when nothing is encrypted."""
    verified: bool = False
    """Whether we made sure that the server is who it should be."""
    round_trip_ms: float = 0.0
    """How long a question and its answer are on the way: the best of several."""
    rights: Mapping[str, bool] = field(default_factory=dict)
    """What we may do there, of what matters to sources and sinks."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing."""


class Connection(Plugin):
    """A kind of connection. Making one does no I/O, and shows no secret."""

    @abstractmethod
    def shown(self) -> str:
        """Where it leads, for people, without secrets: `postgres://db.example.com:5432/shop`."""

    @abstractmethod
    def reach(self, home: Path) -> Answer:
        """Connect, authenticate, and ask who is there. Relative paths are meant from `home`, the folder of the profiles.

        Raises `RetryableError` or `NonRetryableError` that says what is wrong: the host, the port, the certificate, the user, the
        password, the database.
        """


C = TypeVar("C", bound=Connection)


class Profile(Generic[C]):
    """A connection by the name of its profile: definitions, plans and reports hold the name alone."""

    __slots__ = ("connection", "home", "name")

    def __init__(self, name: str, connection: C, home: Path = Path()) -> None:
        self.name, self.connection, self.home = name, connection, home

    def __repr__(self) -> str:
        return f"Profile({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and (self.name, self.connection) == (other.name, other.connection)

    def __hash__(self) -> int:
        return hash((Profile, self.name))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        kind: type[Connection] = next(iter(get_args(source)), Connection)

        def checked(profile: Profile[Any]) -> Profile[Any]:
            if not isinstance(profile.connection, kind):
                raise ValueError(f"`{profile.name}` is a connection of kind `{profile.connection.kind}`, not `{kind.kind}`")
            return profile

        return core_schema.no_info_after_validator_function(
            checked,
            core_schema.is_instance_schema(cls),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda profile: profile.name, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": "The name of a connection in headrace.toml"}
