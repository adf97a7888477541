"""What an object store refused, in words for people, and whether trying again may help. Never shows a key or a signature."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import NonRetryableError, RetryableError, RunError

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]{1,300})")

#: What stores say, in their codes, and what to do about it.
_CODES: dict[str, tuple[str, str]] = {
    "NoSuchBucket": ("there is no such bucket", "see that its name is right, or create it: Headrace creates none"),
    "ContainerNotFound": ("there is no such container", "see that its name is right, or create it: Headrace creates none"),
    "InvalidAccessKeyId": ("the access key is not known there", "see that `access_key` of the connection is right"),
    "SignatureDoesNotMatch": ("the secret key is wrong", "see that `secret_key` of the connection belongs to its `access_key`"),
    "AuthenticationFailed": ("it does not know us", "see that the key or token of the connection is right, and not expired"),
    "ExpiredToken": ("the session token has expired", "get a new one"),
    "InvalidToken": ("the session token is not accepted", "see that `session_token` belongs to the access key"),
    "RequestTimeTooSkewed": ("the clocks differ too much", "set the clock of this machine"),
    "AccessDenied": ("access is denied", "give this user the right to list, read or write there, as the pipeline needs it"),
    "AuthorizationPermissionMismatch": ("access is denied", "give this user the right to read or write blobs there"),
    "PermanentRedirect": ("the bucket is in another region", "name its `region` in the connection"),
    "AuthorizationHeaderMalformed": ("the region is wrong", "name the `region` of the bucket in the connection"),
    "InvalidBucketName": ("that cannot be the name of a bucket", "see how it is spelt"),
    "QuotaExceeded": ("there is no room left", "make room there"),
}
_BY_STATUS = {
    401: ("it does not know us", "see that the keys of the connection are right"),
    403: (
        "access is denied",
        "see that the keys of the connection are right, and that this user may list, read or write there",
    ),
    404: ("it is not there", "see that `endpoint` and the name of the bucket are right"),
    301: ("the bucket is in another region", "name its `region` in the connection"),
}
_PASSING = frozenset({408, 409, 425, 429})
#: What the client says when no answer came, in the chain of causes that it prints.
_CONNECTION: tuple[tuple[str, str, str], ...] = (
    ("dns error|failed to lookup|Name or service not known", "its name is not known", "see that the host is spelt right and known here"),
    ("onnection refused", "it refused the connection", "see that the service runs, and listens at this host and port"),
    ("certificate|UnknownIssuer|InvalidCertificate", "its certificate cannot be trusted",
     "if a private authority vouches for it, name its certificates as `ca` in the connection"),
    ("timed out|Timeout|TimedOut", "it did not answer in time", "try again, or give the connection a longer `timeout`"),
)  # fmt: skip


@contextmanager
def object_faults(shown: str, service: str) -> Iterator[None]:
    """Turn what obstore raises into our errors. What only says that something is not there, or is otherwise, goes on as it is."""
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except FileNotFoundError as error:
        if (told := _code(str(error))) in ("NoSuchBucket", "ContainerNotFound"):
            raise _told(shown, *_CODES[told]) from None
        raise
    except BaseError as error:
        raise explained(shown, service, str(error)) from None  # its text and its causes hold whole requests


def explained(shown: str, service: str, text: str) -> RunError:
    if (told := _code(text)) in _CODES:
        return _told(shown, *_CODES[told])
    if told == "NoSuchUpload":
        return RetryableError(f"`{shown}`: the upload was aborted by another publication", hint="try again")
    found = _STATUS.search(text)
    status = int(found[1]) if found else None
    if status is not None and (status >= 500 or status in _PASSING):
        return RetryableError(f"`{shown}`: {service} answered {status}{_said(text)}", hint="try again; it may be overloaded")
    if status in _BY_STATUS:
        return _told(shown, *_BY_STATUS[status])
    if status is not None:
        return NonRetryableError(f"`{shown}`: {service} answered {status}{_said(text)}", hint="nothing was changed")
    for pattern, what, hint in _CONNECTION:
        if re.search(pattern, text):
            untrusted = "certificate" in what
            kind = NonRetryableError if untrusted else RetryableError
            return kind(f"`{shown}` at {service} cannot be reached: {what}", hint=hint)
    if "redential" in text or ("metadata" in text and "169.254" in text):
        return _told(shown, "there are no keys to sign with", "name a `connection` with keys, or set those of the environment")
    if "HTTP error" in text or "error decoding" in text or "Error performing" in text:
        return RetryableError(
            f"`{shown}` at {service}: the connection broke", hint="try again; see whether the network is sound"
        )
    return NonRetryableError(f"`{shown}`: {text.splitlines()[0][:300]}", hint="see that the connection is right")


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else ""


def _said(text: str) -> str:
    code, message = _code(text), _MESSAGE.search(text)
    said = ": ".join(part for part in (code, message[1].strip() if message else "") if part)
    return f" ({said})" if said else ""


def _told(shown: str, what: str, hint: str) -> NonRetryableError:
    return NonRetryableError(f"`{shown}`: {what}", hint=hint)
