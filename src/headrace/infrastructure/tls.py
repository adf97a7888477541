"""What connections to servers say of TLS: how much of it is demanded, and by which certificates. Not how a driver is told."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from headrace.business.connections import Connection
from headrace.errors import NonRetryableError

Tls = Literal["off", "prefer", "require", "verify-ca", "verify-full"]


class TlsOptions(Connection):
    """Options of a connection that may be encrypted."""

    tls: Tls | None = Field(
        None,
        description="off: never; prefer: where the server can, whoever it is; require: always, whoever it is; verify-ca: by a "
        "certificate that `ca` vouches for; verify-full: and that is for this host. Unless said, verify-full with `ca`, else prefer",
    )
    ca: str | None = Field(None, description="A file with the certificates of those who vouch for the server, in PEM")
    cert: str | None = Field(None, description="A file with our own certificate, where the server wants one, in PEM")
    key: str | None = Field(
        None, description="A file with the key of our own certificate, which only its owner may read, in PEM"
    )

    @model_validator(mode="after")
    def _tls_is_consistent(self) -> Self:
        if self.ca is not None and self.tls in ("off", "prefer", "require"):
            raise ValueError(
                f"`ca` means nothing with `tls` {self.tls}, which verifies nobody: say verify-full, or leave `tls` out"
            )
        if (self.cert is None) != (self.key is None):
            raise ValueError("`cert` and `key` belong together")
        return self

    @property
    def tls_mode(self) -> Tls:
        return self.tls or ("prefer" if self.ca is None else "verify-full")

    @property
    def verifies(self) -> bool:
        return self.tls_mode in ("verify-ca", "verify-full")

    def tls_files(self, home: Path) -> dict[str, str]:
        """The files by option, as whole paths. Raises `NonRetryableError` when one cannot be read."""
        found = {}
        for option in ("ca", "cert", "key"):
            name = getattr(self, option)
            if name is None:
                continue
            path = (home / name).resolve()
            try:
                path.open("rb").close()
            except OSError as error:
                raise NonRetryableError(
                    f"the file for `{option}` cannot be read: {path} ({error.strerror})",
                    hint=f"mend `{option}` of the connection",
                ) from None
            found[option] = str(path)
        return found

    def tls_context(self, home: Path) -> ssl.SSLContext:
        """For drivers that take one. Raises `NonRetryableError` when the certificates cannot be used."""
        files = self.tls_files(home)
        try:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname = self.tls_mode == "verify-full"
            tls.verify_mode = ssl.CERT_REQUIRED if self.verifies else ssl.CERT_NONE
            if "ca" in files:
                tls.load_verify_locations(files["ca"])
            elif self.verifies:
                tls.load_default_certs()
            if "cert" in files:
                tls.load_cert_chain(files["cert"], files["key"])
        except ssl.SSLError as error:
            raise NonRetryableError(
                f"{self.shown()}: the certificates cannot be used: {error}",
                hint="see that `ca`, `cert` and `key` are PEM, and belong together",
            ) from error
        return tls
