"""Whose certificates are believed: those of the system, or, where a file is named, those in it and no others."""

from __future__ import annotations

import ssl
from pathlib import Path

from headrace.errors import NonRetryableError


def trust(home: Path, ca: str | None) -> ssl.SSLContext:
    """What TLS trusts; `ca` is meant from `home`. Raises `NonRetryableError` when the file is of no use."""
    if ca is None:
        return ssl.create_default_context()
    path = (home / ca).resolve()
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise NonRetryableError(
            f"the file for `ca` is of no use: {path} ({error.strerror or 'not PEM'})",
            hint="it holds certificates in PEM; its path is meant from the folder of the definition or of headrace.toml",
        ) from None
