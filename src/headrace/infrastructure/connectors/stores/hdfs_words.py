"""What a name node refuses, by the names of its exceptions, in words for people; by whatever protocol it was asked."""

from __future__ import annotations

from headrace.errors import NonRetryableError, RetryableError, RunError

#: What is wrong, and what to do about it.
_REFUSALS: dict[str, tuple[str, str]] = {
    "AccessControlException": ("access is denied", "give this user the right, or ask as another one"),
    "SecurityException": ("it does not know us", "see that user or token are right"),
    "InvalidToken": ("the token is not accepted", "get a new one"),
    "DSQuotaExceededException": ("there is no room left", "make room there"),
}
_PASSING = ("StandbyException", "SafeModeException", "RetriableException", "NotReplicatedYetException")


def refusal(name: str, exception: str) -> RunError | None:
    """What to raise for an exception, which may have its package before it; None when it says nothing that we know."""
    told = exception.rpartition(".")[2]
    if told in _REFUSALS:
        what, hint = _REFUSALS[told]
        return NonRetryableError(f"`{name}`: {what}", hint=hint)
    if told in _PASSING:
        return RetryableError(f"`{name}`: the server cannot serve now ({told})", hint="try again; see in which mode it is")
    return None
