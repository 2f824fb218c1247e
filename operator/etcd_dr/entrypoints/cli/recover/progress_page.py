"""A recovery under way, for people: one line for each step when it ends, in the order in which they end.

What is waited for is told before, because it may take minutes. Lines are only ever added, so that what scrolls by on a dumb terminal is what happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from threading import Lock

from etcd_dr.domain.recovery.journal import EntryKind, JournalEntry
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.step import AwaitCluster
from etcd_dr.entrypoints.cli.human import duration, plain
from etcd_dr.entrypoints.cli.recover.plan_page import step_words
from etcd_dr.entrypoints.cli.terminal import Screen

_STEP_WORDS = {EntryKind.DONE: "done", EntryKind.FAILED: "FAILED", EntryKind.UNDONE: "taken back"}
_WHOLE_WORDS = {
    EntryKind.BEGUN: "recovery {id} begins",
    EntryKind.RESUMED: "recovery {id} goes on",
    EntryKind.ABORTING: "recovery {id} is taken back",
    EntryKind.FINISHED: "recovery {id} is finished",
    EntryKind.ABORTED: "recovery {id} is taken back whole",
}


class RunPage:
    """Shows the journal as it is written. `done` are ids of steps that were done before; `tell` may be called from several threads."""

    def __init__(self, screen: Screen, plan: Plan, *, done: Iterable[str] = ()) -> None:
        self._screen = screen
        self._plan = plan
        self._done = set(done)  # one that is carried out again on another machine is still one step
        self._has_told = False
        self._lock = Lock()

    def tell(self, entry: JournalEntry) -> None:
        """Show one entry, where a person should see it."""
        with self._lock:
            if entry.kind in _STEP_WORDS:
                self._step(entry)
            elif entry.kind is EntryKind.INTENT and isinstance(self._plan.step(entry.step), AwaitCluster):
                self._screen.line(f"        {plain(step_words(self._plan.step(entry.step)))} ...")
            elif entry.kind is EntryKind.ABORTED and not self._has_told:
                return  # refused before anything was done: the error that follows says so
            elif entry.kind in _WHOLE_WORDS:
                self._screen.line(_WHOLE_WORDS[entry.kind].format(id=entry.recovery_id))
            self._has_told = True

    def _step(self, entry: JournalEntry) -> None:
        if entry.kind is EntryKind.DONE:
            self._done.add(entry.step)
        count = f"[{len(self._done):>2}/{len(self._plan.steps)}]" if entry.kind is EntryKind.DONE else " " * 7
        took = f" in {duration(timedelta(seconds=entry.seconds))}" if entry.seconds is not None else ""
        words = step_words(self._plan.step(entry.step))
        detail = f": {entry.detail}" if entry.kind is EntryKind.FAILED else ""
        self._screen.line(f"{count} {plain(words)}: {_STEP_WORDS[entry.kind]}{took}{plain(detail)}")
