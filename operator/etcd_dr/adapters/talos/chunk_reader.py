"""Reads the messages of a stream in bulk: all that has arrived at once, instead of one after the other.

grpclib awaits each message twice, acknowledges each to HTTP/2's flow control, and copies it through a buffer; for
messages of 1 KiB that is a third of all the work. Here one wait takes whatever lies in the buffer, acknowledges it
together and cuts it into messages.

It reaches behind grpclib's public face (its buffer's queue). Where a later grpclib has none, `bulk_source` returns
None, and messages are read one by one; a test holds both ways to the same answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from grpclib.client import Stream
from grpclib.exceptions import ProtocolError

_HEADER_BYTES = 5  # a flag for compression, then the length (gRPC over HTTP/2: Length-Prefixed-Message)
_LARGEST_MESSAGE = 64 << 20


class BrokenFraming(ProtocolError):
    """The messages do not fit together: the stream ended within one, or it is none of gRPC's."""


class MessageCutter:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole by now. Raises BrokenFraming."""
        whole = self._rest + data if self._rest else data
        found, at, size = [], 0, len(whole)
        while size - at >= _HEADER_BYTES:
            length = int.from_bytes(whole[at + 1 : at + _HEADER_BYTES], "big")
            if whole[at] or length > _LARGEST_MESSAGE:
                raise BrokenFraming("a message is compressed or too large")
            end = at + _HEADER_BYTES + length
            if end > size:
                break
            found.append(whole[at + _HEADER_BYTES : end])
            at = end
        self._rest = whole[at:]
        return found

    def finish(self) -> None:
        """Raise BrokenFraming where a message was begun and not ended."""
        if self._rest:
            raise BrokenFraming("the stream ended within a message")


@dataclass(frozen=True, slots=True)
class BulkSource:
    """grpclib's buffer of one stream: its queue, how data is acknowledged, and what turns a lost connection into an
    error out of a wait."""

    queue: asyncio.Queue[Any]
    acknowledge: Callable[[int], None]
    guard: AbstractContextManager[Any]

    async def take(self) -> bytes | None:
        """Return all that has arrived, waiting for the first of it; None at the end."""
        with self.guard:
            first = await self.queue.get()
        pieces, acknowledged, is_ended = [first.data], first.ack_size, not first.ack_size
        while not is_ended and not self.queue.empty():
            item = self.queue.get_nowait()
            if item.ack_size:
                pieces.append(item.data)
                acknowledged += item.ack_size
            else:
                self.queue.put_nowait(item)  # the end is told once the data is taken
                break
        if is_ended:
            return None
        self.acknowledge(acknowledged)
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]


def bulk_source(stream: Stream[Any, Any]) -> BulkSource | None:
    """Return the buffer behind a stream whose initial metadata has been received, None where there is none such."""
    inner = getattr(stream, "_stream", None)
    buffer = getattr(inner, "buffer", None)
    queue = getattr(buffer, "_unacked", None)
    acknowledge = getattr(buffer, "_ack_callback", None)
    guard = getattr(stream, "_wrapper", None)
    is_untouched = getattr(buffer, "_acked_size", None) == 0
    if isinstance(queue, asyncio.Queue) and callable(acknowledge) and guard is not None and is_untouched:
        return BulkSource(queue, acknowledge, guard)
    return None
