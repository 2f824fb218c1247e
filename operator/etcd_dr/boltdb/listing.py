"""Hand out the records of one bucket, for callers that want the content itself.

Rules this module keeps:
- Records come in order, copied, and only from pages that are right; the first damage ends the listing.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.boltdb.buckets import entries, leaves_of
from etcd_dr.boltdb.database import open_database
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.hashing import damaged
from etcd_dr.boltdb.keys import ByteKeys
from etcd_dr.boltdb.source import OpenedSource


def records_of(source: OpenedSource, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each record of a top-level bucket. Raises SnapshotDamaged."""
    findings = Findings()
    database = open_database(source, findings)
    bucket = database.bucket(name) if database is not None else None
    if database is not None and bucket is not None and not findings.error_count:
        leaves = leaves_of(database.pages, bucket, order=ByteKeys)
        for entry in entries(database.pages, leaves, where=bucket.where):
            if findings.error_count:
                break
            yield entry.key, bytes(entry.value)
    if findings.error_count:
        raise damaged(source, findings)
