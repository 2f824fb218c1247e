"""The SHA-256 that etcd appends to a snapshot stream.

Rules this module keeps:
- Whether there is one is told by the size alone, as etcdutl does; a database copied from a data directory has none.
- The digest covers every byte before it, free pages included: it proves the transport, not the content.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator

from etcd_dr.boltdb.source import TRAILER_BYTES, OpenedSource
from etcd_dr.domain.database import Trailer
from etcd_dr.errors import Cancelled, FileUnreadable

_PIECE_BYTES = 1 << 20
_MAPPED_PIECE_BYTES = 64 << 20
_LOOK_EVERY_SECONDS = 0.1


def stored_trailer(source: OpenedSource) -> Trailer:
    """Return the trailer unchecked."""
    if not source.has_trailer or source.size <= TRAILER_BYTES:
        return Trailer(present=False)
    return Trailer(present=True, digest=bytes(source.view[source.data_size :]).hex())


def checked_trailer(
    source: OpenedSource, *, beside_others: bool = False, stop: Callable[[], object] | None = None
) -> Trailer:
    """Return the trailer compared with the digest of the bytes before it. Raises FileUnreadable, and what `stop` raises.

    `beside_others` is for a thread that runs beside busy ones: it asks for Python's lock a few times only.
    """
    stored = stored_trailer(source)
    if not stored.present:
        return stored
    digest = hashlib.sha256()
    for piece in _mapped_pieces(source) if beside_others or source.fd is None else _read_pieces(source, source.fd):
        if stop is not None:
            stop()
        digest.update(piece)
    return Trailer(present=True, digest=stored.digest, matches=digest.hexdigest() == stored.digest)


class TrailerCheck:
    """The digest of all bytes, computed in a thread of its own beside other work; that work failing ends it."""

    def __init__(self, source: OpenedSource, *, wanted: bool) -> None:
        self._source = source
        self._wanted = wanted
        self._thread: threading.Thread | None = None
        self._is_given_up = False
        self._outcome: Trailer | None = None
        self._failure: Exception | None = None

    def __enter__(self) -> TrailerCheck:
        if self._wanted:
            self._thread = threading.Thread(target=self._run, name="trailer")
            self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and self._thread is not None:
            self._is_given_up = True
            self._thread.join()

    def outcome(self, stop: Callable[[], object] | None = None) -> Trailer:
        """Wait for the trailer and return it, or raise what kept it from being checked, or what `stop` raises."""
        if self._thread is None:
            return stored_trailer(self._source)
        try:
            while self._thread.is_alive():
                if stop is not None:
                    stop()
                self._thread.join(_LOOK_EVERY_SECONDS)
        except BaseException as error:
            self.__exit__(type(error))
            raise
        if self._failure is not None:
            raise self._failure
        return self._outcome or stored_trailer(self._source)

    def _run(self) -> None:
        try:
            self._outcome = checked_trailer(self._source, beside_others=True, stop=self._look)
        except Exception as error:  # noqa: BLE001 - carried to the caller's thread and raised there
            self._failure = error

    def _look(self) -> None:
        if self._is_given_up:
            raise Cancelled("the trailer was not read to its end")


def _mapped_pieces(source: OpenedSource) -> Iterator[memoryview]:
    for at in range(0, source.data_size, _MAPPED_PIECE_BYTES):
        yield source.view[at : min(at + _MAPPED_PIECE_BYTES, source.data_size)]


def _read_pieces(source: OpenedSource, fd: int) -> Iterator[memoryview]:
    # Reading costs less than mapping here, and a failing disk is an error instead of a signal.
    buffer = memoryview(bytearray(_PIECE_BYTES))
    at = 0
    while at < source.data_size:
        try:
            count = os.preadv(fd, [buffer[: source.data_size - at]], at)
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
