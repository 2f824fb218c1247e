"""Read etcd's database files without etcd: integrity, status, live keys, HashKV.

Every proof of this product rests on this package, so its rules are strict:
- It reads and never writes; it needs a file (or bytes) and nothing else: no etcd, no network, no configuration.
- Damaged or hostile bytes end in findings (`examine`) or in `SnapshotDamaged` (everything else), within time linear
  in the file and bounded memory; never in another exception, a crash or a hang.
- Every page that is reachable is checked; there is no faster mode that checks less, and no number depends on how many
  processes computed it.
- Large files are shared with one helper process (`crew`): a fork where this process has a single thread, a fresh
  interpreter where it has more, because a fork would not survive gRPC's (`hiring`).
- It knows bbolt's pages and etcd's buckets. Whether a finding matters, where a file came from and what is done about
  it are questions for the workflows.
- Importing it costs nothing: numpy is loaded by the first call.
"""

# ruff: noqa: PLC0415 - numpy comes with the first call; helpers start up while it loads

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from etcd_dr.boltdb.crew import gathered
from etcd_dr.boltdb.source import opened
from etcd_dr.boltdb.trailer import TrailerCheck, checked_trailer, stored_trailer
from etcd_dr.domain.database import Examination, HashKv, Trailer

Source = Path | bytes | bytearray | memoryview
Stop = Callable[[], object]
"""Called between pieces of work, many times a second; what it raises ends the work, and the helpers with it."""

MAX_FINDINGS = 200
"""An examination lists at most this many findings; a count says how many more there were."""


def examine(
    source: Source,
    *,
    live_keys: bool = True,
    with_hash_kv: bool = False,
    before_bump: bool = False,
    check_trailer: bool = False,
    workers: int | None = None,
    stop: Stop | None = None,
) -> Examination:
    """Check every reachable page and record of a database and state its numbers.

    Damage never raises: it is in the findings. `with_hash_kv` also computes HashKV at the file's own revisions,
    `before_bump` what `bumped.bumped_hash_kv` begins with, `check_trailer` the SHA-256 of all bytes before the trailer (a wrong one is a finding). `workers` is the number
    of processes: None chooses by size, 1 stays inside this one. Raises FileUnreadable when the file cannot be opened or
    read, and what `stop` raises.
    """
    with gathered() as crew, opened(source) as source_bytes:
        crew.hire(source_bytes, workers=workers, has_threads=check_trailer)
        with TrailerCheck(source_bytes, wanted=check_trailer) as trailer_check:
            from etcd_dr.boltdb.examination import Wanted, examination
            from etcd_dr.boltdb.findings import Findings

            findings = Findings()
            wanted = Wanted(live_keys=live_keys, hash_kv=with_hash_kv, before_bump=before_bump)
            status = examination(source_bytes, crew, wanted=wanted, findings=findings, stop=stop)
        trailer = trailer_check.outcome(stop)
        if not trailer.present:
            findings.warning("trailer.absent", "end of file", "no SHA-256 trailer: not a snapshot stream, or cut off")
        if trailer.matches is False:
            findings.error("trailer.mismatch", "end of file", "the SHA-256 of the bytes is not the one that was sent")
        return Examination(status, findings.listed, trailer, source_bytes.size, findings.suppressed_count)


def hash_kv(
    source: Source,
    *,
    revision: int | None = None,
    compact_revision: int | None = None,
    before_bump: bool = False,
    workers: int | None = None,
    stop: Stop | None = None,
) -> HashKv:
    """Compute what a live member would answer to HashKV at `revision` after a compaction at `compact_revision`.

    None means the file's own. A file answers for every compact revision from its own up to `revision`, so a
    compaction that raced the snapshot does no harm: ask the member, then ask the file with the member's answer.
    `before_bump`: what `bumped.bumped_hash_kv` begins with. A bump writes the empty key once more, so the record that
    an earlier bump wrote is superseded.
    `workers` and `stop` are as in `examine`. Raises RevisionUnavailable (`context['reason']`: compacted | future
    | inconclusive), SnapshotDamaged, FileUnreadable.
    """
    with gathered() as crew, opened(source) as source_bytes:
        crew.hire(source_bytes, workers=workers)
        from etcd_dr.boltdb.hashing import hash_kv_of

        return hash_kv_of(
            source_bytes,
            crew,
            revision=revision,
            compact_revision=compact_revision,
            before_bump=before_bump,
            stop=stop,
        )


def read_trailer(source: Source) -> Trailer:
    """Return the trailer as it stands in the file, unchecked; judged by the file's size alone (32 modulo 512)."""
    with opened(source) as source_bytes:
        return stored_trailer(source_bytes)


def verify_trailer(source: Source) -> Trailer:
    """Return the trailer, checked against the SHA-256 of all bytes before it."""
    with opened(source) as source_bytes:
        return checked_trailer(source_bytes)


def iter_records(source: Source, bucket: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each record of a top-level bucket in order; nothing when there is no such bucket.

    Raises SnapshotDamaged where the structure ends, FileUnreadable when the file cannot be read.
    """
    with opened(source) as source_bytes:
        from etcd_dr.boltdb.listing import records_of

        yield from records_of(source_bytes, bucket)
