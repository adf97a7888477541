"""The connection `iceberg`: a catalog of tables, by REST or in a database, and the keys to the store in which they lie."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer, Connection
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.lakes.iceberg_faults import iceberg_faults
from headrace.infrastructure.formats.arrow_union import needs_pyarrow
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

_QUESTIONS = 3
_SQLITE = "sqlite:///"


class IcebergConnection(Connection):
    """A catalog of Iceberg tables: a REST catalog (`https://...`), or a database (`sqlite:///catalog.db`, `postgresql+psycopg://...`)."""

    kind: ClassVar[str] = "iceberg"

    uri: Secret = Field(
        description="The address of a REST catalog, https://...; or of a database: sqlite:///catalog.db, postgresql+psycopg://..., "
        "with the password as ${secret:env/NAME}"
    )
    warehouse: str | None = Field(
        None,
        description="Where new tables lie, a folder or s3://bucket/folder; of a REST catalog the name or place that it asks for",
    )
    name: Annotated[str, Field(min_length=1)] = Field(
        "default", description="Of a catalog in a database: its name there, under which other tools find the same tables"
    )
    credential: Secret | None = Field(None, description="REST: `client:secret`, for which the catalog gives a token")
    token: Secret | None = Field(None, description="REST: a bearer token, instead of a credential")
    oauth_url: str | None = Field(None, description="REST: where tokens are given, when that is not the catalog itself")
    scope: str | None = Field(None, description="REST: for what a token is asked; `catalog` when left out")
    endpoint: str | None = Field(None, description="The address of the S3 service, where it is not Amazon's")
    region: str | None = Field(None, description="Of the S3 service; by AWS_REGION when left out, else us-east-1")
    access_key: Secret | None = Field(None, description="By AWS_ACCESS_KEY_ID, or the role of the machine, when left out")
    secret_key: Secret | None = Field(None, description="As ${secret:env/NAME}; by AWS_SECRET_ACCESS_KEY when left out")
    session_token: Secret | None = Field(None, description="By AWS_SESSION_TOKEN when left out")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("`access_key` and `secret_key` belong together")
        if self.credential is not None and self.token is not None:
            raise ValueError("give either `credential` or `token`, not both")
        if not self.is_rest and self.warehouse is None:
            raise ValueError("a catalog in a database needs `warehouse`: where new tables lie")
        own = {"credential", "token", "oauth_url", "scope"} & {k for k in self.model_fields_set if getattr(self, k) is not None}
        if not self.is_rest and own:
            raise ValueError(f"`{min(own)}` means nothing for a catalog in a database; it is for REST")
        return self

    @property
    def is_rest(self) -> bool:
        return self.uri.reveal().startswith(("http://", "https://"))

    def shown(self) -> str:
        """Without user and password; as it is written when its secrets cannot be had."""
        try:
            parts = urlsplit(self.uri.reveal())
        except NonRetryableError:
            return str(self.uri)
        if parts.scheme.startswith("sqlite"):
            return f"sqlite://{parts.path}"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")

    def reach(self, home: Path) -> Answer:
        needs_pyarrow("Iceberg", "iceberg", "pyiceberg")
        with iceberg_faults(self.shown()):
            catalog = self.catalog(home)
            trips = []
            for _ in range(_QUESTIONS):
                begun = time.perf_counter()
                namespaces = catalog.list_namespaces()
                trips.append((time.perf_counter() - begun) * 1000)
        tls = "TLS" if self.uri.reveal().startswith("https://") else None
        shown = ", ".join(".".join(n) for n in namespaces[:5]) or "none yet"
        notes = (f"namespaces: {shown}" + (f" and {len(namespaces) - 5} more" if len(namespaces) > 5 else ""),)
        kind = "REST catalog of Iceberg" if self.is_rest else "catalog of Iceberg in a database"
        return Answer(
            kind, tls=tls, verified=tls is not None, round_trip_ms=min(trips), rights={"list namespaces": True}, notes=notes
        )

    def catalog(self, home: Path) -> Catalog:
        """The catalog. It connects when it is asked for something, or at once for a token."""
        if self.is_rest:
            from pyiceberg.catalog.rest import RestCatalog

            return RestCatalog(self.name, **self._rest(), **self.store_properties())
        from pyiceberg.catalog.sql import SqlCatalog
        from sqlalchemy.exc import DBAPIError

        uri, warehouse = _at_home(self.uri.reveal(), home), placed(str(self.warehouse), home)
        made = partial(SqlCatalog, self.name, uri=uri, warehouse=warehouse, **self.store_properties())
        try:
            return made()
        except DBAPIError as error:
            if "already exists" not in str(error):  # two who make the tables of a new catalog at once
                raise
            return made()

    def _rest(self) -> dict[str, Any]:
        found = {
            "uri": self.uri.reveal(),
            "warehouse": self.warehouse,
            "credential": _revealed(self.credential),
            "token": _revealed(self.token),
            "oauth2-server-uri": self.oauth_url
            or (f"{self.uri.reveal().rstrip('/')}/v1/oauth/tokens" if self.credential else None),
            "scope": self.scope,
        }
        return {k: v for k, v in found.items() if v is not None}

    def store_properties(self) -> dict[str, Any]:
        """What pyiceberg has to know to reach the files, secrets included. Do not keep it."""
        keys = (_revealed(key) for key in (self.access_key, self.secret_key, self.session_token))
        return store_properties(self.endpoint, self.region, *keys)


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret else None


def store_properties(
    endpoint: str | None, region: str | None, access_key: str | None, secret_key: str | None, session_token: str | None
) -> dict[str, Any]:
    """The same of an S3 store, by its parts; what is left out comes from the environment."""
    env = os.environ.get
    found = {
        "s3.endpoint": endpoint or env("AWS_ENDPOINT_URL_S3") or env("AWS_ENDPOINT_URL"),
        "s3.region": region or env("AWS_REGION") or env("AWS_DEFAULT_REGION") or "us-east-1",
        "s3.access-key-id": access_key,
        "s3.secret-access-key": secret_key,
        "s3.session-token": session_token,
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
    }
    return {k: v for k, v in found.items() if v is not None}


def _at_home(uri: str, home: Path) -> str:
    """A file of SQLite is meant from the folder of the profiles."""
    if not uri.startswith(_SQLITE) or uri in (_SQLITE, f"{_SQLITE}:memory:"):
        return uri
    return f"{_SQLITE}{(home / uri.removeprefix(_SQLITE)).resolve()}"


def placed(folder: str, home: Path) -> str:
    """A folder as a URI; an address as it is."""
    return folder if "://" in folder else (home / folder).resolve().as_uri()
