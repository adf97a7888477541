"""What delta-rs refused, in words for people, and whether trying again may help. Never shows a key or a whole answer of a store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import HeadraceError, NonRetryableError, RetryableError, RunError
from headrace.infrastructure.connectors.lakes.lake import Conflict
from headrace.infrastructure.connectors.stores import object_faults

_COLOURS = re.compile(r"\x1b\[\d+m|↳")
_LATER = re.compile(r"(?i)no space left|timed? ?out|broken pipe|connection reset|error sending request")


@contextmanager
def delta_faults(shown: str, *, stored: bool) -> Iterator[None]:
    """Turn what delta-rs raises into our errors. `stored` says that the table lies in an object store."""
    from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError, SchemaMismatchError

    try:
        yield
    except HeadraceError:
        raise
    except CommitFailedError as error:
        raise Conflict(
            f"{shown}: another writer has committed meanwhile", hint="try again: nothing of this run was published"
        ) from error
    except DeltaProtocolError as error:
        raise NonRetryableError(
            f"{shown}: this table needs what delta-rs cannot do: {_said(error)}",
            hint="see which features the table has switched on",
        ) from error
    except SchemaMismatchError as error:
        raise NonRetryableError(f"{shown}: {_said(error)}", hint="see that the columns are as they were planned") from error
    except PermissionError as error:
        raise NonRetryableError(f"{shown}: {_said(error)}", hint="let this user read and write there") from error
    except (DeltaError, OSError) as error:
        raise _explained(shown, error, stored=stored) from (None if stored else error)  # a store's answer is in its text


def _explained(shown: str, error: Exception, *, stored: bool) -> RunError:
    text = _plain(error)
    if stored and re.search(r"status code|HTTP error|error sending|Generic (S3|GCS|MicrosoftAzure) error|redential", text):
        return object_faults.explained(shown, "the store", re.sub(r"status code:?\s+", "status code: ", text))
    if isinstance(error, OSError) or _LATER.search(text):
        return RetryableError(f"{shown}: {_said(error)}", hint="see that the disk is there and not full, and try again")
    return NonRetryableError(
        f"{shown}: {_said(error)}", hint="see that it is a Delta table that nobody has damaged; nothing was changed"
    )


def _plain(error: Exception) -> str:
    return " ".join(_COLOURS.sub(" ", str(error)).split())


def _said(error: Exception) -> str:
    return _plain(error)[:300]
