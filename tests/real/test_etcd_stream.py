"""Snapshot streams that go wrong on the way, with real etcd: stalled, cut, killed, left, cancelled."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.client import GrpcEtcdMember
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.errors import Cancelled, MemberTimeout, MemberUnreachable
from etcd_dr.ports.snapshot_source import SnapshotChunk
from real.peers.tcp_proxy import TcpProxy

MEGABYTE = 1_000_000
STALL = 6.0
"""Also what a member on a busy machine has for its first chunk."""
PATIENT = 40.0
"""A stall deadline that is not meant to pass; below the total one of 60."""
Proxied = Callable[[int], TcpProxy]


@pytest.fixture(scope="module")
def filled(etcd_binaries: EtcdBinaries) -> Iterator[LocalCluster]:
    """One member with 80 MB: more than the sockets and gRPC between it and us would swallow at once."""
    with (
        tempfile.TemporaryDirectory(prefix="etcd-dr-test-", ignore_cleanup_errors=True) as directory,
        LocalCluster(Path(directory), binaries=etcd_binaries, settings=ClusterSettings(size=1)) as cluster,
    ):
        with cluster.gateway() as gateway:
            for number in range(80):
                gateway.put(b"/stream/%d" % number, bytes(MEGABYTE))
        yield cluster


@pytest.fixture
def running(filled: LocalCluster) -> LocalCluster:
    filled.start()
    filled.members[0].resume()  # a test that failed may have left it standing still
    filled.wait_until_healthy()
    return filled


@pytest.fixture
def connect(running: LocalCluster) -> Iterator[Callable[..., GrpcEtcdMember]]:
    """Connect to the member, or to what stands before it."""
    tls, opened = running.client_tls, []
    access = EtcdAccess(running.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)

    def to(endpoint: str = running.endpoints[0]) -> GrpcEtcdMember:
        opened.append(GrpcEtcdConnector(access, clock=SystemClock()).connect(endpoint))
        return opened[-1]

    yield to
    for member in opened:
        member.close()


def take(chunks: Iterator[SnapshotChunk], *, at_least: int) -> int:
    """Read until so many bytes have come, and return how many."""
    received = 0
    for chunk in chunks:
        received += len(chunk.blob)
        if received >= at_least:
            break
    return received


class TestStream:
    def test_stalled_connection_ends_by_the_stall_deadline(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember], tcp_proxy: Proxied
    ) -> None:
        """Packets that stop flowing mid-stream are noticed after the stall deadline, not the total one."""
        proxy = tcp_proxy(running.members[0].settings.client_port)
        member = connect(proxy.endpoint)
        with member.snapshot(stall_deadline=STALL, total_deadline=60) as stream:
            chunks = iter(stream)
            take(chunks, at_least=MEGABYTE)
            proxy.stall()
            began = time.monotonic()

            with pytest.raises(MemberTimeout) as caught:
                take(chunks, at_least=1000 * MEGABYTE)

        assert caught.value.context["reason"] == "stalled"
        assert STALL <= time.monotonic() - began < 50  # the total deadline is 60
        assert caught.value.context["received_bytes"] >= MEGABYTE

    def test_stopped_member_ends_by_the_stall_deadline(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember]
    ) -> None:
        """A process that stands still, with its connection open and acknowledged by the kernel, is noticed the same way."""
        with connect().snapshot(stall_deadline=STALL, total_deadline=60) as stream:
            chunks = iter(stream)
            take(chunks, at_least=MEGABYTE)
            running.members[0].pause()

            with pytest.raises(MemberTimeout) as caught:
                take(chunks, at_least=1000 * MEGABYTE)
        running.members[0].resume()

        assert caught.value.context["reason"] == "stalled"

    def test_killed_member_is_unreachable_mid_stream(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember]
    ) -> None:
        """The error says how far it came."""
        with connect().snapshot(stall_deadline=PATIENT, total_deadline=60) as stream:
            chunks = iter(stream)
            received = take(chunks, at_least=MEGABYTE)
            running.members[0].kill()

            with pytest.raises(MemberUnreachable) as caught:
                take(chunks, at_least=1000 * MEGABYTE)

        assert caught.value.context["received_bytes"] >= received

    def test_cut_connection_is_unreachable_mid_stream(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember], tcp_proxy: Proxied
    ) -> None:
        """A reset connection is not mistaken for the end of the stream."""
        proxy = tcp_proxy(running.members[0].settings.client_port)
        with connect(proxy.endpoint).snapshot(stall_deadline=PATIENT, total_deadline=60) as stream:
            chunks = iter(stream)
            take(chunks, at_least=MEGABYTE)
            proxy.cut()

            with pytest.raises(MemberUnreachable):
                take(chunks, at_least=1000 * MEGABYTE)

    def test_total_deadline_ends_a_stream_that_flows(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember], tcp_proxy: Proxied
    ) -> None:
        """A stream that never stands still, but is too slow, ends by the total deadline and says so."""
        proxy = tcp_proxy(running.members[0].settings.client_port)
        proxy.latency_seconds = 0.05
        slow = connect(proxy.endpoint).snapshot(stall_deadline=PATIENT, total_deadline=4.0)  # it would take 60
        with slow as stream, pytest.raises(MemberTimeout) as caught:
            take(iter(stream), at_least=1000 * MEGABYTE)

        assert caught.value.context["reason"] == "deadline"
        assert caught.value.context["received_bytes"] > 0

    def test_slow_consumer_is_not_a_stalled_member(self, connect: Callable[..., GrpcEtcdMember]) -> None:
        """While we are busy with a chunk (an upload that waits for its store), the stall deadline does not run."""
        busy = threading.Event()
        with connect().snapshot(stall_deadline=STALL, total_deadline=60) as stream:
            chunks = iter(stream)
            received = take(chunks, at_least=MEGABYTE)
            busy.wait(1.5 * STALL)
            received += take(chunks, at_least=1000 * MEGABYTE)

        assert received > 80 * MEGABYTE

    def test_cancelling_interrupts_a_blocked_iteration(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember]
    ) -> None:
        """`cancel` is heard at once, even while the iteration waits for a member that stands still."""
        with connect().snapshot(stall_deadline=PATIENT, total_deadline=60) as stream:
            chunks = iter(stream)
            take(chunks, at_least=MEGABYTE)
            running.members[0].pause()
            began = time.monotonic()
            threading.Timer(0.3, stream.cancel).start()

            with pytest.raises(Cancelled):
                take(chunks, at_least=1000 * MEGABYTE)
        running.members[0].resume()

        assert time.monotonic() - began < 20  # the stall deadline is 40

    def test_stream_that_was_left_holds_nothing_on_the_member(
        self, running: LocalCluster, connect: Callable[..., GrpcEtcdMember]
    ) -> None:
        """An open stream blocks a defragmentation, and with it the whole member; one that was left does not."""
        with connect().snapshot(stall_deadline=PATIENT, total_deadline=60) as stream:
            take(iter(stream), at_least=MEGABYTE)

        with running.members[0].gateway(timeout_seconds=40) as gateway:  # an open stream would hold it for 60
            gateway.call("/v3/maintenance/defragment", {})

    def test_stream_ends_no_thread_unfinished(self, connect: Callable[..., GrpcEtcdMember]) -> None:
        """The watchdog is gone when the context is left, whether the stream was read to its end or not."""
        member = connect()
        with member.snapshot(stall_deadline=PATIENT, total_deadline=60) as stream:
            take(iter(stream), at_least=1000 * MEGABYTE)
        with member.snapshot(stall_deadline=PATIENT, total_deadline=60) as stream:
            chunks = iter(stream)
            take(chunks, at_least=MEGABYTE)

        assert "snapshot-watchdog" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestStreamOfEveryVersion(TestStream):
    """Every etcd ends its streams alike."""
