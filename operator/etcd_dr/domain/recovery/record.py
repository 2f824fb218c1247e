"""The records of a recovery as they are kept: plan, journal entries and lock, to bytes and back.

- Recovery ids and entry numbers that come back from a store are hostile input: only what we make ourselves is one.
- What does not parse, has a gap or contradicts its place is `JournalDamaged`; a newer format is named as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from etcd_dr.domain.manifest import canonical_json, invalid_record, parse_versioned
from etcd_dr.domain.recovery.journal import JOURNAL_VERSION, JournalEntry
from etcd_dr.domain.recovery.plan import PLAN_VERSION, Plan
from etcd_dr.errors import JournalDamaged, ManifestInvalid, ManifestVersionUnknown

MAX_PLAN_BYTES = 4 << 20
MAX_ENTRY_BYTES = 256 << 10
MAX_LOCK_BYTES = 64 << 10
LOCK_VERSION = 1

_RECOVERY_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,79}", re.ASCII)
_ENTRY_NAME = re.compile(r"(\d{6})\.json", re.ASCII)
_REPORT_NAME = re.compile(r"report\.(md|json)", re.ASCII)

Kept = TypeVar("Kept", bound=BaseModel)


class RecoveryLock(BaseModel):
    """Who recovers this cluster. `place` is the state directory of that run: with `by` it says who comes back."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    recovery_id: str
    by: str
    place: str
    since: AwareDatetime
    plan_digest: str = ""
    released_at: AwareDatetime | None = None

    def is_held_by(self, *, recovery_id: str, by: str, place: str) -> bool:
        return (self.recovery_id, self.by, self.place) == (recovery_id, by, place)


def is_recovery_id(text: str) -> bool:
    """Tell whether `text` may name a recovery: it becomes part of paths and keys."""
    return bool(_RECOVERY_ID.fullmatch(text))


def is_report_name(text: str) -> bool:
    return bool(_REPORT_NAME.fullmatch(text))


def entry_name(number: int) -> str:
    """Return the name of an entry: `000001.json`, so that names sort as numbers do."""
    return f"{number:06d}.json"


def entry_number(name: str) -> int | None:
    """Return the number that a name spells, or None for what `entry_name` would not make."""
    match = _ENTRY_NAME.fullmatch(name)
    return int(match[1]) or None if match else None


def record_bytes(record: Plan | JournalEntry | RecoveryLock) -> bytes:
    return canonical_json(record)


def parse_plan(body: bytes, *, subject: str) -> Plan:
    """Return the plan. Raises JournalDamaged, ManifestVersionUnknown."""
    return _parse(body, Plan, subject=subject, known=PLAN_VERSION)


def parse_entry(body: bytes, *, subject: str) -> JournalEntry:
    """Return the entry. Raises JournalDamaged, ManifestVersionUnknown."""
    return _parse(body, JournalEntry, subject=subject, known=JOURNAL_VERSION)


def parse_lock(body: bytes, *, subject: str) -> RecoveryLock:
    """Return the lock. Raises JournalDamaged, ManifestVersionUnknown."""
    return _parse(body, RecoveryLock, subject=subject, known=LOCK_VERSION)


def checked_entries(entries: Iterable[JournalEntry], *, recovery_id: str, subject: str) -> tuple[JournalEntry, ...]:
    """Return the entries in order. Raises JournalDamaged for a gap or an entry of another recovery."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.number))
    for expected, entry in enumerate(ordered, start=1):
        if entry.number != expected:
            raise damaged(f"entry {expected} is missing: the next one is {entry.number}", subject=subject)
        if entry.recovery_id != recovery_id:
            raise damaged(f"entry {expected} belongs to recovery {entry.recovery_id}", subject=subject)
    return ordered


def common_length(one: Sequence[JournalEntry], other: Sequence[JournalEntry]) -> int:
    """Return how many entries both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


def damaged(message: str, *, subject: str) -> JournalDamaged:
    return JournalDamaged(
        message,
        subject=subject,
        next_step=f"It was changed after it was written, or written by another program. Look at it: {subject}",
    )


def validated(document: Mapping[str, Any], kind: type[Kept], *, subject: str) -> Kept:
    """Return the record in a parsed document. Raises ManifestInvalid with the first mistake."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise invalid_record(subject, error) from error


def _parse(body: bytes, kind: type[Kept], *, subject: str, known: int) -> Kept:
    try:
        return validated(parse_versioned(body, subject=subject, known=known), kind, subject=subject)
    except ManifestVersionUnknown:
        raise
    except ManifestInvalid as error:
        raise damaged(error.message, subject=subject) from error
