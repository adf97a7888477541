"""What pyiceberg, a catalog or its store refused, in words for people, and whether trying again may help. Never shows a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import HeadraceError, NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors.lakes.lake import Conflict

#: What stores and catalogs say when they are not reached or do not let us in, whether that is final, and what to do about it.
_UNREACHED: tuple[tuple[str, bool, str, str], ...] = (
    ("SIGNATURE_DOES_NOT_MATCH", True, "the secret key of the store is wrong", "see that `secret_key` belongs to `access_key`"),
    ("INVALID_ACCESS_KEY_ID", True, "the access key is not known to the store", "see that `access_key` of the connection is right"),
    ("ACCESS_DENIED", True, "the store denies access", "give this user the right to list, read and write there"),
    ("NO_SUCH_BUCKET", True, "there is no such bucket", "see that the `warehouse` is right, or create the bucket"),
    ("CERTIFICATE_VERIFY_FAILED", True, "the certificate of the catalog cannot be trusted",
     "if a private authority vouches for it, name its certificates in the environment variable REQUESTS_CA_BUNDLE"),
    ("onnection refused|COULDNT_CONNECT", False, "the connection was refused", "see that it runs, and listens at this host and port"),
    ("resolve|Name or service not known", False, "its name is not known", "see that the host is spelt right and known here"),
    ("timed out|Timeout", False, "it did not answer in time", "try again"),
)  # fmt: skip


@contextmanager
def iceberg_faults(shown: str) -> Iterator[None]:
    """Turn what pyiceberg raises into our errors."""
    import pyarrow as pa
    from pyiceberg import exceptions as of
    from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

    try:
        yield
    except HeadraceError:
        raise
    except of.CommitFailedException as error:
        raise Conflict(
            f"{shown}: another writer has committed meanwhile", hint="try again: nothing of this run was published"
        ) from error
    except (of.CommitStateUnknownException, of.ServerError, of.ServiceUnavailableError) as error:
        raise RetryableError(
            f"{shown}: the catalog cannot be asked: {_said(error)}", hint="see that it runs and is reached"
        ) from error
    except (of.UnauthorizedError, of.ForbiddenError, of.OAuthError) as error:
        raise NonRetryableError(
            f"{shown}: the catalog does not let us in: {_said(error)}",
            hint="see that `credential` or `token` of the connection is right",
        ) from error
    except IntegrityError as error:
        raise Conflict(f"{shown}: somebody else has made the namespace or table meanwhile", hint="try again") from error
    except DBAPIError as error:
        raise RetryableError(
            f"{shown}: the catalog's database refused: {_said(error.orig or error)}",
            hint="see that it is there, and that nobody keeps it locked",
        ) from error
    except SQLAlchemyError as error:
        raise NonRetryableError(f"{shown}: the catalog's database: {_said(error)}", hint="see that `uri` is right") from error
    except (of.ValidationError, of.ValidationException, of.RESTError, RuntimeError, ValueError, pa.ArrowException) as error:
        raise NonRetryableError(f"{shown}: {_said(error)}", hint="nothing was changed") from error
    except PermissionError as error:
        raise NonRetryableError(f"{shown}: {_said(error)}", hint="let this user read and write there") from error
    except OSError as error:
        raise _unreached(shown, error) from error


def _unreached(shown: str, error: OSError) -> RunError:
    text = str(error)
    for pattern, final, what, hint in _UNREACHED:
        if re.search(pattern, text):
            return (NonRetryableError if final else RetryableError)(f"{shown}: {what}", hint=hint)
    return RetryableError(
        f"{shown}: {_said(error)}", hint="see that the catalog and its store can be reached, and that no disk is full"
    )


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
