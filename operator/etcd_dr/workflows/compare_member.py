"""Compare a member that was started on a restored snapshot with the file it was made from, and with the manifest.

Leases may run out while the member lives, so everything is asked at the file's own revision, which no later deletion
changes. A cluster that was compacted at that very revision answers only for "now" before etcd 3.5.10; that is asked
then, and counts where it is the same revision still.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.database import NEVER_COMPACTED, DatabaseStatus, HashKv
from etcd_dr.domain.drill import DrillCheck
from etcd_dr.domain.manifest import Manifest
from etcd_dr.errors import RevisionUnavailable
from etcd_dr.ports.throwaway_member import RunningMember
from etcd_dr.workflows.sample_records import choose_keys, compare_keys

_NOW = 0
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparisons in order, and how many single keys were looked at."""

    checks: tuple[DrillCheck, ...]
    keys_compared: int


def compare_member(
    plain: Path,
    running: RunningMember,
    *,
    status: DatabaseStatus,
    manifest: Manifest,
    sample: int,
    chance: random.Random,
    deadline: float,
    look_up: Callable[[], object],
) -> Compared:
    """Return every comparison. `deadline` is seconds for each call, `look_up` may raise to stop. Raises EtcdError."""
    revision = status.current_revision
    checks = [
        _manifest_check(status, manifest),
        _revision_check(running, revision, deadline),
        _hash_check(plain, running, status, deadline, look_up),
    ]
    look_up()
    keys = choose_keys(plain, count=sample, chance=chance, look_up=look_up)
    found = running.admin.sample_keys(keys, revision=revision, deadline=deadline)
    answer = compare_keys(plain, keys, found, look_up=look_up)
    named = ", ".join(repr(key)[:80] for key in answer.different[:_MOST_NAMED])
    words = f"{len(answer.different)} of {answer.compared} sampled keys differ: {named}"
    good = f"{answer.compared} sampled keys are the same bytes"
    checks.append(_count_check(running, status, deadline, nameless=int(answer.has_marker)))
    checks.append(DrillCheck("sample", words if answer.different else good, passed=not answer.different))
    return Compared(tuple(checks), answer.compared)


def _manifest_check(status: DatabaseStatus, manifest: Manifest) -> DrillCheck:
    told, hash_kv = manifest.database, status.hash_kv
    pairs = [("revision", status.current_revision, told.revision), ("live keys", status.live_key_count, told.live_keys)]
    if told.hash_kv is not None and hash_kv is not None:
        pairs.append(("HashKV", hash_kv.hash, told.hash_kv.hash))
    wrong = [f"{name} {found}, the manifest says {said}" for name, found, said in pairs if found != said]
    return DrillCheck("manifest", "; ".join(wrong) or "the file is what its manifest says", passed=not wrong)


def _revision_check(running: RunningMember, revision: int, deadline: float) -> DrillCheck:
    found = running.member.status(deadline=deadline).revision
    words = f"revision {found}" if found == revision else f"revision {found}, the snapshot has {revision}"
    return DrillCheck("revision", words, passed=found >= revision)


def _hash_check(
    plain: Path, running: RunningMember, status: DatabaseStatus, deadline: float, look_up: Callable[[], object]
) -> DrillCheck:
    try:
        live = _live_hash(running, status.current_revision, deadline)
        ours = boltdb.hash_kv(plain, revision=live.revision, compact_revision=live.compact_revision, stop=look_up)
    except RevisionUnavailable as error:
        return DrillCheck("hash", f"HashKV could not be compared: {error.message}", passed=None)
    compacted = (
        "never compacted" if live.compact_revision == NEVER_COMPACTED else f"compacted at {live.compact_revision}"
    )
    place = f"revision {live.revision}, {compacted}"
    if live.hash == ours.hash:
        return DrillCheck("hash", f"same HashKV {live.hash} at {place}", passed=True)
    return DrillCheck("hash", f"HashKV {live.hash} at {place}, the file has {ours.hash}", passed=False)


def _live_hash(running: RunningMember, revision: int, deadline: float) -> HashKv:
    try:
        return running.member.hash_kv(revision=revision, deadline=deadline)
    except RevisionUnavailable as error:
        if error.context.get("reason") != "compacted":
            raise
    return running.member.hash_kv(revision=_NOW, deadline=deadline)


def _count_check(running: RunningMember, status: DatabaseStatus, deadline: float, *, nameless: int) -> DrillCheck:
    found = running.admin.count_keys(revision=status.current_revision, deadline=deadline)
    expected = status.live_key_count - nameless if status.live_key_count is not None else None
    words = f"{found} keys" if found == expected else f"{found} keys, the snapshot has {expected}"
    return DrillCheck("keys", words, passed=found == expected)
