"""Events and progress that are remembered, so that a test can ask what the world was told."""

from __future__ import annotations

from dataclasses import dataclass, field

from etcd_dr.ports.events import Level

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Told:
    event: str
    level: Level
    fields: dict[str, Value]


@dataclass
class RecordingEvents:
    """Implements ports.events.EventSink."""

    told: list[Told] = field(default_factory=list)

    def emit(self, event: str, *, level: Level = "info", **fields: Value) -> None:
        self.told.append(Told(event, level, fields))

    def of(self, event: str) -> list[Told]:
        """Return what was told under this name, in order."""
        return [told for told in self.told if told.event == event]

    @property
    def names(self) -> list[str]:
        return [told.event for told in self.told]


@dataclass
class RecordingProgress:
    """Implements ports.events.Progress."""

    phases: list[str] = field(default_factory=list)
    count_bytes: int = 0

    def begin(self, phase: str, *, total_bytes: int | None) -> None:
        self.phases.append(phase)

    def advance(self, count_bytes: int) -> None:
        self.count_bytes += count_bytes

    def finish(self) -> None:
        """Nothing to remember."""
