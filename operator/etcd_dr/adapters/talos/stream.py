"""Streams of a node, read in the loop's thread and handed over in batches.

- Messages are gathered to batches of 256 KiB before they cross to the consumer's thread: handing over 300,000 of them
  one by one would cost more than reading them. The first one crosses at once.
- At most some MiB wait for the consumer; then reading pauses, and HTTP/2's flow control slows the node down.
- Silence is counted only while we wait for the node, never while the consumer is busy.
- What happened on the way is carried to the consumer after the batches that came before it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import DecodeError
from grpclib.client import Stream, UnaryStreamMethod
from grpclib.exceptions import GRPCError

from etcd_dr.adapters.talos import failures
from etcd_dr.adapters.talos.chunk_reader import BrokenFraming, MessageCutter, bulk_source
from etcd_dr.adapters.talos.codec import ForwardedError, RawChunk, chunk_of
from etcd_dr.adapters.talos.connection import CONNECTION_ERRORS, NodeConnection
from etcd_dr.adapters.talos.loop import LoopClosed
from etcd_dr.adapters.talos.quick_turns import quick_turns
from etcd_dr.errors import Cancelled, EtcdDrError, StreamBroken
from etcd_dr.ports.snapshot_source import SnapshotChunk

_BATCH_BYTES = 256 << 10
_WAITING_BYTES = 4 << 20


class TalosStream:
    """Implements ports.snapshot_source.SnapshotStream over a call that streams `common.Data`."""

    def __init__(
        self,
        connection: NodeConnection,
        call: str,
        request: Any,
        *,
        stall_deadline: float,
        total_deadline: float,
        monotonic: Callable[[], float],
        answer_type: Any = RawChunk,
    ) -> None:
        self._connection = connection
        self._answer_type = answer_type
        self._call = call
        self._request = request
        self._stall_deadline = stall_deadline
        self._total_deadline = total_deadline
        self._monotonic = monotonic
        self._ends_at = monotonic() + total_deadline
        self._handover = _Handover()
        self._pump: Future[None] | None = None
        self._received_bytes = 0
        self._is_cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._pump is not None:
            self._pump.cancel()
        self._handover.finish(None)

    def __iter__(self) -> Iterator[SnapshotChunk]:
        with quick_turns():
            for batch in self._batches():
                yield SnapshotChunk(b"".join(batch), None)

    def messages(self) -> Iterator[Any]:
        """Iterate over single messages, for calls that stream something else than bytes."""
        for batch in self._batches():
            yield from batch

    def _batches(self) -> Iterator[list[Any]]:
        if self._is_cancelled:
            raise self._cancellation()
        try:
            self._pump = self._connection.loop.submit(self._read())
        except LoopClosed as error:
            raise failures.closed(self._call, address=str(self._connection)) from error
        self._pump.add_done_callback(lambda _: self._handover.finish(LoopClosed()))
        while (batch := self._handover.take()) is not None:
            if self._is_cancelled:
                break
            self._connection.loop.call_soon(self._handover.make_room)
            yield batch
        if self._is_cancelled:
            raise self._cancellation()
        if self._handover.failure is not None:
            raise self._translated(self._handover.failure) from self._handover.failure

    async def _read(self) -> None:
        """Pump messages until the stream ends; runs in the loop's thread."""
        failure: BaseException | None = None
        watch = _Watch(self._stall_deadline, asyncio.current_task())
        try:
            await self._receive(watch)
        except asyncio.CancelledError as error:
            failure = _Stalled() if watch.has_barked else error
        except Exception as error:  # noqa: BLE001 - carried to the consumer's thread and translated there
            failure = error
        finally:
            watch.stop()
        self._handover.finish(failure)

    async def _receive(self, watch: _Watch) -> None:
        method: UnaryStreamMethod[Any, Any] = UnaryStreamMethod(
            self._connection.channel(), f"/machine.MachineService/{self._call}", type(self._request), self._answer_type
        )
        is_bytes = self._answer_type is RawChunk
        handover, pending, pending_bytes, least = self._handover, [], 0, 1
        left = max(0.001, self._ends_at - self._monotonic())
        async with asyncio.timeout(left), method.open(timeout=left, metadata=self._connection.metadata) as stream:
            await stream.send_message(self._request, end=True)
            async for messages in _messages(stream, in_bulk=is_bytes):
                watch.saw_something = True
                pending += messages
                pending_bytes += sum(map(len, messages)) if is_bytes else _BATCH_BYTES
                if pending_bytes >= least:
                    self._received_bytes += pending_bytes if is_bytes else 0
                    handover.put(pending, pending_bytes)
                    pending, pending_bytes, least = [], 0, _BATCH_BYTES
                    if handover.is_full:
                        watch.is_paused = True
                        await handover.wait_for_room()
                        watch.is_paused = False
            self._received_bytes += pending_bytes if is_bytes else 0
            handover.put(pending, pending_bytes)

    def _translated(self, error: BaseException) -> EtcdDrError:
        call, address, received = self._call, str(self._connection), self._received_bytes
        if isinstance(error, _Stalled):
            found = failures.stalled(call, address=address, seconds=self._stall_deadline, received_bytes=received)
        elif isinstance(error, TimeoutError):
            found = failures.out_of_time(call, address=address, seconds=self._total_deadline, received_bytes=received)
        elif isinstance(error, GRPCError) and received:
            return failures.broken_stream(error, call=call, address=address, received_bytes=received)
        elif isinstance(error, GRPCError):
            return failures.from_answer(
                error, call=call, address=address, seconds=self._total_deadline, roles=self._connection.own.roles
            )
        elif isinstance(error, LoopClosed | asyncio.CancelledError):
            return failures.closed(call, address=address)
        elif isinstance(error, CONNECTION_ERRORS) and not isinstance(error, BrokenFraming):
            return self._connection.explain(error, call=call)
        elif isinstance(error, ForwardedError | BrokenFraming | DecodeError | AssertionError):
            # The library asserts that a message is as long as it said: a connection that ended within one.
            said = str(error) or "the connection ended within a message"
            return StreamBroken(f"{call}: {said}", subject=address, context={"received_bytes": received})
        else:
            raise error
        return found

    def _cancellation(self) -> Cancelled:
        return Cancelled(
            f"{self._call} was cancelled",
            subject=str(self._connection),
            context={"received_bytes": self._received_bytes},
        )


