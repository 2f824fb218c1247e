"""The parts of a multipart upload: how large each one is, and how they are sent by a few threads in bounded memory.

S3 allows 10,000 parts, 5 MiB to 5 GiB each, and the size of a snapshot is not known when its first byte arrives. So
the first 5,000 parts have the configured size (8 MiB: 39 GiB, which is beyond any etcd), and then the size doubles
every 500 parts: 10,000 parts reach 4 TiB. Memory is the part that is being filled and, in flight, `threads` parts of
the first size or one larger part.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

LARGEST_PART_BYTES = 5 * 1024**3
MAX_PARTS = 10_000
_PARTS_OF_FIRST_SIZE = 5_000
_PARTS_PER_DOUBLING = 500


def part_size_bytes(number: int, *, first_bytes: int) -> int:
    """Return the size of part `number`, counted from 1."""
    beyond = max(0, number - _PARTS_OF_FIRST_SIZE)
    doublings = -(-beyond // _PARTS_PER_DOUBLING)
    return min(first_bytes << doublings, LARGEST_PART_BYTES)


@dataclass(frozen=True, slots=True)
class SentPart:
    """What the store answered; `crc32c` is base64, where checksums of that kind are sent."""

    number: int
    etag: str
    crc32c: str | None = None


SendPart = Callable[[int, bytearray], SentPart]


class PartSender:
    """Sends parts concurrently. Belongs to one thread; what a part raised is raised by the next call."""

    def __init__(self, send: SendPart, *, threads: int, budget_bytes: int) -> None:
        self._send = send
        self._budget_bytes = budget_bytes
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="s3-part")
        self._in_flight: dict[Future[SentPart], int] = {}
        self._sent: list[SentPart] = []

    def submit(self, number: int, body: bytearray) -> None:
        """Send a part; `body` belongs to the sender from now on. Blocks while the budget is used up."""
        self._collect(timeout=0)
        while self._in_flight and sum(self._in_flight.values()) + len(body) > self._budget_bytes:
            self._collect(timeout=None)
        self._in_flight[self._threads.submit(self._send, number, body)] = len(body)

    def finish(self) -> list[SentPart]:
        """Return all parts in order when the last one has arrived."""
        while self._in_flight:
            self._collect(timeout=None)
        self._threads.shutdown()
        return sorted(self._sent, key=lambda part: part.number)

    def stop(self, *, grace_seconds: float) -> None:
        """Give up: what has not begun never does, and what is on its way gets a moment to end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait(self._in_flight, timeout=grace_seconds)
        self._in_flight.clear()

    def _collect(self, *, timeout: float | None) -> None:
        done, _ = wait(self._in_flight, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in done:
            del self._in_flight[future]
            self._sent.append(future.result())
