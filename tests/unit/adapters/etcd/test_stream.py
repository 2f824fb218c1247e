"""Snapshot streams of servers that misbehave in ways which a real etcd cannot be asked for.

The server is gRPC's own, on loopback, with our stubs; what it sends is each test's to say.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.channel import MAX_MESSAGE_BYTES
from etcd_dr.adapters.etcd.client import GrpcEtcdMember
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.etcd.proto import rpc_pb2, rpc_pb2_grpc
from etcd_dr.adapters.etcd.stream import Watchdog
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.errors import AccessDenied, Cancelled, EtcdError, MemberTimeout, StreamBroken
from etcd_dr.ports.snapshot_source import SnapshotChunk

SHORT = 0.3
Reply = Iterator[rpc_pb2.SnapshotResponse]
Answer = Callable[[grpc.ServicerContext], Reply]
Connect = Callable[..., GrpcEtcdMember]


class Double(rpc_pb2_grpc.MaintenanceServicer, rpc_pb2_grpc.AuthServicer):
    """A member that answers Snapshot as it is told, and hands out numbered tokens."""

    def __init__(self, answer: Answer, authenticate: Callable[[], None]) -> None:
        self._answer = answer
        self._authenticate = authenticate
        self.tokens_issued = 0

    def Snapshot(self, request: rpc_pb2.SnapshotRequest, context: grpc.ServicerContext) -> Reply:  # noqa: N802
        return self._answer(context)

    def Authenticate(self, request: Any, context: Any) -> rpc_pb2.AuthenticateResponse:  # noqa: N802
        self._authenticate()
        self.tokens_issued += 1
        return rpc_pb2.AuthenticateResponse(token=f"token-{self.tokens_issued}")


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Serve an answer, and connect to it; with `username`, by password."""
    (tmp_path / "password").write_text("sesame")
    with contextlib.ExitStack() as stack:

        def start(
            answer: Answer, *, username: str | None = None, authenticate: Callable[[], None] = lambda: None
        ) -> GrpcEtcdMember:
            server = grpc.server(stack.enter_context(ThreadPoolExecutor(4)))
            double = Double(answer, authenticate)
            rpc_pb2_grpc.add_MaintenanceServicer_to_server(double, server)
            rpc_pb2_grpc.add_AuthServicer_to_server(double, server)
            url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            server.start()
            stack.callback(lambda: server.stop(grace=0).wait(5))
            password_file = None if username is None else tmp_path / "password"
            access = EtcdAccess((url,), username=username, password_file=password_file)
            member = GrpcEtcdConnector(access, clock=SystemClock()).connect(url)
            stack.callback(member.close)
            return member

        yield start


def message(blob: bytes, remaining: int) -> rpc_pb2.SnapshotResponse:
    return rpc_pb2.SnapshotResponse(blob=blob, remaining_bytes=remaining)


def take(member: GrpcEtcdMember, *, stall: float = 60, total: float = 120) -> list[SnapshotChunk]:
    with member.snapshot(stall_deadline=stall, total_deadline=total) as stream:
        return list(stream)


def test_what_the_server_sends_is_passed_on_unjudged(connect: Connect) -> None:
    """A stream that ends early with OK is no error here: counting is the pipeline's, for every source alike."""
    member = connect(lambda context: iter([message(b"half", 4), message(b"", 4)]))

    assert take(member) == [SnapshotChunk(b"half", 4), SnapshotChunk(b"", 4)]


def test_endless_empty_messages_end_by_the_total_deadline(connect: Connect) -> None:
    """Something arrives all the time, so nothing stalls; the total deadline still holds."""
    member = connect(lambda context: itertools.repeat(message(b"", 1000)))

    with pytest.raises(MemberTimeout) as caught:
        take(member, total=SHORT)

    assert caught.value.context["reason"] == "deadline"


def test_server_that_gives_up_mid_stream_broke_it(connect: Connect) -> None:
    """An error of the server's own after the first bytes is a broken stream, with what it said."""

    def fails(context: grpc.ServicerContext) -> Reply:
        yield message(b"half", 4)
        context.abort(grpc.StatusCode.UNKNOWN, "read /var/lib/etcd/member/snap/db: input/output error")

    with pytest.raises(StreamBroken, match="input/output error") as caught:
        take(connect(fails))

    assert caught.value.context["received_bytes"] == 4


