"""Events as log lines on a stream: JSON for machines, text for people (docs/architecture.md has the vocabulary).

- One line an event, UTC time stamps to the millisecond, the event's dotted name under `event`.
- What is below the level costs one comparison: the library behind is loaded for the first line that is written.
- A stream that cannot be written to any more loses lines; it never stops the work.
"""

from __future__ import annotations

import contextlib
from collections.abc import MutableMapping
from datetime import UTC
from threading import Lock
from typing import Any, Literal, TextIO

from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink, Level

LogFormat = Literal["json", "text"]

_RANKS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class EventLog:
    """Implements ports.events.EventSink."""

    def __init__(self, stream: TextIO, *, level: Level, format: LogFormat, clock: Clock) -> None:  # noqa: A002 - the word people write in the configuration
        self._stream = stream
        self._rank = _RANKS[level]
        self._format = format
        self._clock = clock
        self._lock = Lock()
        self._write: Any = None

    def emit(self, event: str, *, level: Level = "info", **fields: str | int | float | bool | None) -> None:
        """Write one event, unless it is below the level."""
        if _RANKS[level] < self._rank:
            return
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._write is None:
                self._write = self._open()
            self._write.msg(event, level=level, **fields)

    def _open(self) -> Any:
        import structlog  # noqa: PLC0415 - a command that logs nothing does not wait for it

        renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
        if self._format == "text":
            renderer = _as_text
        return structlog.wrap_logger(
            structlog.WriteLogger(self._stream),
            processors=[self._stamp, renderer],
            wrapper_class=structlog.BoundLogger,
        )

    def _stamp(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        moment = self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"timestamp": moment, "level": line.pop("level"), "event": line.pop("event"), **line}


class NoEvents:
    """Implements ports.events.EventSink by dropping everything."""

    def emit(self, event: str, *, level: Level = "info", **fields: str | int | float | bool | None) -> None: ...


class EventsBesideAnswer:
    """Implements ports.events.EventSink by dropping what an answer says anyway, and passing the rest on."""

    def __init__(self, events: EventSink, *, said_in_answer: frozenset[str]) -> None:
        self._events = events
        self._said_in_answer = said_in_answer

    def emit(self, event: str, *, level: Level = "info", **fields: str | int | float | bool | None) -> None:
        if event not in self._said_in_answer:
            self._events.emit(event, level=level, **fields)


def _as_text(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    head = f"{line.pop('timestamp')} {line.pop('level'):<7} {line.pop('event')}"
    return " ".join([head, *(f"{key}={_word(value)}" for key, value in line.items())])


def _word(value: object) -> str:
    """Return a value in one word: quoted where it holds spaces, with control characters shown as escapes."""
    text = "" if value is None else str(value)
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{safe}"' if " " in safe or not safe else safe
