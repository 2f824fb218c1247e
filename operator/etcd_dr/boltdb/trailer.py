"""The SHA-256 that etcd appends to a snapshot stream.

Rules this module keeps:
- Whether there is one is told by the size alone, as etcdutl does; a database copied from a data directory has none.
- The digest covers every byte before it, free pages included: it proves the transport, not the content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from etcd_dr.boltdb.source import TRAILER_BYTES, OpenedSource
from etcd_dr.domain.database import Trailer
from etcd_dr.errors import FileUnreadable

_PIECE_BYTES = 1 << 20


def stored_trailer(source: OpenedSource) -> Trailer:
    """Return the trailer unchecked."""
    if not source.has_trailer or source.size <= TRAILER_BYTES:
        return Trailer(present=False)
    return Trailer(present=True, digest=bytes(source.view[source.data_size :]).hex())


def checked_trailer(source: OpenedSource) -> Trailer:
    """Return the trailer compared with the digest of the bytes before it. Raises FileUnreadable."""
    stored = stored_trailer(source)
    if not stored.present:
        return stored
    digest = hashlib.sha256()
    for piece in _pieces(source):
        digest.update(piece)
    return Trailer(present=True, digest=stored.digest, matches=digest.hexdigest() == stored.digest)


def _pieces(source: OpenedSource) -> Iterator[memoryview]:
    if source.fd is None:
        yield source.view[: source.data_size]
        return
    # Reading costs less than mapping here, and a failing disk is an error instead of a signal.
    buffer = memoryview(bytearray(_PIECE_BYTES))
    at = 0
    while at < source.data_size:
        try:
            count = os.preadv(source.fd, [buffer[: source.data_size - at]], at)
        except OSError as error:
            raise FileUnreadable(
                f"cannot be read at byte {at}: {(error.strerror or str(error)).lower()}",
                subject=source.name,
                next_step="Look for input/output errors: dmesg | tail",
            ) from error
        if count == 0:
            raise FileUnreadable(
                f"ends at byte {at}, {source.data_size} were there when it was opened",
                subject=source.name,
                next_step="Wait until nobody writes the file, then try again.",
            )
        yield buffer[:count]
        at += count
