"""A thread with an event loop, so that blocking callers can use an asynchronous library.

One for each connection: closing a connection ends its thread and everything that still waits on it, and a node that
hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")

_JOIN_SECONDS = 2.0


class LoopClosed(Exception):
    """The loop was stopped before or during the call."""


class LoopThread:
    """Runs coroutines for other threads. Started by the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine and return its future; cancelling that cancels it. Raises LoopClosed after `stop`."""
        try:
            with self._lock:  # what is handed over behind a stop would be waited for without end
                return asyncio.run_coroutine_threadsafe(coroutine, self._running())
        except LoopClosed:
            coroutine.close()
            raise

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float) -> T:
        """Return the result of a coroutine. Raises TimeoutError, LoopClosed, and what the coroutine raises."""
        try:
            return self.submit(_within(coroutine, seconds)).result()
        except LoopClosed:
            coroutine.close()
            raise
        except CancelledError as error:
            raise LoopClosed from error

    def call_soon(self, callback: Any, *arguments: Any) -> None:
        """Call something in the loop's thread; nothing happens after `stop`."""
        with self._lock:
            if self._loop is not None and not self._is_stopped:
                self._loop.call_soon_threadsafe(callback, *arguments)

    def stop(self) -> None:
        """Cancel everything and end the thread. Safe to call twice, and from any thread but the loop's own."""
        with self._lock:
            was_stopped, self._is_stopped = self._is_stopped, True
            if self._loop is None or was_stopped:
                return
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the loop, begun if need be; the lock is held."""
        if self._is_stopped:
            raise LoopClosed
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        # What breaks in a transport is told through the call that used it; a second telling on stderr helps nobody.
        loop.set_exception_handler(lambda _loop, _context: None)
        loop.run_forever()
        loop.run_until_complete(_wind_up())
        loop.close()


async def _wind_up() -> None:
    """Cancel what is under way, and let everybody hear who waits for it, or for what ended just before."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1.0)
    await asyncio.sleep(0)  # a loop that is closed drops its callbacks, and among them the word that a call has ended


async def _within(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await coroutine
