"""The encoding half of the envelope: zstd, then age, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from etcd_dr.adapters.codec import age
from etcd_dr.adapters.codec.keys import AgeRecipient
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.ports.codec import Write

_PIECE_BYTES = 1 << 20  # measured: below some 64 KiB the calls between Python and the libraries begin to show


class EnvelopeEncoder:
    """Compresses and encrypts as told, and says so in `stages`.

    `zstd_level` None stores uncompressed; `threads` 0 compresses in the calling thread, n > 0 beside it, with some
    MiB of memory each. Without recipients nothing is encrypted. Every zstd frame carries a checksum of its content.
    """

    def __init__(
        self, *, zstd_level: int | None = 1, threads: int = 0, recipients: Iterable[AgeRecipient] = ()
    ) -> None:
        self._zstd_level = zstd_level
        self._threads = threads
        self._recipients = tuple(recipients)

    @property
    def stages(self) -> tuple[StageFacts, ...]:
        found = []
        if self._zstd_level is not None:
            found.append(StageFacts(name="zstd", parameters={"level": self._zstd_level}))
        if self._recipients:
            texts = tuple(recipient.text for recipient in self._recipients)
            found.append(StageFacts(name="age", parameters={"recipients": texts}))
        return tuple(found)

    def encode(self, chunks: Iterator[bytes], write: Write) -> None:
        """See the port."""
        pieces = chunks if self._zstd_level is None else _compress(chunks, self._zstd_level, self._threads)
        if self._recipients:
            age.encrypt(pieces, write, recipients=self._recipients)
            return
        for piece in pieces:
            write(piece)


def _compress(chunks: Iterator[bytes], level: int, threads: int) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - heavy, see the package

    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    chunker: Any = compressor.chunker(chunk_size=_PIECE_BYTES)
    for chunk in chunks:
        yield from chunker.compress(chunk)
    yield from chunker.finish()
