"""An envelope in memory that keeps the contract of the port and needs no library.

Rules this fake keeps:
- It names its stages as the real one does, `zstd` and `age`, so that manifests look alike. `zstd` is zlib inside;
  `age` is a line with the recipients, every byte inverted, and an end mark.
- An identity is the name of its recipient.

    encoder = FakeEncoder(recipients=("age1alice",))
    decoder = FakeDecoder(identities=("age1alice",))
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import DecryptionFailed, IdentityMissing, SnapshotDamaged, UnsupportedFormat
from etcd_dr.ports.codec import Write

_INVERTED = bytes(255 - byte for byte in range(256))
_HEADER = b"fake-age/1 "
_END = b"the end of the fake envelope"


class FakeEncoder:
    def __init__(self, *, compress: bool = True, recipients: tuple[str, ...] = ()) -> None:
        self._compress = compress
        self._recipients = recipients

    @property
    def stages(self) -> tuple[StageFacts, ...]:
        zstd = (StageFacts(name="zstd", parameters={"level": 1}),) if self._compress else ()
        age = (StageFacts(name="age", parameters={"recipients": self._recipients}),) if self._recipients else ()
        return zstd + age

    def encode(self, chunks: Iterator[bytes], write: Write) -> None:
        for piece in self._encrypted(self._compressed(chunks)):
            write(piece)

    def _compressed(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        if not self._compress:
            yield from chunks
            return
        compressor = zlib.compressobj(1)
        for chunk in chunks:
            yield compressor.compress(chunk)
        yield compressor.flush()

    def _encrypted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        if not self._recipients:
            yield from chunks
            return
        yield _HEADER + ",".join(self._recipients).encode() + b"\n"
        for chunk in chunks:
            yield chunk.translate(_INVERTED)
        yield _END


class FakeDecoder:
    def __init__(self, identities: tuple[str, ...] = ()) -> None:
        self._identities = identities

    @property
    def has_identities(self) -> bool:
        return bool(self._identities)

    def decode(
        self,
        chunks: Iterator[bytes],
        write: Write,
        *,
        stages: tuple[StageFacts, ...],
        subject: str,
        limit_bytes: int,
    ) -> None:
        names = [stage.name for stage in stages]
        if set(names) - {"zstd", "age"}:
            raise UnsupportedFormat("went through an unknown stage", subject=subject)
        if "age" in names and not self._identities:
            raise IdentityMissing("is encrypted and no identity is configured", subject=subject)
        body = b"".join(chunks)
        if "age" in names:
            body = self._decrypted(body, subject)
        if "zstd" in names:
            body = _unpacked(body, subject)
        if len(body) > limit_bytes:
            raise SnapshotDamaged(f"unpacks to more than {limit_bytes} bytes", subject=subject)
        if body:
            write(body)

    def _decrypted(self, body: bytes, subject: str) -> bytes:
        header, newline, inside = body.partition(b"\n")
        if not header.startswith(_HEADER) or not newline or not inside.endswith(_END):
            raise SnapshotDamaged("the age envelope is broken", subject=subject)
        recipients = header.removeprefix(_HEADER).decode(errors="replace").split(",")
        if not set(recipients) & set(self._identities):
            raise DecryptionFailed(f"is encrypted to {', '.join(recipients)}", subject=subject)
        return inside.removesuffix(_END).translate(_INVERTED)


def _unpacked(body: bytes, subject: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(body)
    except zlib.error as error:
        raise SnapshotDamaged("the zstd envelope is broken", subject=subject) from error
    if not unpacker.eof or unpacker.unused_data:
        raise SnapshotDamaged("the zstd envelope does not end where it should", subject=subject)
    return plain
