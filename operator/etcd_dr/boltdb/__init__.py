"""Read etcd's database files without etcd: integrity, status, live keys, HashKV.

Every proof of this product rests on this package, so its rules are strict:
- It reads and never writes; it needs a file (or bytes) and nothing else: no etcd, no network, no configuration.
- Damaged or hostile bytes end in findings (`examine`) or in `SnapshotDamaged` (everything else), within time linear
  in the file and bounded memory; never in another exception, a crash or a hang.
- Every page that is reachable is checked; there is no faster mode that checks less.
- It knows bbolt's pages and etcd's buckets. Whether a finding matters, where a file came from and what is done about
  it are questions for the workflows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from etcd_dr.domain.database import Examination, HashKv, Trailer

Source = Path | bytes | bytearray | memoryview

MAX_FINDINGS = 200
"""An examination lists at most this many findings; a count says how many more there were."""


def examine(
    source: Source,
    *,
    live_keys: bool = True,
    with_hash_kv: bool = False,
    check_trailer: bool = False,
    workers: int | None = None,
) -> Examination:
    """Check every reachable page and record of a database and state its numbers.

    Damage never raises: it is in the findings. `with_hash_kv` also computes HashKV at the file's own revisions,
    `check_trailer` the SHA-256 of all bytes before the trailer (a wrong one is a finding). `workers` is the number
    of processes: None chooses by size, 1 stays inside this one. Raises FileUnreadable when the file cannot be
    opened or read.
    """
    raise NotImplementedError


def hash_kv(
    source: Source,
    *,
    revision: int | None = None,
    compact_revision: int | None = None,
    workers: int | None = None,
) -> HashKv:
    """Compute what a live member would answer to HashKV at `revision` after a compaction at `compact_revision`.

    None means the file's own. A file answers for every compact revision from its own up to `revision`, so a
    compaction that raced the snapshot does no harm: ask the member, then ask the file with the member's answer.
    Raises RevisionUnavailable (`context['reason']`: compacted | future | inconclusive), SnapshotDamaged,
    FileUnreadable.
    """
    raise NotImplementedError


def read_trailer(source: Source) -> Trailer:
    """Return the trailer as it stands in the file, unchecked; judged by the file's size alone (32 modulo 512)."""
    raise NotImplementedError


def verify_trailer(source: Source) -> Trailer:
    """Return the trailer, checked against the SHA-256 of all bytes before it."""
    raise NotImplementedError


def iter_records(source: Source, bucket: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each record of a top-level bucket in order; nothing when there is no such bucket.

    Raises SnapshotDamaged where the structure ends, FileUnreadable when the file cannot be read.
    """
    raise NotImplementedError
