"""Receive one snapshot stream whole: count it, hash it, join its messages into blocks, hold back its trailer.

etcd sends messages of 32 KiB; hashing, writing and compressing cost less per byte in blocks of 1 MiB, and each of them
gives other threads the interpreter while it works.
"""

from __future__ import annotations

from collections.abc import Callable

from etcd_dr.domain.stream_check import CheckedStream, StreamCheck
from etcd_dr.errors import Cancelled
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.events import Progress
from etcd_dr.ports.snapshot_source import SnapshotStream
from etcd_dr.workflows.relay_blocks import BLOCK_BYTES


def receive_stream(
    stream: SnapshotStream,
    write: Callable[[bytes], object],
    *,
    subject: str,
    cancellation: Cancellation,
    progress: Progress,
    on_first_message: Callable[[], object],
) -> CheckedStream:
    """Push the blocks of an open stream to `write`, the trailer last and only when it is right.

    `on_first_message` is called once the member has begun to send: from then on its content is fixed. Raises StreamBroken for what is not a whole snapshot, Cancelled, and what the stream or `write` raises. The caller
    leaves the stream's context.
    """
    check = StreamCheck(subject=subject)
    pending: list[bytes] = []
    pending_bytes = 0

    def flush() -> None:
        nonlocal pending_bytes
        block = b"".join(pending)
        pending.clear()
        pending_bytes = 0
        check.digest(block)
        write(block)
        progress.advance(len(block))

    with cancellation.on_cancel(stream.cancel):
        for number, chunk in enumerate(stream):
            raise_if_cancelled(cancellation)
            if number == 0:
                on_first_message()
            data = check.admit(chunk.blob, chunk.remaining_bytes)
            if not data:
                continue
            pending.append(data)
            pending_bytes += len(data)
            if pending_bytes >= BLOCK_BYTES:
                flush()
    if pending:
        flush()
    checked = check.finish()
    write(checked.trailer)
    return checked


def raise_if_cancelled(cancellation: Cancellation) -> None:
    """Raise Cancelled when somebody asked to stop."""
    if cancellation.is_cancelled:
        raise Cancelled(f"stopped on request ({cancellation.reason})")
