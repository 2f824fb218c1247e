"""Read a plain database file twice, and notice when it was not the same file both times.

An import hashes a file and examines it first, and stores it afterwards. Whoever writes to it in between (a running
member writes to its own all the time) would make a snapshot of what nobody has looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.file_kind import FileFormat
from etcd_dr.domain.stream_check import TRAILER_BYTES
from etcd_dr.errors import SnapshotDamaged
from etcd_dr.workflows.unwrap_file import UnwrappedFile, UnwrapPorts, read_chunks


@dataclass(frozen=True, slots=True)
class PlainDigests:
    """`whole` is that of the file as it is stored, `database` that of the bytes before the trailer; `appended` is the
    trailer that the file lacked."""

    whole: Digest
    database: Digest
    appended: bytes


class PlainReader:
    """Reads one unwrapped file; `name` is what errors call it."""

    def __init__(self, plain: UnwrappedFile, *, name: str, ports: UnwrapPorts) -> None:
        self._plain = plain
        self._name = name
        self._ports = ports

    def hash(self) -> PlainDigests:
        """Read the whole file and return its digests. Raises Cancelled, FileUnreadable."""
        is_raw = self._plain.kind.format is FileFormat.DATABASE
        database, whole = hashlib.sha256(), hashlib.sha256()
        rest = self._plain.size_bytes - (0 if is_raw else TRAILER_BYTES)
        progress = self._ports.progress
        progress.begin("hashing", total_bytes=self._plain.size_bytes)
        try:
            for chunk in self._chunks():
                database.update(chunk[: max(0, rest)])
                whole.update(chunk)
                rest -= len(chunk)
                progress.advance(len(chunk))
        finally:
            progress.finish()
        appended = database.digest() if is_raw else b""
        whole.update(appended)
        return PlainDigests(Digest.of_sha256(whole.digest()), Digest.of_sha256(database.digest()), appended)

    def _chunks(self) -> Iterator[bytes]:
        return read_chunks(self._plain.path, name=self._name, cancellation=self._ports.cancellation)

    def compared(self, digests: PlainDigests) -> Iterator[bytes]:
        """Yield what is stored, and raise at the end when it is not what was hashed and examined."""
        sha256 = hashlib.sha256()
        progress = self._ports.progress
        progress.begin("storing", total_bytes=self._plain.size_bytes)
        try:
            for chunk in self._chunks():
                sha256.update(chunk)
                yield chunk
                progress.advance(len(chunk))
        finally:
            progress.finish()
        sha256.update(digests.appended)
        if Digest.of_sha256(sha256.digest()) != digests.whole:
            raise SnapshotDamaged(
                "changed while it was being imported",
                subject=self._name,
                next_step="Import a copy that nobody writes to; a running member writes to its own all the time.",
            )
        if digests.appended:
            yield digests.appended
