"""Where the bytes of a snapshot come from: an etcd member, later Talos' machine API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class SnapshotChunk:
    """A piece of the stream. `remaining_bytes` is what etcd announces as still to come *after* this piece, the
    32-byte trailer not counted (maintenance.go, Snapshot); None where the source cannot say."""

    blob: bytes
    remaining_bytes: int | None


class SnapshotStream(Protocol):
    """An open stream. It pins a read transaction on the member: leave it quickly, and always leave it.

    - The member is first asked when the iteration begins; it is iterated once.
    - Iteration yields chunks in order, raises the port's errors (never the library's), and ends when the server ends.
    - A wait for one message longer than the stall deadline raises MemberTimeout. Only our own waiting counts: a
      consumer may keep a chunk as long as it likes.
    - A total longer than the total deadline raises MemberTimeout too, and there all time counts, the consumer's as well.
    - It does *not* judge the content: counting, the trailer and empty messages are the pipeline's matter, because they
      are the same for every source.
    - Leaving the context cancels the stream; safe at any point and from the iterating thread. Iterating after that
      raises Cancelled.
    - `cancel` may be called from another thread, at any time; iteration then raises Cancelled, even out of a wait.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[SnapshotChunk]: ...

    def cancel(self) -> None: ...
