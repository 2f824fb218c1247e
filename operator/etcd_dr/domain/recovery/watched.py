"""A recovery as somebody sees it who does not run it: from its journal and the cluster's lock in the store.

- `failed` lasts until somebody goes on or back: entries of steps beside it, which ended later, change nothing.
- A lock whose recovery never began, or is over, keeps everybody else out for nothing: `locked`.
- Whether something takes too long is judged by whoever reads `changed_at`; there is no clock here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry, JournalProgress, RecoveryState
from etcd_dr.domain.recovery.record import RecoveryLock

_MOST_DETAIL = 200
_NEW_RUN = (EntryKind.BEGUN, EntryKind.RESUMED, EntryKind.ABORTING)


class WatchedState(StrEnum):
    """Where it stands, as far as anybody can tell from outside."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Waits for a person, or was interrupted."""
    FAILED = "failed"
    ABORTING = "aborting"
    FINISHED = "finished"
    ABORTED = "aborted"
    LOCKED = "locked"
    DAMAGED = "damaged"

    @property
    def is_over(self) -> bool:
        return self in (WatchedState.FINISHED, WatchedState.ABORTED)


@dataclass(frozen=True, slots=True)
class WatchedRecovery:
    """`changed_at`: when its journal was last written to, or its lock taken. `step` and `detail` are of what failed,
    otherwise of the last entry; `goes_back`: it is being aborted, so that it can only be aborted further."""

    recovery_id: str
    state: WatchedState
    changed_at: datetime
    begun_at: datetime | None = None
    by: str = ""
    step: str = ""
    detail: str = ""
    goes_back: bool = False

    @property
    def summary(self) -> str:
        """Where it stands in one line, lowercase without a full stop."""
        by = f" of {self.by}" if self.by else ""
        named = f"recovery {self.recovery_id}{by}" if self.recovery_id else "the lock of a recovery"
        match self.state:
            case WatchedState.FAILED:
                return f"{named}: step {self.step} failed: {self.detail}"
            case WatchedState.STOPPED:
                return f"{named} has stopped: {self.detail}"
            case WatchedState.LOCKED:
                return f"{named} holds the lock, and is not under way"
            case WatchedState.DAMAGED:
                return f"{named} cannot be read: {self.detail}"
            case WatchedState.RUNNING | WatchedState.ABORTING:
                way = "is being taken back" if self.goes_back else "is under way"
                return f"{named} {way}{f', step {self.step}' if self.step else ''}"
            case _:
                return f"{named} is {self.state.value}"

    @property
    def next_step(self) -> str:
        """What to do about it, with commands; empty where it is over."""
        match self.state:
            case WatchedState.FINISHED | WatchedState.ABORTED:
                return ""
            case WatchedState.DAMAGED:
                return f"See what there is: etcd-dr recover status {self.recovery_id}".rstrip()
            case WatchedState.LOCKED:
                wish = f"resume {self.recovery_id} --take-over" if self.begun_at else f"abort {self.recovery_id}"
                return f"Free it: etcd-dr recover {wish}"
            case WatchedState.RUNNING | WatchedState.ABORTING:
                return f"See how far it is: etcd-dr recover status {self.recovery_id}"
        back = f"etcd-dr recover abort {self.recovery_id}"
        if self.goes_back:
            return f"Go on with: {back}"
        return f"Go on with: etcd-dr recover resume {self.recovery_id}\nOr take it back with: {back}"

    @classmethod
    def of(cls, entries: Sequence[JournalEntry], *, lock: RecoveryLock | None) -> WatchedRecovery:
        """Return where a recovery stands; `entries`, at least one, are in order, `lock` is its own, None: not held."""
        progress, last, failure = JournalProgress.of(entries), entries[-1], _open_failure(entries)
        told = failure or last
        return cls(
            recovery_id=last.recovery_id,
            state=_state(progress, last, has_failed=failure is not None, is_locked=lock is not None),
            changed_at=last.at,
            begun_at=progress.begun_at or entries[0].at,
            by=last.by,
            step=told.step,
            detail=_one_line(told.detail),
            goes_back=progress.state is RecoveryState.ABORTING,
        )

    @classmethod
    def only_locked(cls, lock: RecoveryLock) -> WatchedRecovery:
        return cls(lock.recovery_id, WatchedState.LOCKED, lock.since, by=lock.by)

    @classmethod
    def damaged(cls, recovery_id: str, *, changed_at: datetime, why: str) -> WatchedRecovery:
        return cls(recovery_id, WatchedState.DAMAGED, changed_at, detail=_one_line(why))


def _state(progress: JournalProgress, last: JournalEntry, *, has_failed: bool, is_locked: bool) -> WatchedState:
    if progress.state.is_over:
        return WatchedState.LOCKED if is_locked else WatchedState(progress.state.value)
    if has_failed:
        return WatchedState.FAILED
    if last.kind is EntryKind.STOPPED:
        return WatchedState.STOPPED
    return WatchedState.ABORTING if progress.state is RecoveryState.ABORTING else WatchedState.RUNNING


def _open_failure(entries: Sequence[JournalEntry]) -> JournalEntry | None:
    """Return the last failure after which nobody went on, back, or tried the step once more."""
    tried: set[str] = set()
    for entry in reversed(entries):
        if entry.kind in _NEW_RUN:
            return None
        if entry.kind is EntryKind.FAILED and entry.step not in tried:
            return entry
        if entry.step and entry.kind is not EntryKind.STOPPED:
            tried.add(entry.step)
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split("\n", 1)[0].split())[:_MOST_DETAIL]
