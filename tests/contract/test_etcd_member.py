"""What every EtcdMember and EtcdConnector promises, over the fake and over real etcd alike.

A `Rig` is a cluster of three with the few things that a test does to it. The suite is one class; each of its heirs
brings another rig. The heir over every etcd version is for `make test-all`.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalCluster
from etcd_dr.adapters.local_cluster.gateway import encoded
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.cluster import MemberStatus
from etcd_dr.errors import (
    Cancelled,
    ConfigError,
    EtcdError,
    MemberTimeout,
    MemberUnreachable,
    RevisionUnavailable,
)
from etcd_dr.ports.etcd import EtcdConnector, EtcdMember
from etcd_dr.ports.snapshot_source import SnapshotChunk
from fakes.etcd import FakeCluster, FakeEtcdConnector
from real.once_led import once_led
from real.snapshot_rig import compact_through

SECONDS = 15.0
SHORT = 1.0
TRAILER_BYTES = 32
MESSAGE_BYTES = 32 * 1024


class FakeRig:
    """The fake cluster as a rig."""

    def __init__(self) -> None:
        self.cluster = FakeCluster.of_three(database=bytes(range(256)) * 1000)
        self.connector: EtcdConnector = FakeEtcdConnector(self.cluster)
        self.release = (3, 5)
        self.nobody = "https://nobody.example:2379"

    def write(self, revisions: int) -> int:
        """Write so many keys, and return the revision of the last one."""
        self.cluster.write(revisions)
        self.cluster.live_keys[b"/contract/"] = max(self.cluster.live_keys.get(b"/contract/", 0), revisions)
        return self.cluster.members[0].revision

    def delete_all(self) -> None:
        self.cluster.write(1)
        self.cluster.live_keys.clear()

    def compact(self, revision: int) -> None:
        self.cluster.compact(revision)

    def stop(self, index: int) -> None:
        self.cluster.members[index].stop()

    def pause(self, index: int) -> None:
        self.cluster.members[index].hangs = True

    def add_learner(self) -> str:
        return self.cluster.add_learner("learner").endpoint


class RealRig:
    """A local cluster as a rig."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        self.connector: EtcdConnector = connector_to(cluster)
        self.release = cluster.binaries.release
        self.nobody = "https://127.0.0.1:1"

    def write(self, revisions: int) -> int:
        revision = 0
        with self.cluster.gateway() as gateway:
            for number in range(revisions):
                revision = gateway.put_through(b"/contract/%d" % number, bytes(2000))
        return revision

    def delete_all(self) -> None:
        with self.cluster.gateway() as gateway:
            gateway.call_through("/v3/kv/deleterange", {"key": encoded(b"\0"), "range_end": encoded(b"\0")})

    def compact(self, revision: int) -> None:
        with self.cluster.gateway() as gateway:
            compact_through(gateway, revision)

    def stop(self, index: int) -> None:
        self.cluster.members[index].kill()

    def pause(self, index: int) -> None:
        self.cluster.members[index].pause()

    def add_learner(self) -> str:
        return self.cluster.add_learner().endpoint


Rig = FakeRig | RealRig


def connector_to(cluster: LocalCluster, **changes: Any) -> GrpcEtcdConnector:
    tls = cluster.client_tls
    access = EtcdAccess(cluster.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key, **changes)
    return GrpcEtcdConnector(access, clock=SystemClock())


@contextlib.contextmanager
def connected(rig: Rig, index: int = 0) -> Iterator[EtcdMember]:
    with connection_to(rig, rig.connector.endpoints[index]) as member:
        yield member


@contextlib.contextmanager
def connection_to(rig: Rig, endpoint: str) -> Iterator[EtcdMember]:
    member = rig.connector.connect(endpoint)
    try:
        yield member
    finally:
        member.close()


def current_revision(member: EtcdMember) -> int:
    """Return the revision that a member has once it has applied all that the others have."""
    return once_led(lambda: member.read(linearizable=True, deadline=SECONDS))


def take(member: EtcdMember) -> list[SnapshotChunk]:
    with member.snapshot(stall_deadline=SECONDS, total_deadline=30) as stream:
        return list(stream)


def is_whole(chunks: list[SnapshotChunk]) -> bool:
    *pieces, trailer = chunks
    return hashlib.sha256(b"".join(piece.blob for piece in pieces)).digest() == trailer.blob


