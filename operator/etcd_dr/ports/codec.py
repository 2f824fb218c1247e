"""The envelope around a snapshot: compress, then encrypt; and back.

- Both directions are pull-from-reader, push-to-writer in one call and one pass, with memory that does not depend on
  the size: that is the shape of the age library, and it needs no thread and no pipe.
- Pieces pushed to `write` have at most some MiB; their borders mean nothing.
- What `chunks` or `write` raise passes through unchanged, whatever library stands in between; so does an exception of
  a signal handler (KeyboardInterrupt among them).
- One coder may serve any number of calls, also from several threads at once.
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
        """Push the encoded form of all chunks to `write`."""
        ...


class Decoder(Protocol):
    @property
    def has_identities(self) -> bool:
        """Whether encrypted objects can be opened at all."""
        ...

    def decode(
        self,
        chunks: Iterator[bytes],
        write: Write,
        *,
        stages: tuple[StageFacts, ...],
        subject: str,
        limit_bytes: int,
    ) -> None:
        """Undo `stages` in reverse order and push the plain bytes to `write`, never more than `limit_bytes` of them.

        For a committed snapshot the limit is the manifest's `database.size_bytes`. Besides `zstd` and `age` the stages
        `gzip`, `zlib`, `xz` and `bzip2` are undone, for files that other tools wrote. `subject` names the object for
        errors. Raises IdentityMissing, DecryptionFailed (no identity fits), SnapshotDamaged (envelope broken,
        truncated, followed by other bytes, or larger than the limit), UnsupportedFormat (a stage or a variant of it
        that this version cannot undo). Bytes pushed before an error are not to be trusted.
        """
        ...
