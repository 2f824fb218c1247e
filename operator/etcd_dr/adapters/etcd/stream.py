"""The snapshot stream of one member, with a watch over its silences.

gRPC's iteration blocks without end when a member stands still: its TCP connection may well be alive, so keepalive
does not help either. A watchdog thread cancels the call instead. Silence is counted only while we wait for a message,
never while the consumer is busy with the last one: a slow object store is not a stalled member. The total deadline is
gRPC's own, which tells it to the member as well; that counts all the time, because an open stream pins a read
transaction on the member whoever is slow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

import grpc

from etcd_dr.adapters.etcd.proto import rpc_pb2
from etcd_dr.errors import Cancelled, EtcdDrError, MemberTimeout
from etcd_dr.ports.snapshot_source import SnapshotChunk

SNAPSHOT_CALL = "Snapshot"


class SnapshotCall(Protocol):
    """What the stream needs of the member's connection."""

    def begin(self) -> Any:
        """Start the call and return gRPC's iterator of messages. Raises grpc.RpcError."""
        ...

    def renew(self, error: grpc.RpcError) -> bool:
        """Tell whether it is worth beginning again: the call was refused for its token, and for the first time."""
        ...

    def explain(self, error: grpc.RpcError, *, received_bytes: int) -> EtcdDrError:
        """Return our error for a call that failed by itself, after so many bytes of data."""
        ...


class GrpcSnapshotStream:
    """Implements ports.snapshot_source.SnapshotStream. The call to the member begins with the iteration."""

    def __init__(
        self, source: SnapshotCall, *, endpoint: str, stall_deadline: float, monotonic: Callable[[], float]
    ) -> None:
        self._source = source
        self._endpoint = endpoint
        self._stall_deadline = stall_deadline
        self._watchdog = Watchdog(stall_seconds=stall_deadline, bark=self._hang_up, monotonic=monotonic)
        self._lock = threading.Lock()
        self._call: Any = None
        self._received_bytes = 0
        self._cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
        self._watchdog.stop()

    def cancel(self) -> None:
        self._cancelled = True
        self._hang_up()

    def __iter__(self) -> Iterator[SnapshotChunk]:
        if self._cancelled:
            raise self._cancellation()
        self._watchdog.start()
        try:
            yield from self._chunks()
        except grpc.RpcError as error:
            raise self._failure(error) from error
        finally:
            self._watchdog.stop()
        if self._cancelled:
            raise self._cancellation()

    def _chunks(self) -> Iterator[SnapshotChunk]:
        watchdog = self._watchdog
        watchdog.expect()
        message = self._first()
        while message is not None:
            watchdog.rest()
            blob = message.blob
            self._received_bytes += len(blob)
            yield SnapshotChunk(blob, message.remaining_bytes)
            watchdog.expect()
            message = next(self._call, None)

    def _first(self) -> rpc_pb2.SnapshotResponse | None:
        try:
            return next(self._begin(), None)
        except grpc.RpcError as error:
            if self._cancelled or self._watchdog.has_barked or not self._source.renew(error):
                raise
        return next(self._begin(), None)

    def _begin(self) -> Any:
        call = self._source.begin()
        with self._lock:
            self._call = call
        if self._cancelled or self._watchdog.has_barked:
            call.cancel()
        return call

    def _hang_up(self) -> None:
        with self._lock:
            if self._call is not None:
                self._call.cancel()

    def _failure(self, error: grpc.RpcError) -> EtcdDrError:
        if self._cancelled:
            return self._cancellation()
        if self._watchdog.has_barked:
            return self._stalled()
        return self._source.explain(error, received_bytes=self._received_bytes)

    def _cancellation(self) -> Cancelled:
        return Cancelled(
            "the snapshot stream was cancelled",
            subject=self._endpoint,
            context={"received_bytes": self._received_bytes},
        )

    def _stalled(self) -> MemberTimeout:
        received_bytes = self._received_bytes
        return MemberTimeout(
            f"the snapshot stream stood still for {self._stall_deadline:g} s after {received_bytes} bytes",
            subject=self._endpoint,
            next_step="The member may be stopped, or be defragmenting. Take the snapshot from another one: "
            "etcd-dr members",
            context={"call": SNAPSHOT_CALL, "reason": "stalled", "received_bytes": received_bytes},
        )


class Watchdog:
    """Calls `bark` once, from a thread of its own, when `expect` was not followed by `rest` or `expect` in time."""

    def __init__(self, *, stall_seconds: float, bark: Callable[[], None], monotonic: Callable[[], float]) -> None:
        self._stall_seconds = stall_seconds
        self._bark = bark
        self._monotonic = monotonic
        self._expecting_since: float | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.has_barked = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="snapshot-watchdog", daemon=True)
        self._thread.start()

    def expect(self) -> None:
        """Count from now."""
        self._expecting_since = self._monotonic()

    def rest(self) -> None:
        """Do not count."""
        self._expecting_since = None

    def stop(self) -> None:
        """End the thread. Safe to call twice, and without `start`."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _watch(self) -> None:
        # Between two looks nothing can have stood still for longer than was left, so one look per period is exact.
        left = self._stall_seconds
        while not self._stopped.wait(left):
            since = self._expecting_since
            left = self._stall_seconds if since is None else since + self._stall_seconds - self._monotonic()
            if left <= 0:
                self.has_barked = True
                self._bark()
                return
