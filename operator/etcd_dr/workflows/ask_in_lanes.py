"""Asks several things side by side, and never waits for one that hangs.

- A lane is a daemon thread that asks its questions one after the other and notes each answer at once, so what was
  answered before it hung is kept. Daemon: a lookup that hangs for a minute must not hold up the end of the process.
- While a lane hangs, no second one of the same name is started: at most one thread is lost for each name.
- `limit` bounds all threads together; beyond it a lane is refused, as if it hung.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from etcd_dr.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Lane:
    """One set of questions under way. `was_refused`: an earlier one of this name still hangs."""

    name: str
    was_refused: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def is_done(self) -> bool:
        return self.done.is_set()


class Lanes:
    """Starts lanes and waits for them; safe to use from several threads."""

    def __init__(self, clock: Clock, *, limit: int = 128) -> None:
        self._clock = clock
        self._limit = limit
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def start(self, name: str, ask: Callable[[], None]) -> Lane:
        """Begin to ask. `ask` notes its answers itself and translates its own errors."""
        with self._lock:
            if name in self._running or len(self._running) >= self._limit:
                lane = Lane(name, was_refused=True)
                lane.done.set()
                return lane
            lane = Lane(name)
            threading.Thread(target=self._run, args=(lane, ask), name=f"lane {name}", daemon=True).start()
            self._running.add(name)  # last: where no thread is to be had, the name must not count as hanging
        return lane

    def wait(self, lanes: Iterable[Lane], *, until: float) -> None:
        """Wait until all are done or the monotonic clock says `until`."""
        for lane in lanes:
            lane.done.wait(max(0.0, until - self._clock.monotonic()))

    def _run(self, lane: Lane, ask: Callable[[], None]) -> None:
        try:
            ask()
        finally:
            with self._lock:
                self._running.discard(lane.name)
            lane.done.set()
