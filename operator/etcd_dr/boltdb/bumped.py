"""HashKV of a database after `etcdutl snapshot restore --bump-revision N --mark-compacted`, before it is done.

The tool puts one record with an empty value at the last revision plus N and schedules a compaction there (etcdutl
snapshot/v3_snapshot.go, modifyLatestRevision). To a hash everything before counts as compacted, and the new record
is the last one: so the hash is that of the file compacted at its own last revision, followed by that record's key.

Such a record is a put of the empty key: where the file was restored with a bump before, the new one supersedes it.
"""

from __future__ import annotations

import struct

from etcd_dr.boltdb.checksums import crc32c
from etcd_dr.domain.database import HashKv

_REVISION_KEY = struct.Struct(">Qcq")  # main, '_', sub (mvcc/revision.go)


def bumped_hash_kv(compacted_hash: int, *, last_revision: int, bump: int) -> HashKv:
    """Return the hash that every member of the restored cluster answers at its first revision.

    `compacted_hash` is the file's HashKV at `last_revision` compacted at `last_revision`, asked for with
    `before_bump`; `bump` is above 0.
    """
    revision = last_revision + bump
    record = _REVISION_KEY.pack(revision, b"_", 0)
    return HashKv(crc32c(record, compacted_hash), revision, revision)
