"""Every error that Headrace raises on purpose: what went wrong, where, and what to do next. Not for errors of the user's own code.

HeadraceError
├── DefinitionError        a definition has problems; carries all of them (exit code 2)
├── UsageError             a command or call was asked for something that cannot be (exit code 2)
└── RunError               a run could not be carried out (exit code 1)
    ├── RetryableError     the same attempt may succeed later: a server down, a lock held
    │   ├── StagingLost  what the run had staged is gone: it may succeed from the start, and not from where it is
    │   └── CircuitBreakerOpenError  the call was not made: the system behind the breaker failed too often
    └── NonRetryableError  the same attempt will fail again
        ├── ContractBroken a rule with `on_violation: fail` was violated
        ├── AuditFailed    a blocking check did not pass
        ├── LeaseLost      another worker took the run over
        ├── TimedOut       the run took longer than its `timeout`
        └── Unbalanced     rows went missing or appeared: read <> written + filtered + quarantined
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from headrace.records import record

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a definition: file, line and column, both counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@record
class Problem:
    """One thing wrong with a definition.

    `path` leads to it through the document (`("sources", "flights", "contract")`); `offset` counts characters into the
    text of an expression there; `on_key` says that the key itself is at fault and not its value. `location` is filled in
    by whoever knows the document.
    """

    message: str
    path: Path = ()
    hint: str | None = None
    offset: int | None = None
    on_key: bool = False
    location: Location | None = None

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else (".".join(map(str, self.path)) + ": " if self.path else "")
        return f"{where}{self.message}" + (f"\n    {self.hint}" if self.hint else "")


class HeadraceError(Exception):
    """What went wrong, with a `hint` that says what to do next. `path` is where in the definition, as far as is known; whoever has its text
    makes a `location` of that."""

    exit_code = 1
    path: Path = ()

    def __init__(self, message: str, *, hint: str | None = None, location: Location | None = None) -> None:
        self.message, self.hint, self.location = message, hint, location
        super().__init__(message)

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return f"{where}{self.message}" + (f"\n    {self.hint}" if self.hint else "")


@contextmanager
def told_at(path: Path) -> Iterator[None]:
    """What goes wrong within has to do with this place of the definition, unless a more exact one is known."""
    try:
        yield
    except HeadraceError as error:
        error.path = error.path or path
        raise


class DefinitionError(HeadraceError):
    """A definition has problems. All of them are in `problems`, in the order of the document."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(
            problems, key=lambda p: (p.location is None, p.location or Location("", 0, 0))
        )
        super().__init__("\n".join(str(p) for p in self.problems))


class UsageError(HeadraceError):
    """A command or call asked for something that cannot be."""

    exit_code = 2


class RunError(HeadraceError):
    """A run could not be carried out."""


class RetryableError(RunError):
    """The same attempt may succeed later: a server is down, a lock is held, a connection broke.

    `retry_after` is how many seconds whoever refused asks to wait, as the `Retry-After` of HTTP does; None if nothing was said.
    `attempts` is how often it was attempted before it was given up: whoever tries again around that goes on counting from there.
    """

    attempts: int = 1

    def __init__(
        self, message: str, *, hint: str | None = None, location: Location | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, location=location)
        self.retry_after = retry_after


class StagingLost(RetryableError):
    """What the run had staged is gone or damaged. To try the same step again is no use; to begin the run from its sources is."""


class CircuitBreakerOpenError(RetryableError):
    """A circuit breaker let a call not through. `retry_after` is the seconds until one may be tried; None while one is being tried."""

    def __init__(
        self,
        message: str = "the circuit breaker is open: the call was not made",
        *,
        hint: str | None = "the system behind it failed too often; call again when it has had time to recover",
        location: Location | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location, retry_after=retry_after)


class NonRetryableError(RunError):
    """The same attempt will fail again: something has to be mended first."""


class ContractBroken(NonRetryableError):
    """A rule with `on_violation: fail` was violated; no target was touched."""


class AuditFailed(NonRetryableError):
    """A blocking check did not pass; no target was touched."""


class LeaseLost(NonRetryableError):
    """The run is no longer ours: its lease ran out, and another worker goes on with it or has ended it. Nothing more may be published."""


class TimedOut(NonRetryableError):
    """The run took longer than its `timeout` allows; it was stopped, and no target was left half written."""


class Unbalanced(NonRetryableError):
    """Rows went missing or appeared: read is not written + filtered + quarantined. Always a defect of ours; please report it."""
