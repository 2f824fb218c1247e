"""The journal of one recovery: an entry before and after each step, so that anyone can go on or go back.

Rules this module keeps:
- Entries are numbered from 1 without a gap and never change. An entry is written before its step begins (`INTENT`) and
  after it ended (`DONE`, `FAILED`); likewise when a step is undone.
- What happened to a plan is a fold over its entries (`JournalProgress.of`), and nothing else is remembered anywhere.
- Entries hold no secrets. `facts` are what a step found out and later steps or people need.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

JOURNAL_VERSION = 1

Facts = dict[str, str | int | float | bool | None]
"""What a step found out, as JSON has it."""


class EntryKind(StrEnum):
    BEGUN = "begun"
    """A plan was confirmed; its digest is in `facts`."""
    RESUMED = "resumed"
    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """The run was interrupted between steps or waits for a person; it can be resumed."""
    ABORTING = "aborting"
    UNDO_INTENT = "undo-intent"
    UNDONE = "undone"
    FINISHED = "finished"
    ABORTED = "aborted"


class JournalEntry(BaseModel):
    """One line. `step` is empty for what concerns the whole recovery; `at` is the writer's clock, aware UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    recovery_id: str
    number: int = Field(ge=1)
    at: AwareDatetime
    kind: EntryKind
    step: str = ""
    by: str = Field(default="", description="user@host")
    detail: str = ""
    seconds: float | None = None
    facts: Facts = Field(default_factory=dict)


class RecoveryState(StrEnum):
    """Where a recovery stands."""

    NEW = "new"
    UNDER_WAY = "under-way"
    FINISHED = "finished"
    ABORTING = "aborting"
    ABORTED = "aborted"

    @property
    def is_over(self) -> bool:
        return self in (RecoveryState.FINISHED, RecoveryState.ABORTED)


@dataclass(frozen=True, slots=True)
class JournalProgress:
    """What the entries add up to. `touched` are the steps that were begun, in order, and not undone since."""

    state: RecoveryState
    last_number: int
    done: frozenset[str]
    touched: tuple[str, ...]
    facts: dict[str, Facts]
    last_failure: JournalEntry | None = None
    begun_at: datetime | None = None
    waited_for: frozenset[str] = frozenset()
    """Steps at which the run stopped for a person."""

    def is_open(self, step_id: str) -> bool:
        """Whether the step was begun and is neither done nor undone."""
        return step_id in self.touched and step_id not in self.done

    @classmethod
    def of(cls, entries: Iterable[JournalEntry]) -> JournalProgress:
        """Fold the entries, which are in order of number."""
        state, last, failure = RecoveryState.NEW, 0, None
        done: set[str] = set()
        waited_for: set[str] = set()
        touched: list[str] = []
        facts: dict[str, Facts] = {}
        begun_at: datetime | None = None
        for entry in entries:
            last = entry.number
            state = _STATES.get(entry.kind, state)
            match entry.kind:
                case EntryKind.BEGUN:
                    begun_at = entry.at
                case EntryKind.INTENT:
                    done.discard(entry.step)  # carried out again: what it made before is not there any more
                    if entry.step not in touched:
                        touched.append(entry.step)
                case EntryKind.DONE:
                    done.add(entry.step)
                    failure = None if failure is not None and failure.step == entry.step else failure
                    facts[entry.step] = dict(entry.facts)
                case EntryKind.FAILED:
                    failure = entry
                case EntryKind.STOPPED if entry.step:
                    waited_for.add(entry.step)
                case EntryKind.UNDONE:
                    done.discard(entry.step)
                    if entry.step in touched:
                        touched.remove(entry.step)
                case _:
                    pass
        return cls(state, last, frozenset(done), tuple(touched), facts, failure, begun_at, frozenset(waited_for))


_STATES = {
    EntryKind.BEGUN: RecoveryState.UNDER_WAY,
    EntryKind.ABORTING: RecoveryState.ABORTING,
    EntryKind.FINISHED: RecoveryState.FINISHED,
    EntryKind.ABORTED: RecoveryState.ABORTED,
}
