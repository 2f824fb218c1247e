"""HashKV from the records of a file: etcd's own computation at any (revision, compact revision) it can answer.

The computation (etcd mvcc/kvstore.go, hashByRev; mvcc/hash.go, kvHasher), for revision R and compact revision C:
CRC-32C over "key", then key and value of each record in order, leaving out
- records younger than R,
- records up to C that are not the last one of their key up to R, or whose last one is a deletion,
- deletions at C itself (etcd before 3.5.16 and 3.4.34 removes them in a compaction, later ones keep them).

Rules this module keeps:
- A file holds every record after its own compact revision and the last of each key before it; so it answers for every
  C from its own up to R.
- etcd skips the second rule when no key is alive at R. What is left of older records then depends on how far a
  compaction had come on the member that is asked; unless it was finished here, the answer is Inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etcd_dr.boltdb.buckets import entries, leaves_of
from etcd_dr.boltdb.checksums import crc32c, joined
from etcd_dr.boltdb.contents import Contents
from etcd_dr.boltdb.crew import Crew
from etcd_dr.boltdb.database import KEY_BUCKET, open_database
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.keys import ByteKeys
from etcd_dr.boltdb.source import OpenedSource
from etcd_dr.boltdb.team import Team
from etcd_dr.boltdb.work import MarkDropped
from etcd_dr.domain.database import HashKv
from etcd_dr.errors import RevisionUnavailable, SnapshotDamaged

_META_BUCKET = b"meta"


class Inconclusive(Exception):
    """The file cannot tell what a member would answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Computed:
    """HashKV at some revisions, and how many keys are alive there; None where that was not needed."""

    hash_kv: HashKv
    live_key_count: int | None


def compute_hash_kv(
    team: Team, *, revision: int, compact_revision: int, finished_compaction: int | None, before_bump: bool = False
) -> Computed:
    """Return HashKV at R and C. The keyspace must be undamaged, and the hashes of its keys kept. Raises Inconclusive.

    `before_bump` is as in `boltdb.hash_kv`: the record that will follow is of a key that is alive.
    """
    end = team.records_up_to(revision)
    compacted = team.records_up_to(compact_revision)
    live = _mark_dropped(team, end=end, compacted=compacted, before_bump=before_bump) if compacted else None
    if live == 0 and not before_bump:
        if finished_compaction != compact_revision and team.records_up_to(compact_revision - 1):
            raise Inconclusive(f"no key is alive at revision {revision}, and older records are still stored")
        compacted = 0
    checksum = crc32c(KEY_BUCKET)
    for result in team.hash_up_to(end=end, compacted=compacted, compact_revision=compact_revision):
        checksum = joined(checksum, result.checksum, result.byte_count)
    return Computed(HashKv(checksum, revision, compact_revision), live)


def hash_kv_of(
    source: OpenedSource,
    crew: Crew,
    *,
    revision: int | None,
    compact_revision: int | None,
    before_bump: bool = False,
    stop: Callable[[], object] | None = None,
) -> HashKv:
    """Return HashKV of a file. Raises SnapshotDamaged and RevisionUnavailable, and what `stop` raises."""
    findings = Findings()
    database = open_database(source, findings)
    bucket = database.bucket(KEY_BUCKET) if database is not None else None
    if database is None or bucket is None:
        if not findings.error_count:
            findings.lost("bucket.missing", "root bucket", "no bucket `key`: not a database of etcd")
        raise damaged(source, findings)
    contents = Contents(findings)
    meta = database.bucket(_META_BUCKET)
    if meta is not None:
        for entry in entries(database.pages, leaves_of(database.pages, meta, order=ByteKeys), where=meta.where):
            contents.take(_META_BUCKET, entry.key, entry.value)
    team = Team(database.pages, bucket, crew, stop=stop)
    if findings.error_count:
        raise damaged(source, findings)
    at_c = contents.compact_revision if compact_revision is None else compact_revision
    results = team.check(values=False, hashes=team.may_have_records_up_to(at_c), findings=findings)
    if findings.error_count:
        raise damaged(source, findings)
    current = max([1, contents.compact_revision, *(result.last_revision for result in results)])
    at_r = current if revision is None else revision
    _must_be_answerable(source, revision=at_r, compact_revision=at_c, current=current, contents=contents)
    try:
        return compute_hash_kv(
            team,
            revision=at_r,
            compact_revision=at_c,
            finished_compaction=contents.finished_compact_revision,
            before_bump=before_bump,
        ).hash_kv
    except Inconclusive as reason:
        raise RevisionUnavailable(
            str(reason),
            subject=source.name,
            next_step="Compare at a later revision, once the cluster holds a key or its compaction has finished.",
            context={"reason": "inconclusive", "revision": at_r, "compact_revision": at_c},
        ) from None


def damaged(source: OpenedSource, findings: Findings) -> SnapshotDamaged:
    """Return the error for a file that is not whole; it names the first thing found."""
    first = next(finding for finding in findings.listed if finding.is_error)
    return SnapshotDamaged(
        f"the database is damaged: {first.where}: {first.detail}",
        subject=source.name,
        next_step=f"List everything that is wrong with it: etcd-dr snapshot status '{source.name}'",
        context={"code": first.code, "findings": findings.error_count},
    )


def _must_be_answerable(
    source: OpenedSource, *, revision: int, compact_revision: int, current: int, contents: Contents
) -> None:
    context: dict[str, str | int | float | bool | None] = {
        "revision": revision,
        "compact_revision": compact_revision,
        "file_revision": current,
        "file_compact_revision": contents.compact_revision,
    }
    if revision > current:
        raise RevisionUnavailable(
            f"revision {revision} is later than the file's last one, {current}",
            subject=source.name,
            next_step="Take a newer snapshot, or ask for an earlier revision.",
            context={**context, "reason": "future"},
        )
    if compact_revision < contents.compact_revision or revision < compact_revision:
        raise RevisionUnavailable(
            f"the file cannot answer for revision {revision} compacted at {compact_revision}: "
            f"it is compacted at {contents.compact_revision} itself",
            subject=source.name,
            next_step="Ask the member for the file's own revision, and use the compact revision of its answer.",
            context={**context, "reason": "compacted"},
        )


def _mark_dropped(team: Team, *, end: int, compacted: int, before_bump: bool) -> int:
    """Mark what a compaction would drop; return the number of keys alive below ordinal `end`."""
    return sum(result.live_count for result in team.perform(MarkDropped(end, compacted, before_bump)))
