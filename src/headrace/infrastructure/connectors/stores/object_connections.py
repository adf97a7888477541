"""The connections `s3`, `gcs` and `azure`: how object stores are reached. What is left out comes from where their own tools take it."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headrace.business.connections import Answer
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.stores.addresses import Address
from headrace.infrastructure.connectors.stores.connection import StoreConnection, certificates
from headrace.infrastructure.connectors.stores.object_store import ObjectStore
from headrace.security.secrets import Secret

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

    from headrace.infrastructure.connectors.stores.s3_uploads import S3Uploads

_QUICKLY = timedelta(seconds=10)


class ObjectConnection(StoreConnection):
    """What connections to object stores share."""

    endpoint: str | None = Field(None, description="The address of the service, where it is not the cloud's own")
    ca: str | None = Field(None, description="A file with the certificates of those who vouch for the server, in PEM")
    bucket: str | None = Field(None, description="The bucket or container that `headrace connection test` looks into")

    @abstractmethod
    def open(self, home: Path, address: Address) -> ObjectStore: ...

    def shown(self) -> str:
        return f"{self.kind}://{self.bucket or ''} at {self.endpoint or 'the cloud'}"

    def reach(self, home: Path) -> Answer:
        if self.bucket is None:
            raise NonRetryableError(
                f"{self.shown()}: it can only be asked for one bucket", hint="give the connection a `bucket` to be tried with"
            )
        scheme = {"s3": "s3", "gcs": "gs", "azure": "az"}[self.kind]
        store = self.open(home, Address(scheme, self.bucket, ""))
        begun = time.perf_counter()
        store.first()
        took = (time.perf_counter() - begun) * 1000
        tls = None if self.is_plain else "TLS"
        return Answer(
            f"{self.kind}, {store.shown}", tls=tls, verified=tls is not None, round_trip_ms=took, rights={"list": True}
        )

    @property
    def is_plain(self) -> bool:
        """Whether nothing is encrypted on the way."""
        return bool(self._endpoint and self._endpoint.startswith("http://"))

    @property
    def _endpoint(self) -> str | None:
        return self.endpoint

    def _client(self, home: Path) -> ClientConfig:
        client: ClientConfig = {
            "allow_http": self.is_plain, "timeout": timedelta(seconds=self.timeout), "connect_timeout": _QUICKLY,
        }  # fmt: skip
        if pem := certificates(home, self.ca):
            client["root_certificate"] = pem
        return client

    @property
    def _retries(self) -> RetryConfig:
        """Few, because every call is tried again by us, in view of the run's time."""
        backoff = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2}
        return {"max_retries": 2, "retry_timeout": timedelta(seconds=self.timeout), "backoff": backoff}  # type: ignore[typeddict-item]


