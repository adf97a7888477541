"""What an SSH server refused, in words for people, and whether trying again may help. Never shows a password or a key."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.patience import what_broke


@contextmanager
def sftp_faults(shown: str) -> Iterator[None]:
    """Turn what paramiko raises into our errors. That something is not there goes on as it is."""
    import paramiko

    try:
        yield
    except FileNotFoundError as error:
        if error.filename is not None:  # of this machine: paramiko names none of the server's
            raise NonRetryableError(f"`{shown}`: {error.filename} is not there", hint="mend the connection") from None
        raise
    except paramiko.BadHostKeyException:
        raise NonRetryableError(
            f"`{shown}`: the server has another key than the one that is known",
            hint="somebody may stand between; if it was changed on purpose, replace it in `known_hosts`",
        ) from None
    except (paramiko.PasswordRequiredException, paramiko.AuthenticationException):
        raise NonRetryableError(
            f"`{shown}`: the server does not know us", hint="see that user, password or key of the connection are right"
        ) from None
    except paramiko.SSHException as error:
        if "known_hosts" in str(error):
            raise NonRetryableError(
                f"`{shown}`: the key of the server is not known",
                hint="put it into `known_hosts` once you know that it is the right one",
            ) from None
        raise RetryableError(f"`{shown}`: {error}", hint="try again; see that an SSH server runs there") from None
    except PermissionError:
        raise NonRetryableError(
            f"`{shown}`: access is denied", hint="give this user the right to read or write there"
        ) from None
    except EOFError:
        raise RetryableError(f"`{shown}`: the server broke the connection off", hint="try again") from None
    except (OSError, socket.gaierror) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise RetryableError(f"`{shown}`: there is no room left", hint="make room there") from None
        refused = getattr(error, "errors", None)  # paramiko gathers those of all addresses of a host
        cause = next(iter(refused.values())) if isinstance(refused, dict) and refused else error
        hint = "see that the host and port are right, and that the server runs"
        raise RetryableError(f"`{shown}` cannot be reached: {what_broke(cause)}", hint=hint) from None
