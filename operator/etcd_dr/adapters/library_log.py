"""What libraries say through Python's `logging` (apscheduler, uvicorn, botocore, urllib3, grpc), told as our own events.

- Each record is one event `library.log` with the logger's name, so that a log of JSON lines has nothing else in it.
- Warnings and worse only, whatever level is asked for: at lower levels libraries write requests with their headers,
  and those hold credentials.
- That a job still runs when its next run is due is told once for each job: while a member hangs it is so every round.
- The last frame of an exception goes with it; the rest of the traceback does not: one line an event.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from etcd_dr.ports.events import EventSink, Level

_SKIPPED = 'Execution of job "%s" skipped'


@contextmanager
def library_records_told(events: EventSink) -> Iterator[None]:
    """Tell what libraries log, to `events` alone, until the end of the context; then all is as it was."""
    root, handler = logging.getLogger(), _Teller(events)
    before, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)


class _Teller(logging.Handler):
    def __init__(self, events: EventSink) -> None:
        super().__init__(logging.WARNING)
        self._events = events
        self._late_jobs: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_known(record):
            return
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        error, place = _failure(record)
        self._events.emit("library.log", level=level, logger=record.name, message=_text(record), **error, **place)

    def _is_known(self, record: logging.LogRecord) -> bool:
        """Tell whether this is a skipped run of a job that was told before (apscheduler/schedulers/base.py)."""
        if not str(record.msg).startswith(_SKIPPED) or not isinstance(record.args, tuple) or not record.args:
            return False
        job = str(getattr(record.args[0], "name", record.args[0]))
        known = job in self._late_jobs
        self._late_jobs.add(job)
        return known


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # the library's arguments do not fit its own format
        return str(record.msg)


def _failure(record: logging.LogRecord) -> tuple[dict[str, str], dict[str, str]]:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}, {}
    frames = traceback.extract_tb(error.__traceback__)
    place = {"place": f"{frames[-1].name}:{frames[-1].lineno}"} if frames else {}
    return {"error": "".join(traceback.format_exception_only(error)).strip()}, place