def statuses(rig: Rig) -> list[MemberStatus]:
    answers = []
    for index in range(3):
        with connected(rig, index) as member:
            answers.append(member.status(deadline=SECONDS))
    return answers


CALLS: dict[str, Callable[[EtcdMember, float], object]] = {
    "status": lambda member, deadline: member.status(deadline=deadline),
    "member_list": lambda member, deadline: member.member_list(linearizable=False, deadline=deadline),
    "alarms": lambda member, deadline: member.alarms(deadline=deadline),
    "hash_kv": lambda member, deadline: member.hash_kv(revision=0, deadline=deadline),
    "read": lambda member, deadline: member.read(linearizable=False, deadline=deadline),
    "count_keys": lambda member, deadline: member.count_keys(deadline=deadline),
    "snapshot": lambda member, deadline: list(member.snapshot(stall_deadline=deadline, total_deadline=deadline)),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


class EtcdMemberContract:
    """The promises. Heirs give `rig` (left as it was found) and `doomed` (this test's own, may be broken)."""

    def test_members_agree_on_cluster_and_leader(self, rig: Rig) -> None:
        """Each member says who it is, and all name the same cluster and the same leader."""
        answers = statuses(rig)
        for _ in range(100):
            if len({answer.leader_id for answer in answers} | {0}) == 2 and not any(a.errors for a in answers):
                break
            threading.Event().wait(0.1)  # an election is under way
            answers = statuses(rig)

        assert len({answer.member_id for answer in answers}) == 3
        assert len({answer.cluster_id for answer in answers}) == 1
        assert len({answer.leader_id for answer in answers}) == 1
        assert [answer.is_leader for answer in answers].count(True) == 1
        assert {answer.errors for answer in answers} == {()}

    def test_status_has_every_number(self, rig: Rig) -> None:
        """What health and the choice of a member need is there, and None only where this etcd does not say it."""
        with connected(rig) as member:
            answer = member.status(deadline=SECONDS)

        assert answer.revision > 0
        assert answer.raft_term > 0
        assert answer.raft_index >= answer.raft_applied_index > 0
        assert answer.db_size_bytes >= (answer.db_in_use_bytes or 0) > 0
        assert answer.version[:3] in {"3.4", "3.5", "3.6", "3.7"}
        assert not answer.is_learner
        assert (answer.db_quota_bytes is not None) == (rig.release >= (3, 6))

    @pytest.mark.parametrize("linearizable", [False, True])
    def test_member_list_names_the_members_in_order_of_id(self, rig: Rig, *, linearizable: bool) -> None:
        """All members with their client URLs, whether asked locally or through quorum."""
        with connected(rig) as member:
            members = once_led(lambda: member.member_list(linearizable=linearizable, deadline=SECONDS))
            own = member.status(deadline=SECONDS)

        assert members.cluster_id == own.cluster_id
        assert members.by_id(own.member_id) is not None
        assert [row.id for row in members.members] == sorted(row.id for row in members.members)
        assert {url for row in members.voters for url in row.client_urls} == set(rig.connector.endpoints)
        assert members.learners == ()

    def test_a_healthy_cluster_has_no_alarms(self, rig: Rig) -> None:
        """No alarm is an empty tuple."""
        with connected(rig) as member:
            assert once_led(lambda: member.alarms(deadline=SECONDS)) == ()

    def test_members_hash_alike_at_one_revision(self, rig: Rig) -> None:
        """The same revision has the same hash on each member, and the answer says at which revision it was taken."""
        rig.write(20)
        with connected(rig) as member:
            revision = current_revision(member)
        answers = []
        for index in range(3):
            with connected(rig, index) as member:
                current_revision(member)
                answers.append(member.hash_kv(revision=revision, deadline=SECONDS))

        assert len(set(answers)) == 1
        assert answers[0].revision == revision

    def test_hash_of_revision_zero_is_the_current_one(self, rig: Rig) -> None:
        """Revision 0 means now, and the answer names the revision that was current."""
        rig.write(1)
        with connected(rig) as member:
            current = current_revision(member)
            answer = member.hash_kv(revision=0, deadline=SECONDS)

        assert answer.revision == current

    def test_a_future_revision_is_not_available(self, rig: Rig) -> None:
        """The error says that the revision does not exist yet."""
        with connected(rig) as member, pytest.raises(RevisionUnavailable) as caught:
            member.hash_kv(revision=1_000_000_000, deadline=SECONDS)

        assert caught.value.context["reason"] == "future"

    def test_a_compacted_revision_is_not_available(self, doomed: Rig) -> None:
        """The error says that the revision was compacted; later ones answer with the compact revision."""
        doomed.write(20)
        with connected(doomed) as member:
            current = current_revision(member)
            doomed.compact(current - 5)
            with pytest.raises(RevisionUnavailable) as caught:
                member.hash_kv(revision=current - 10, deadline=SECONDS)
            answer = member.hash_kv(revision=current, deadline=SECONDS)

        assert caught.value.context["reason"] == "compacted"
        assert answer.compact_revision == current - 5

    @pytest.mark.parametrize("linearizable", [False, True])
    def test_a_read_sees_what_was_written(self, rig: Rig, *, linearizable: bool) -> None:
        """The revision that a read returns moves with the writes."""
        with connected(rig) as member:
            before = current_revision(member)
            written = rig.write(3)
            current_revision(member)

            found = once_led(lambda: member.read(linearizable=linearizable, deadline=SECONDS))
            assert found == written >= before + 3

    def test_live_keys_are_counted_whole_and_by_prefix(self, doomed: Rig) -> None:
        """Rewritten keys count once and deleted ones not at all; the header names the moment and the cluster."""
        with connected(doomed) as member:
            doomed.write(20)
            doomed.write(5)
            of_all = once_led(lambda: member.count_keys(deadline=SECONDS))
            of_prefix = once_led(lambda: member.count_keys(prefix=b"/contract/", deadline=SECONDS))
            of_others = once_led(lambda: member.count_keys(prefix=b"/contracu", deadline=SECONDS))
            doomed.delete_all()
            left = once_led(lambda: member.count_keys(deadline=SECONDS))
            cluster_id = member.status(deadline=SECONDS).cluster_id

        assert (of_all.keys, of_prefix.keys, of_others.keys, left.keys) == (20, 20, 0, 0)
        assert left.revision == of_all.revision + 1
        assert {of_all.cluster_id, left.cluster_id} == {cluster_id}
        assert left.raft_term > 0

    def test_snapshot_is_the_database_and_its_digest(self, rig: Rig) -> None:
        """The announced bytes arrive in order, followed by their SHA-256 in a message of its own."""
        rig.write(50)
        with connected(rig) as member:
            chunks = take(member)

        *pieces, trailer = chunks
        total = sum(len(piece.blob) for piece in pieces)
        left = total
        for piece in pieces:
            left -= len(piece.blob)
            assert piece.remaining_bytes == left
        assert max(len(piece.blob) for piece in pieces) == MESSAGE_BYTES
        assert (len(trailer.blob), trailer.remaining_bytes) == (TRAILER_BYTES, 0)
        assert is_whole(chunks)

    def test_a_snapshot_may_be_left_at_any_point(self, rig: Rig) -> None:
        """Leaving early is quick, and the connection goes on to serve."""
        with connected(rig) as member:
            with member.snapshot(stall_deadline=SECONDS, total_deadline=30) as stream:
                first = next(iter(stream))

            assert len(first.blob) > 0
            assert is_whole(take(member))

    def test_cancelling_from_another_thread_ends_the_iteration(self, rig: Rig) -> None:
        """`cancel` is heard by whoever iterates, as Cancelled."""
        with connected(rig) as member, member.snapshot(stall_deadline=SECONDS, total_deadline=30) as stream:
            chunks = iter(stream)
            next(chunks)
            other = threading.Thread(target=stream.cancel)
            other.start()
            other.join()

            with pytest.raises(Cancelled):
                list(chunks)

    def test_a_cancelled_stream_never_begins(self, rig: Rig) -> None:
        """Cancelled before it was read, a stream asks nothing of the member."""
        with connected(rig) as member, member.snapshot(stall_deadline=SECONDS, total_deadline=30) as stream:
            stream.cancel()

            with pytest.raises(Cancelled):
                list(stream)

    @every_call
    def test_nobody_at_an_endpoint_is_unreachable(self, rig: Rig, call: Callable[[EtcdMember, float], object]) -> None:
        """Connecting does not wait; the first call says that nobody is there, and where."""
        with connection_to(rig, rig.nobody) as member, pytest.raises(MemberUnreachable) as caught:
            call(member, SECONDS)

        assert caught.value.subject == rig.nobody

    @every_call
    def test_a_closed_connection_says_so(self, rig: Rig, call: Callable[[EtcdMember, float], object]) -> None:
        """After `close`, which may be called twice, every call fails with an error of ours."""
        with connected(rig) as member:
            member.close()

            with pytest.raises(EtcdError):
                call(member, SHORT)

    def test_a_survivor_without_quorum_still_gives_its_data(self, doomed: Rig) -> None:
        """Two of three are dead: local calls, the snapshot above all, are served; what needs quorum times out."""
        doomed.write(10)
        doomed.stop(1)
        doomed.stop(2)
        with connected(doomed) as member:
            with pytest.raises(MemberTimeout):
                member.read(linearizable=True, deadline=SHORT)
            status = member.status(deadline=SECONDS)
            members = member.member_list(linearizable=False, deadline=SECONDS)
            local = member.read(linearizable=False, deadline=SECONDS)
            answer = member.hash_kv(revision=0, deadline=SECONDS)
            chunks = take(member)
            with pytest.raises(MemberTimeout):
                member.alarms(deadline=SHORT)
            if doomed.release >= (3, 5):
                with pytest.raises(MemberTimeout):
                    member.member_list(linearizable=True, deadline=SHORT)

        assert len(members.members) == 3
        assert local == status.revision == answer.revision
        assert is_whole(chunks)

    def test_a_member_without_a_leader_says_so(self, doomed: Rig) -> None:
        """Once the election timeout has passed, the survivor knows no leader and has it among its errors."""
        doomed.stop(1)
        doomed.stop(2)
        with connected(doomed) as member:
            with pytest.raises(MemberTimeout):
                member.read(linearizable=True, deadline=3)
            status = member.status(deadline=SECONDS)
            for _ in range(100):
                if status.leader_id == 0:
                    break
                threading.Event().wait(0.1)
                status = member.status(deadline=SECONDS)

        assert status.leader_id == 0
        assert not status.is_leader
        assert "etcdserver: no leader" in status.errors

    def test_a_member_that_stands_still_times_out(self, doomed: Rig) -> None:
        """A process that is stopped keeps its sockets open; the deadline ends every call to it."""
        silent = []
        with connected(doomed) as member:
            member.status(deadline=SECONDS)
            doomed.pause(0)
            for name, call in CALLS.items():
                with contextlib.suppress(MemberTimeout):
                    call(member, SHORT / 2)
                    continue
                silent.append(name)

        assert silent == list(CALLS)

    def test_a_learner_serves_its_status_and_its_copy(self, doomed: Rig) -> None:
        """A learner answers status, local reads and snapshots; whatever else it refuses says that it is a learner."""
        endpoint = doomed.add_learner()
        with connection_to(doomed, endpoint) as learner:
            status = learner.status(deadline=SECONDS)
            learner.read(linearizable=False, deadline=SECONDS)
            refusals = []
            for refused in ("hash_kv", "member_list", "alarms"):
                with pytest.raises(EtcdError) as caught:
                    CALLS[refused](learner, SECONDS)
                refusals.append(caught.value.context["reason"])
            if doomed.release >= (3, 5):
                assert is_whole(take(learner))

        assert status.is_learner
        assert set(refusals) == {"learner"}

    def test_an_endpoint_that_is_none_is_refused_at_once(self, rig: Rig) -> None:
        """What is not a client URL is a configuration error, before anything is sent."""
        with pytest.raises(ConfigError):
            rig.connector.connect("etcd-0:2379")


class TestFakeEtcdMember(EtcdMemberContract):
    @pytest.fixture
    def rig(self) -> FakeRig:
        return FakeRig()

    @pytest.fixture
    def doomed(self) -> FakeRig:
        return FakeRig()


class TestGrpcEtcdMember(EtcdMemberContract):
    @pytest.fixture
    def rig(self, shared_cluster: LocalCluster) -> RealRig:
        return RealRig(shared_cluster)

    @pytest.fixture
    def doomed(self, fresh_cluster: Callable[..., LocalCluster]) -> RealRig:
        return RealRig(fresh_cluster())


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestGrpcEtcdMemberOfEveryVersion(TestGrpcEtcdMember):
    def test_version_is_the_one_of_the_program(self, rig: RealRig, etcd_binaries: EtcdBinaries) -> None:
        """The matrix meets the versions that it says it does."""
        with connected(rig) as member:
            assert member.status(deadline=SECONDS).version == etcd_binaries.version
