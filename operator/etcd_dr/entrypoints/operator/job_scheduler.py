"""APScheduler's scheduler, for a process whose jobs must neither stand still nor hold up its end.

- Its jobs are due by the wall clock: where that is set back by a day, nothing would run for a day. They move back with it.
- An error in its own thread ends the thread, and every job with it (apscheduler/schedulers/blocking.py). Here it is
  told, and the thread goes on.
- `shutdown(wait=True)` waits for jobs under the lock that a job needs to ask for another one (base.py). `stop` does not.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from etcd_dr.entrypoints.operator.job_door import tell_failure
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink

_NOTICED_SECONDS = 1.0  # slower corrections delay a job by less than this
_ONE_INSTANT_SECONDS = 0.1
_AFTER_ERROR_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 2.0  # a clock that is set back between two readings makes a wait of a day


class JobScheduler(BackgroundScheduler):  # type: ignore[misc]  # APScheduler 3 has no type hints
    """`options` are APScheduler's; the wall clock of `clock` is to be the machine's, which APScheduler reads itself."""

    def __init__(self, *, clock: Clock, events: EventSink, **options: Any) -> None:
        super().__init__(**options)
        self._clock = clock
        self._events = events
        self._ahead_seconds = self._wall_ahead_of_steady()

    @property
    def is_alive(self) -> bool:
        """Whether jobs are begun: it was started, was not stopped, and its thread is there."""
        return bool(self.running and self._thread is not None and self._thread.is_alive())

    def stop(self) -> None:
        """Begin no more jobs, and wait for those under way. Safe when nothing was started."""
        if not self.running:
            return
        self.shutdown(wait=False)
        for executor in self._executors.values():
            executor.shutdown(wait=True)

    def _process_jobs(self) -> float | None:
        try:
            self._follow_clock()
            wait_seconds: float | None = super()._process_jobs()
        except Exception as error:  # noqa: BLE001 - the last door of the thread without which no job is ever begun
            if self.running:  # in the middle of it, a stop looks like a failure
                tell_failure(self._events, "scheduler.failed", error)
            return _AFTER_ERROR_SECONDS
        return None if wait_seconds is None else min(wait_seconds, _LONGEST_WAIT_SECONDS)

    def _follow_clock(self) -> None:
        """Bring every job forward by as much as the wall clock was set back since the last look."""
        before, self._ahead_seconds = self._ahead_seconds, self._wall_ahead_of_steady()
        back_seconds = before - self._ahead_seconds
        if back_seconds < _NOTICED_SECONDS:
            return
        self._events.emit("clock.set_back", level="warning", seconds=round(back_seconds))
        for job in self.get_jobs():
            job.modify(next_run_time=job.next_run_time - timedelta(seconds=back_seconds))

    def _wall_ahead_of_steady(self) -> float:
        """Read both clocks as if at one instant: a pause in between would look like a wall clock that was set."""
        while True:
            begun = self._clock.monotonic()
            ahead_seconds = self._clock.now().timestamp() - begun
            if self._clock.monotonic() - begun < _ONE_INSTANT_SECONDS:
                return ahead_seconds
