"""What the world is told while work goes on: log events, metrics and progress share one door."""

from __future__ import annotations

from typing import Literal, Protocol

Level = Literal["debug", "info", "warning", "error"]


class EventSink(Protocol):
    """Receives facts. Implementations never raise and never block for long; they may be called from any thread."""

    def emit(self, event: str, *, level: Level = "info", **fields: str | int | float | bool | None) -> None:
        """Record one event. `event` is a fixed dotted name (`snapshot.committed`); values go in fields whose keys are
        the shared vocabulary of docs/architecture.md. Never secrets."""
        ...


class Progress(Protocol):
    """Follows one long transfer. Calls are cheap: one per chunk is fine."""

    def begin(self, phase: str, *, total_bytes: int | None) -> None: ...

    def advance(self, count_bytes: int) -> None: ...

    def finish(self) -> None: ...