async def _messages(stream: Stream[Any, Any], *, in_bulk: bool) -> AsyncIterator[list[Any]]:
    """Yield messages as they come: several at once where they are bytes and grpclib lets us take them so."""
    await stream.recv_initial_metadata()
    source = bulk_source(stream) if in_bulk else None
    if source is None:
        while (message := await stream.recv_message()) is not None:
            yield [message]
        return
    cutter = MessageCutter()
    while (data := await source.take()) is not None:
        if messages := cutter.cut(data):
            yield [chunk_of(message) for message in messages]
    cutter.finish()


class _Stalled(Exception):
    pass


class _Watch:
    """Cancels a task of the running loop when nothing was seen for a while; a look per period is exact enough."""

    def __init__(self, seconds: float, task: asyncio.Task[Any] | None) -> None:
        self.saw_something = False
        self.is_paused = False
        self.has_barked = False
        self._loop = asyncio.get_running_loop()
        self._task = task
        # Looking four times a period, a stall is told after 1 to 1.25 periods.
        self._looks_left = self._looks = 4
        self._step = seconds / self._looks
        self._timer = self._loop.call_later(self._step, self._look)

    def _look(self) -> None:
        if self.saw_something or self.is_paused:
            self.saw_something, self._looks_left = False, self._looks
        else:
            self._looks_left -= 1
        if self._looks_left <= 0 and self._task is not None:
            self.has_barked = True
            self._task.cancel()
            return
        self._timer = self._loop.call_later(self._step, self._look)

    def stop(self) -> None:
        self._timer.cancel()


class _Handover:
    """Batches on their way from the loop's thread to the consumer's."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._batches: deque[tuple[list[Any], int]] = deque()
        self._waiting_bytes = 0
        self._is_finished = False
        self._changed = threading.Condition()
        self._room = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes >= _WAITING_BYTES

    def put(self, batch: list[Any], count_bytes: int) -> None:
        if batch:
            with self._changed:
                self._batches.append((batch, count_bytes))
                self._waiting_bytes += count_bytes
                self._changed.notify()

    def finish(self, failure: BaseException | None) -> None:
        """Let the consumer come to the end; the first call counts."""
        with self._changed:
            if not self._is_finished:
                self._is_finished, self.failure = True, failure
                self._changed.notify()

    def take(self) -> list[Any] | None:
        """Return the next batch, waiting for it; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_finished)
            if not self._batches:
                return None
            batch, count_bytes = self._batches.popleft()
            self._waiting_bytes -= count_bytes
            return batch

    def make_room(self) -> None:
        """Wake the reader if there is room; in the loop's thread."""
        if not self.is_full:
            self._room.set()

    async def wait_for_room(self) -> None:
        """Pause until the consumer has taken something; in the loop's thread."""
        self._room.clear()
        while self.is_full:
            await self._room.wait()
            self._room.clear()