def test_stall_before_the_first_message_ends_by_the_stall_deadline(connect: Connect) -> None:
    """A member that accepts the call and then says nothing is noticed as well."""
    hold = threading.Event()

    def silent(context: grpc.ServicerContext) -> Reply:
        hold.wait(60)
        yield message(b"", 0)

    with pytest.raises(MemberTimeout) as caught:
        take(connect(silent), stall=SHORT, total=60)
    hold.set()

    assert caught.value.context["reason"] == "stalled"


def test_stall_during_the_login_ends_by_the_stall_deadline(connect: Connect) -> None:
    """Logging in belongs to the wait for the first message: it cannot use up the total deadline alone."""
    hold = threading.Event()
    member = connect(
        lambda context: iter([message(b"x", 0)]), username="root", authenticate=lambda: hold.wait(60) and None
    )
    began = time.monotonic()

    with pytest.raises(MemberTimeout):
        take(member, stall=SHORT, total=60)
    hold.set()

    assert time.monotonic() - began < 30  # the login hangs for sixty


def test_message_that_is_too_large_is_refused(connect: Connect) -> None:
    """etcd sends 32 KiB at a time; a giant message is not taken into memory."""
    member = connect(lambda context: iter([message(bytes(MAX_MESSAGE_BYTES + 1), 0)]))

    with pytest.raises(EtcdError):
        take(member)


def test_member_leaves_when_the_stream_is_left(connect: Connect) -> None:
    """The server sees the call end, which is what releases its read transaction."""
    ended = threading.Event()

    def endless(context: grpc.ServicerContext) -> Reply:
        context.add_callback(ended.set)
        return itertools.repeat(message(bytes(1000), 1000))

    with connect(endless).snapshot(stall_deadline=60, total_deadline=120) as stream:
        next(iter(stream))

    assert ended.wait(60)


def test_stale_token_is_renewed_once(connect: Connect) -> None:
    """A refusal for the token leads to one new login; the stream begins again and loses nothing."""

    def only_the_second(context: grpc.ServicerContext) -> Reply:
        if ("token", "token-2") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "etcdserver: invalid auth token")
        yield message(b"all", 0)

    assert take(connect(only_the_second, username="root")) == [SnapshotChunk(b"all", 0)]


def test_token_that_is_refused_again_is_access_denied(connect: Connect) -> None:
    """No endless round of logins."""
    attempts = itertools.count(1)
    seen: list[int] = []

    def never(context: grpc.ServicerContext) -> Reply:
        seen.append(next(attempts))
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "etcdserver: invalid auth token")
        yield message(b"", 0)

    with pytest.raises(AccessDenied):
        take(connect(never, username="root"))

    assert seen == [1, 2]


def test_snapshot_asks_for_the_members_own_copy(connect: Connect) -> None:
    """Without `hasleader`, or a survivor without a leader would refuse."""
    keys: list[set[str]] = []

    def look(context: grpc.ServicerContext) -> Reply:
        keys.append({key for key, _ in context.invocation_metadata()})
        return iter([message(b"x", 0)])

    take(connect(look))

    assert keys
    assert "hasleader" not in keys[0]


def test_stream_that_was_left_cannot_be_read_on(connect: Connect) -> None:
    """Reading after the context is Cancelled, not a second call to the member."""
    member = connect(lambda context: iter([message(b"x", 0)]))
    with member.snapshot(stall_deadline=60, total_deadline=60) as stream:
        pass

    with pytest.raises(Cancelled):
        list(stream)


def test_watchdog_stays_quiet_while_nothing_is_expected() -> None:
    """Only the time between `expect` and the next sign counts."""
    barked = threading.Event()
    watchdog = Watchdog(stall_seconds=0.05, bark=barked.set, monotonic=time.monotonic)
    watchdog.start()

    watchdog.rest()
    quiet = not barked.wait(0.2)
    watchdog.expect()
    loud = barked.wait(60)
    watchdog.stop()

    assert (quiet, loud, watchdog.has_barked) == (True, True, True)


def test_watchdog_may_be_stopped_without_ever_starting() -> None:
    """A stream that was never read has one too."""
    watchdog = Watchdog(stall_seconds=1, bark=lambda: None, monotonic=time.monotonic)

    watchdog.stop()
    watchdog.stop()

    assert not watchdog.has_barked
