"""Where plans and journals are kept: here, and mirrored to the store, so that anyone can go on from anywhere.

- An entry is put under its number only if it is absent, so two runs of one recovery collide at once (Busy), wherever
  they run.
- Here comes first: an entry counts when it is on this machine's disk. The mirror is caught up as soon as it can be
  reached; while it cannot, `lag` says how many entries are missing there.
- What was kept never changes, but for reports.
- Errors besides those named: StoreError, FileUnreadable, LocalStorageFull; ManifestVersionUnknown for a newer format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan


class JournalStore(Protocol):
    """One place for the recoveries of one cluster. Safe from several threads."""

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        ...

    @property
    def lag(self) -> int:
        """How many entries that were appended are not in the mirror yet; 0 where there is no mirror."""
        ...

    def create(self, plan: Plan) -> None:
        """Keep the plan under its recovery id. The same plan again is success; another one is Busy."""
        ...

    def append(self, entry: JournalEntry) -> None:
        """Keep one entry, durably, before returning. The same entry again is success; another one under its number
        is Busy."""
        ...

    def plan(self, recovery_id: str) -> Plan | None:
        """Return the plan, None where this place knows nothing of it. Raises JournalDamaged."""
        ...

    def entries(self, recovery_id: str) -> tuple[JournalEntry, ...]:
        """Return the entries in order of number. Raises JournalDamaged where one is missing or does not parse."""
        ...

    def recovery_ids(self) -> Sequence[str]:
        """Return the ids of all recoveries here, in order: they begin with the time of their plan."""
        ...

    def put_report(self, recovery_id: str, name: str, body: bytes) -> None:
        """Keep a report beside the journal (`report.md`, `report.json`), replacing an earlier one."""
        ...
