"""Runs coroutines for threads that know none, and gives each step of them an end. For clients that have no time limits of their own."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Coroutines:
    """A loop in a thread of its own, from the first coroutine on, and as long as this object. Any number of threads may ask, also those in
    which a loop runs. `timeout` is how many seconds a step may take."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard = threading.Lock()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._running()).result()

    async def within(self, step: Awaitable[T]) -> T:
        """Raises `TimeoutError`."""
        return await asyncio.wait_for(step, self._timeout)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._guard:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(self._loop,), daemon=True, name="headrace-coroutines").start()
                weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
