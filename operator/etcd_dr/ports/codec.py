"""The envelope around a snapshot: compress, then encrypt; and back.

Both directions are pull-from-reader, push-to-writer in one call and one pass, with memory that does not depend on the
size: that is the shape of the age library, and it needs no thread and no pipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from etcd_dr.domain.manifest import StageFacts

Write = Callable[[bytes], object]


class Encoder(Protocol):
    @property
    def stages(self) -> tuple[StageFacts, ...]:
        """What `encode` applies, in order, for the manifest. Empty: stored as it is."""
        ...

    def encode(self, chunks: Iterator[bytes], write: Write) -> None:
        """Push the encoded form of all chunks to `write`. What `chunks` or `write` raise passes through unchanged."""
        ...


class Decoder(Protocol):
    @property
    def has_identities(self) -> bool:
        """Whether encrypted objects can be opened at all."""
        ...

    def decode(self, chunks: Iterator[bytes], write: Write, *, stages: tuple[StageFacts, ...], subject: str) -> None:
        """Undo `stages` in reverse order and push the plain bytes to `write`.

        Raises IdentityMissing, DecryptionFailed (no identity fits), SnapshotDamaged (envelope broken, truncated, or
        followed by other bytes), UnsupportedFormat (a stage that is not known). Bytes pushed before an error are not
        to be trusted. What `chunks` or `write` raise passes through unchanged.
        """
        ...
