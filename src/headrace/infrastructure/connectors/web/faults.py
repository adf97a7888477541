"""Tells in our own errors what broke between a server and us. Not what a server itself refuses."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.patience import what_broke


class Unaskable(Exception):
    """A request that cannot be written down, of which nothing was sent."""


@contextmanager
def telling(said: str) -> Iterator[None]:
    """Within this, faults of connections are our errors. They name what was asked as `said`, which holds no secret."""
    try:
        yield
    except Unaskable:
        raise NonRetryableError(f"{said} cannot be asked", hint="see that its host and parameters are right") from None
    except IncompleteRead as error:
        raise RetryableError(
            f"{said} broke off after {len(error.partial):,} bytes", hint="try again; see whether the network is sound"
        ) from None
    except ssl.SSLCertVerificationError as error:
        hint = "if a private authority vouches for it, name its certificates with `ca`"
        raise NonRetryableError(f"{said}: {what_broke(error)}: {error.verify_message}", hint=hint) from None
    except (OSError, HTTPException) as error:
        hint = "see that the host and port are right, and that the server runs"
        raise RetryableError(f"{said}: {what_broke(error)}", hint=hint) from None