class S3Connection(ObjectConnection):
    """Amazon S3, and what speaks its protocol: SeaweedFS, MinIO, Ceph and many others."""

    kind: ClassVar[str] = "s3"

    region: str | None = Field(None, description="By AWS_REGION when left out, else us-east-1")
    access_key: Secret | None = Field(None, description="By AWS_ACCESS_KEY_ID, or the role of the machine, when left out")
    secret_key: Secret | None = Field(None, description="As ${secret:env/NAME}; by AWS_SECRET_ACCESS_KEY when left out")
    session_token: Secret | None = Field(None, description="By AWS_SESSION_TOKEN when left out")
    path_style: bool | None = Field(
        None, description="Whether the bucket is part of the path; with an `endpoint` it is, unless said"
    )
    anonymous: bool = Field(False, description="Sign nothing, for public buckets")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("`access_key` and `secret_key` belong together")
        if self.anonymous and self.access_key is not None:
            raise ValueError("`anonymous` signs nothing, so `access_key` means nothing")
        return self

    @property
    def _endpoint(self) -> str | None:
        return self.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")

    def open(self, home: Path, address: Address) -> ObjectStore:
        from obstore.store import S3Store

        styled = self._endpoint is not None if self.path_style is None else self.path_style
        keys = {"access_key_id": self.access_key, "secret_access_key": self.secret_key, "session_token": self.session_token}
        options: dict[str, Any] = {
            "endpoint": self._endpoint, "region": self.region or _usual_region(),
            "virtual_hosted_style_request": not styled, "skip_signature": self.anonymous or None, **_revealed(keys),
        }  # fmt: skip
        store = S3Store(
            address.place,
            client_options=self._client(home),
            retry_config=self._retries,
            **{k: v for k, v in options.items() if v is not None},
        )
        return ObjectStore(address.store, store, self._endpoint or "Amazon S3", self._uploads(home, address, styled=styled))

    def _uploads(self, home: Path, address: Address, *, styled: bool) -> Callable[[], S3Uploads] | None:
        """None where there are no keys at hand: those that the role of a machine gets are known to the client alone."""
        given = (self.access_key, self.secret_key, self.session_token)
        access, secret, token = (key.reveal() if key else None for key in given)
        if not self.access_key:
            names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            access, secret, token = (os.environ.get(name) for name in names)
        if self.anonymous or not access or not secret:
            return None
        region = self.region or _usual_region()
        parts = urlsplit(self._endpoint or f"https://s3.{region}.amazonaws.com")
        url = (
            f"{parts.scheme}://{parts.netloc}/{address.place}" if styled else f"{parts.scheme}://{address.place}.{parts.netloc}"
        )

        def made() -> S3Uploads:
            from headrace.infrastructure.connectors.stores.http_client import HttpClient
            from headrace.infrastructure.connectors.stores.s3_uploads import Keys, S3Uploads
            from headrace.infrastructure.connectors.web.trust import trust

            client = HttpClient(self.timeout, url, context=lambda: trust(home, self.ca))
            return S3Uploads(url, Keys(access, secret, token, region), client)

        return made


class GCSConnection(ObjectConnection):
    """Google Cloud Storage."""

    kind: ClassVar[str] = "gcs"

    service_account: Secret | None = Field(
        None,
        description="The key of a service account, as JSON; by GOOGLE_APPLICATION_CREDENTIALS or the machine when left out",
    )
    anonymous: bool = Field(False, description="Sign nothing, to read public buckets")

    def open(self, home: Path, address: Address) -> ObjectStore:
        from obstore.store import GCSStore

        options = {
            "skip_signature": self.anonymous or None,
            "base_url": self.endpoint,
            **_revealed({"service_account_key": self.service_account}),
        }
        given: dict[str, Any] = {k: v for k, v in options.items() if v is not None}
        store = GCSStore(address.place, client_options=self._client(home), retry_config=self._retries, **given)
        return ObjectStore(address.store, store, self.endpoint or "Google Cloud Storage")


class AzureConnection(ObjectConnection):
    """Azure Blob Storage."""

    kind: ClassVar[str] = "azure"

    account: str | None = Field(None, description="The storage account; by AZURE_STORAGE_ACCOUNT_NAME when left out")
    access_key: Secret | None = Field(None, description="The key of the account, as ${secret:env/NAME}")
    sas_token: Secret | None = Field(None, description="A shared access signature, instead of a key")
    tenant: str | None = Field(None, description="With `client` and `client_secret`: the directory of an application")
    client: str | None = None
    client_secret: Secret | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ways = [self.access_key, self.sas_token, self.client_secret]
        if sum(way is not None for way in ways) > 1:
            raise ValueError("give one of `access_key`, `sas_token` and `client_secret`")
        if len({self.tenant is None, self.client is None, self.client_secret is None}) > 1:
            raise ValueError("`tenant`, `client` and `client_secret` belong together")
        return self

    def open(self, home: Path, address: Address) -> ObjectStore:
        from obstore.store import AzureStore

        secrets = {"account_key": self.access_key, "sas_key": self.sas_token, "client_secret": self.client_secret}
        options = {"account_name": self.account, "tenant_id": self.tenant, "client_id": self.client, "endpoint": self.endpoint}
        options |= _revealed(secrets)
        given: dict[str, Any] = {k: v for k, v in options.items() if v is not None}
        store = AzureStore(address.place, client_options=self._client(home), retry_config=self._retries, **given)
        return ObjectStore(address.store, store, self.endpoint or "Azure Blob Storage")


def _usual_region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _revealed(secrets: Mapping[str, Secret | None]) -> dict[str, str | None]:
    return {name: secret.reveal() if secret else None for name, secret in secrets.items()}
