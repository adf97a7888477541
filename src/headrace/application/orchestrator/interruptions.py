"""Ctrl-C as work takes it that has to come to a clean end: it is never lost, and it does not come where it could not be dealt with.

Python raises `KeyboardInterrupt` wherever it happens to be, also in code that swallows it: a destructor, a callback, DuckDB, which
makes a `RuntimeError` of it. So it is remembered here that somebody asked. Not what becomes of a run then.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from headrace.errors import HeadraceError


class Interruptions:
    """While this is entered in the main thread, SIGINT is heard here and raises `KeyboardInterrupt`, unless it is held back. In other
    threads it does nothing.

    A process that was started with SIGINT ignored, as shells start those behind `&`, goes on ignoring it, but hears the demands of its
    own threads. A handler of the program around us is asked, and may do without the exception.
    """

    def __init__(self, *, hands_over: bool = False) -> None:
        """`hands_over` is whether there are others who go on with what is left; then SIGTERM is heard as well, and raises nothing."""
        self._hands_over = hands_over
        self.asked = False
        """Whether somebody wants the work to stop, by hand or by `demand`."""
        self.leaving = False
        """Whether what has no end is to be left to another process (SIGTERM). What has one goes on to it."""
        self.heard_here = False
        self._before: Any = None
        self._before_term: Any = None
        self._demanded = self._held = self._pending = False

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if before is not None and threading.current_thread() is threading.main_thread():
            self._before, self.heard_here = before, True
            signal.signal(signal.SIGINT, self._hear)
            if self._hands_over:
                self._before_term = signal.signal(signal.SIGTERM, self._leave)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Raises what was held back to the end, and what a library has made into an error of its own."""
        if self.heard_here:
            signal.signal(signal.SIGINT, self._before)
            if self._hands_over:
                signal.signal(signal.SIGTERM, self._before_term)
            self.heard_here = False
        if kind is None and self._pending:
            raise KeyboardInterrupt
        if self.asked and isinstance(error, Exception) and not isinstance(error, HeadraceError):
            raise KeyboardInterrupt from error

    def demand(self) -> None:
        """Raise `KeyboardInterrupt` in the main thread, from another one."""
        self._demanded = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def hold(self) -> None:
        """From here on SIGINT is only remembered."""
        self._held = True

    def let_go(self) -> None:
        """From here on it is raised again; at once, if there was one."""
        self._held = False
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def heeded(self) -> None:
        """What was asked for is done: the work has come to a clean end, and nothing is raised for it any more."""
        self._pending = False

    def look(self) -> None:
        """Raises `KeyboardInterrupt` when the work is to stop."""
        if self.asked:
            self._pending = False
            raise KeyboardInterrupt

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        self.leaving = True

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self._demanded and self._before is signal.SIG_IGN:
            return
        if self._held:
            self.asked = self._pending = True
            return
        if not self._demanded and callable(self._before) and self._before is not signal.default_int_handler:
            try:
                self._before(number, frame)
            except KeyboardInterrupt:
                self.asked = True
                raise
            return
        self.asked = True
        raise KeyboardInterrupt
