"""Where a Delta table lies, a folder of this machine or of an object store, and what leads delta-rs there. Not the table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.business.connections import Profile
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.atomic_files import hidden
from headrace.infrastructure.connectors.lakes.notes import LocalNotes, Notes, StoreNotes
from headrace.infrastructure.connectors.publishing import shown_path
from headrace.infrastructure.connectors.stores.addresses import Address, parse
from headrace.infrastructure.connectors.stores.places import (
    CONDITIONAL,
    StoreConnection,
    in_store,
    opened,
    problem_with_address,
    problem_with_connection,
)
from headrace.records import record

if TYPE_CHECKING:
    from headrace.infrastructure.connectors.stores.object_connections import AzureConnection, GCSConnection, S3Connection

PATH = "The folder of the table, from the project folder; or its address in a store: s3://bucket/tables/orders, gs://, az://"


def problem_with(path: str, connection: Profile[StoreConnection] | None) -> str | None:
    """What keeps a table from being there."""
    if "\0" in path:
        return "`path` has a NUL character"
    if problem := problem_with_address(path) or problem_with_connection((path,), connection):
        return problem
    for address in in_store((path,)):
        if address.kind not in CONDITIONAL:
            return f"a Delta table cannot lie at `{address.scheme}://`: use a folder, s3://, gs:// or az://"
        if address.has_magic or not address.key.strip("/"):
            return f"`{address}` is no folder: name the one that holds `_delta_log`"
    return None


@record
class DeltaPlace:
    """The folder of a table."""

    path: str
    connection: Profile[StoreConnection] | None
    project: Path

    @property
    def address(self) -> Address | None:
        return next(iter(in_store((self.path,))), None)

    @property
    def folder(self) -> Path:
        return (self.project / self.path).resolve()

    @property
    def uri(self) -> str:
        if self.address is None:
            return str(self.folder)
        return parse(self.path).of(self.address.folder)

    @property
    def shown(self) -> str:
        return shown_path(self.project, self.path) if self.address is None else self.uri

    @property
    def options(self) -> dict[str, str]:
        """What delta-rs has to know to reach it, secrets included. Do not keep it."""
        return {} if self.address is None else _options(self.address, self.connection)

    def inside(self, name: str) -> Notes:
        """Notes in a hidden folder of the table, which other writers and VACUUM leave alone."""
        if self.address is None:
            return LocalNotes(self.folder / name)
        return StoreNotes(self._store(self.address), f"{self.address.folder}/{name}")

    def beside(self) -> Notes:
        """Notes in a hidden folder beside the table."""
        if self.address is None:
            return LocalNotes(self.folder.with_name(hidden(self.folder, "fences")))
        parent, slash, name = self.address.folder.rpartition("/")
        return StoreNotes(self._store(self.address), f"{parent}{slash}.{name}.headrace-fences")

    def _store(self, address: Address) -> Any:
        return opened(address, self.connection, self.project)


def _options(address: Address, profile: Profile[StoreConnection] | None) -> dict[str, str]:
    from headrace.infrastructure.connectors.stores import object_connections

    connection: Any = profile.connection if profile else None
    if connection is not None and connection.ca is not None:
        raise NonRetryableError(
            f"`{address.store}`: delta-rs takes no certificates by `ca` of a connection",
            hint="leave `ca` out, and name the file in the environment variable SSL_CERT_FILE",
        )
    match address.kind:
        case "s3":
            found = _s3(connection or object_connections.S3Connection())
        case "gcs":
            found = _gcs(connection or object_connections.GCSConnection())
        case _:
            found = _azure(connection or object_connections.AzureConnection())
    timeout = connection.timeout if connection else 30.0
    return {k: v for k, v in found.items() if v is not None} | {"timeout": f"{timeout:g}s", "max_retries": "3"}


def _s3(connection: S3Connection) -> dict[str, str | None]:
    endpoint = (
        connection.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        or os.environ.get("AWS_ENDPOINT")
    )  # fmt: skip
    styled = endpoint is not None if connection.path_style is None else connection.path_style
    return {
        "aws_endpoint_url": endpoint,
        "aws_allow_http": "true" if endpoint and endpoint.startswith("http://") else None,
        "aws_region": connection.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        "aws_virtual_hosted_style_request": "false" if styled else "true",
        "aws_skip_signature": "true" if connection.anonymous else None,
        "aws_access_key_id": connection.access_key.reveal() if connection.access_key else None,
        "aws_secret_access_key": connection.secret_key.reveal() if connection.secret_key else None,
        "aws_session_token": connection.session_token.reveal() if connection.session_token else None,
        "aws_conditional_put": "etag",
    }


def _gcs(connection: GCSConnection) -> dict[str, str | None]:
    return {
        "google_service_account_key": connection.service_account.reveal() if connection.service_account else None,
        "google_base_url": connection.endpoint,
        "google_skip_signature": "true" if connection.anonymous else None,
    }


def _azure(connection: AzureConnection) -> dict[str, str | None]:
    plain = connection.endpoint and connection.endpoint.startswith("http://")
    return {
        "azure_storage_account_name": connection.account,
        "azure_storage_account_key": connection.access_key.reveal() if connection.access_key else None,
        "azure_storage_sas_key": connection.sas_token.reveal() if connection.sas_token else None,
        "azure_storage_client_secret": connection.client_secret.reveal() if connection.client_secret else None,
        "azure_storage_tenant_id": connection.tenant,
        "azure_storage_client_id": connection.client,
        "azure_storage_endpoint": connection.endpoint,
        "azure_allow_http": "true" if plain else None,
    }
