"""A journal in a directory of this machine.

    <root>/<recovery id>/plan.json
                        /journal/000001.json ...
                        /report.md, report.json
                        /work/                      work_place

An entry is flushed, linked under its number and the directory flushed before `append` returns: it survives a power
cut, and a second run that takes the same number is refused by the file system.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etcd_dr.adapters.journal.files import make_directory, put_new, put_over, translated
from etcd_dr.domain.recovery.journal import JournalEntry
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.record import (
    checked_entries,
    entry_name,
    entry_number,
    is_recovery_id,
    is_report_name,
    parse_entry,
    parse_plan,
    record_bytes,
)
from etcd_dr.errors import Busy, UsageError


class DirectoryJournal:
    """Implements ports.journal_store.JournalStore below `root`, which is made with the first plan."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        return str(self._root)

    @property
    def lag(self) -> int:
        return 0

    def create(self, plan: Plan) -> None:
        folder = self._folder(plan.recovery_id)
        self._keep(folder / "plan.json", record_bytes(plan), what="a different plan")
        with translated(folder):
            make_directory(folder / "journal")

    def append(self, entry: JournalEntry) -> None:
        path = self._folder(entry.recovery_id) / "journal" / entry_name(entry.number)
        self._keep(path, record_bytes(entry), what="another entry")

    def plan(self, recovery_id: str) -> Plan | None:
        path = self._folder(recovery_id) / "plan.json"
        body = _read(path)
        return parse_plan(body, subject=str(path)) if body is not None else None

    def entries(self, recovery_id: str) -> tuple[JournalEntry, ...]:
        journal = self._folder(recovery_id) / "journal"
        with translated(journal):
            names = [path.name for path in journal.iterdir()] if journal.is_dir() else []
        found = []
        for name in names:
            if entry_number(name) is None:
                continue  # the part of an entry whose writer was killed, or a stranger
            body = _read(journal / name)
            if body is not None:
                found.append(parse_entry(body, subject=str(journal / name)))
        return checked_entries(found, recovery_id=recovery_id, subject=str(journal))

    def recovery_ids(self) -> Sequence[str]:
        with translated(self._root):
            names = [path.name for path in self._root.iterdir()] if self._root.is_dir() else []
        return sorted(name for name in names if is_recovery_id(name) and (self._root / name / "plan.json").is_file())

    def put_report(self, recovery_id: str, name: str, body: bytes) -> None:
        if not is_report_name(name):
            raise UsageError("is not the name of a report", subject=name[:80])
        folder = self._folder(recovery_id)
        with translated(folder):
            make_directory(folder)
            put_over(folder / name, body)

    def _folder(self, recovery_id: str) -> Path:
        if not is_recovery_id(recovery_id):
            raise UsageError(
                "is not the id of a recovery", subject=recovery_id[:80], next_step="List them: etcd-dr recover status"
            )
        return self._root / recovery_id

    @staticmethod
    def _keep(path: Path, body: bytes, *, what: str) -> None:
        with translated(path.parent):
            make_directory(path.parent)
            is_new = put_new(path, body)
        if not is_new and _read(path) != body:
            raise Busy(
                f"{what} is there already: this recovery goes on elsewhere",
                subject=str(path),
                next_step="See how far it is: etcd-dr recover status",
            )


def _read(path: Path) -> bytes | None:
    with translated(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
