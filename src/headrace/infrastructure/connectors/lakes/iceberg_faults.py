"""What pyiceberg, a catalog or its store refused, in words for people, and whether trying again may help. Never shows a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import HeadraceError, NonRetryableError, RetryableError
from headrace.infrastructure.connectors.lakes.lake import Conflict


@contextmanager
def iceberg_faults(shown: str) -> Iterator[None]:
    """Turn what pyiceberg raises into our errors."""
    import pyarrow as pa
    import requests
    from pyiceberg import exceptions as of
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except HeadraceError:
        raise
    except of.CommitFailedException as error:
        raise Conflict(
            f"{shown}: another writer has committed meanwhile", hint="try again: nothing of this run was published"
        ) from error
    except (of.CommitStateUnknownException, of.ServerError, of.ServiceUnavailableError, requests.RequestException) as error:
        raise RetryableError(
            f"{shown}: the catalog cannot be asked: {_said(error)}", hint="see that it runs and is reached"
        ) from error
    except (of.UnauthorizedError, of.ForbiddenError, of.OAuthError) as error:
        raise NonRetryableError(
            f"{shown}: the catalog does not let us in: {_said(error)}",
            hint="see that `credential` or `token` of the connection is right",
        ) from error
    except DBAPIError as error:
        raise RetryableError(
            f"{shown}: the catalog's database refused: {_said(error.orig or error)}",
            hint="see that it is there, and that nobody keeps it locked",
        ) from error
    except SQLAlchemyError as error:
        raise NonRetryableError(f"{shown}: the catalog's database: {_said(error)}", hint="see that `uri` is right") from error
    except (of.ValidationError, of.ValidationException, of.RESTError, NotImplementedError, pa.ArrowException) as error:
        raise NonRetryableError(f"{shown}: {_said(error)}", hint="nothing was changed") from error
    except PermissionError as error:
        raise NonRetryableError(f"{shown}: {_said(error)}", hint="let this user read and write there") from error
    except OSError as error:
        raise RetryableError(f"{shown}: {_said(error)}", hint="see that the store is reached and the disk not full") from error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
