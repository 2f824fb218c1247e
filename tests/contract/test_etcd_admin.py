"""What every EtcdAdmin promises, over the fake and over real etcd alike; every etcd version in `make test-all`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.domain.cluster import Alarm, Member
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable, RevisionUnavailable
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.etcd_admin import AdminConnector, EtcdAdmin
from fakes.clock import FakeClock
from fakes.etcd import FakeCluster, FakeEtcdConnector
from fakes.etcd_admin import FakeAdminConnector
from real.once_led import once_led

T = TypeVar("T")
SECONDS = 15.0
NEW_PEER = "https://127.0.0.1:2380"
PEER_THAT_RETURNS = "https://127.0.0.1:2381"


class Rig:
    """A cluster of three, both ways to speak to it, and how a member of it is stopped."""

    def __init__(
        self,
        admins: AdminConnector,
        members: EtcdConnector,
        *,
        stop: Callable[[int], object],
        pass_a_second: Callable[[], object],
    ) -> None:
        self.admins, self.members_of, self.stop, self.pass_a_second = admins, members, stop, pass_a_second

    @contextlib.contextmanager
    def admin(self, index: int = 0) -> Iterator[EtcdAdmin]:
        with contextlib.closing(self.admins.administer(self.members_of.endpoints[index])) as admin:
            yield admin

    @contextlib.contextmanager
    def patient_admin(self, index: int = 0) -> Iterator[PatientAdmin]:
        with self.admin(index) as admin:
            yield PatientAdmin(admin)

    def members(self) -> Sequence[Member]:
        with contextlib.closing(self.members_of.connect(self.members_of.endpoints[0])) as member:
            return once_led(lambda: member.member_list(linearizable=True, deadline=SECONDS)).members

    def member_ids(self) -> list[int]:
        return [row.id for row in self.members()]

    def alarms(self) -> tuple[Alarm, ...]:
        with contextlib.closing(self.members_of.connect(self.members_of.endpoints[0])) as member:
            return once_led(lambda: member.alarms(deadline=SECONDS))

    def take_out(self, admin: EtcdAdmin, peer_url: str) -> None:
        """Remove the member with this URL, where there is one; a removal that comes through late is one, too."""
        for row in self.members():
            if peer_url in row.peer_urls:
                try:
                    admin.remove_member(row.id, deadline=SECONDS)
                except EtcdError as error:
                    if error.context.get("reason") != "not-found":
                        raise

    def add_anew(self, admin: EtcdAdmin, peer_url: str) -> Member:
        """Add a learner; one that an election left behind is taken out before."""
        self.take_out(admin, peer_url)
        return admin.add_learner([peer_url], deadline=SECONDS)


class PatientAdmin:
    """The calls of an admin that may be made twice, made again where an election cuts them off."""

    def __init__(self, admin: EtcdAdmin) -> None:
        self._admin = admin

    def put(self, key: bytes, value: bytes) -> int:
        return once_led(lambda: self._admin.put(key, value, deadline=SECONDS))

    def get(self, key: bytes) -> bytes | None:
        return once_led(lambda: self._admin.get(key, deadline=SECONDS))

    def delete(self, key: bytes) -> None:
        once_led(lambda: self._admin.delete(key, deadline=SECONDS))

    def disarm(self, alarm: Alarm) -> None:
        once_led(lambda: self._admin.disarm(alarm, deadline=SECONDS))

    def compact(self, revision: int) -> None:
        once_led(lambda: self._admin.compact(revision, deadline=SECONDS))


def as_soon_as_fit(change: Callable[[], T], *, besides: str = "") -> T:
    """Change members as soon as etcd lets us: they must have been connected for 5 s (server.go, HealthInterval).

    An election is waited out as well, and a refusal for the reason that is given `besides`.
    """
    for _ in range(200):
        try:
            return change()
        except (MemberTimeout, MemberUnreachable):
            pass
        except EtcdError as error:
            if error.context["reason"] not in ("unhealthy", besides):
                raise
        threading.Event().wait(0.25)
    raise AssertionError("the cluster never became fit for a change of its members")


def fake_rig() -> Rig:
    cluster = FakeCluster.of_three()
    clock = FakeClock()
    return Rig(
        FakeAdminConnector(cluster, now=clock.now),
        FakeEtcdConnector(cluster),
        stop=lambda index: cluster.members[index].stop(),
        pass_a_second=lambda: clock.advance(1.0),
    )


def real_rig(cluster: LocalCluster) -> Rig:
    tls = cluster.client_tls
    access = EtcdAccess(cluster.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)
    connector = GrpcEtcdConnector(access, clock=SystemClock())
    return Rig(
        connector,
        connector,
        stop=lambda index: cluster.members[index].kill(),
        pass_a_second=lambda: threading.Event().wait(1.0),
    )


class EtcdAdminSuite:
    """Tests that leave the cluster as it was; those that break it are in the heirs' own."""

    def test_written_key_is_read_and_deleted(self, rig: Rig) -> None:
        """A write has a revision, and the next one a higher one."""
        with rig.patient_admin() as admin:
            first = admin.put(b"/admin/a", b"1")
            second = admin.put(b"/admin/a", b"2")

            assert second > first
            assert admin.get(b"/admin/a") == b"2"
            admin.delete(b"/admin/a")
            admin.delete(b"/admin/a")
            assert admin.get(b"/admin/a") is None

    def test_keys_are_counted(self, rig: Rig) -> None:
        """Only living keys count."""
        with rig.admin() as admin, rig.patient_admin() as writer:
            before = admin.count_keys(deadline=SECONDS)
            for name in (b"/count/a", b"/count/b", b"/count/c"):
                writer.put(name, b"x")
            writer.delete(b"/count/b")

            assert admin.count_keys(deadline=SECONDS) == before + 2
            for name in (b"/count/a", b"/count/c"):
                writer.delete(name)

    def test_future_revision_cannot_be_counted(self, rig: Rig) -> None:
        """It does not exist yet."""
        with rig.admin() as admin, pytest.raises(RevisionUnavailable):
            admin.count_keys(revision=1 << 40, deadline=SECONDS)

    def test_sampled_keys_are_the_stored_messages(self, rig: Rig) -> None:
        """Missing ones are left out; the message begins with the key (field 1)."""
        with rig.admin() as admin, rig.patient_admin() as writer:
            writer.put(b"/sample/a", b"value")

            found = admin.sample_keys([b"/sample/a", b"/sample/none"], revision=0, deadline=SECONDS)

            assert list(found) == [b"/sample/a"]
            assert found[b"/sample/a"].startswith(b"\x0a\x09/sample/a")
            writer.delete(b"/sample/a")

    def test_learner_is_added_once_and_removed(self, rig: Rig) -> None:
        """It has no name before it starts, and cannot be promoted while it lags."""
        before = rig.member_ids()
        with rig.admin() as admin:
            learner = as_soon_as_fit(lambda: rig.add_anew(admin, NEW_PEER), besides="id-removed")

            assert (learner.name, learner.is_learner, learner.peer_urls) == ("", True, (NEW_PEER,))
            assert learner.id in rig.member_ids()
            with pytest.raises(EtcdError) as again:
                as_soon_as_fit(lambda: admin.add_learner([NEW_PEER], deadline=SECONDS))
            assert again.value.context["reason"] == "exists"
            with pytest.raises(EtcdError) as early:
                as_soon_as_fit(lambda: admin.promote(learner.id, deadline=SECONDS))
            assert early.value.context["reason"] == "not-ready"
            as_soon_as_fit(lambda: rig.take_out(admin, NEW_PEER))
            assert rig.member_ids() == before

    def test_member_that_is_removed_and_added_within_a_second_is_refused_until_the_next(self, rig: Rig) -> None:
        """etcd makes a new member's id of its URLs and the second, and says "member not found" of a removed one."""

        def come_and_go() -> None:
            learner = rig.add_anew(admin, PEER_THAT_RETURNS)
            admin.remove_member(learner.id, deadline=SECONDS)

        def come_and_go_again_and_again() -> None:
            for _ in range(100):
                as_soon_as_fit(come_and_go)

        with rig.admin() as admin:
            with pytest.raises(EtcdError) as refusal:
                come_and_go_again_and_again()
            rig.pass_a_second()

            as_soon_as_fit(come_and_go)

        assert refusal.value.context["reason"] == "id-removed"

    def test_voter_cannot_be_promoted(self, rig: Rig) -> None:
        """It votes already: whoever resumes a recovery must be able to tell."""
        with rig.admin() as admin, pytest.raises(EtcdError) as caught:
            as_soon_as_fit(lambda: admin.promote(rig.member_ids()[0], deadline=SECONDS))

        assert caught.value.context["reason"] == "not-learner"

    def test_unknown_member_is_said_to_be_unknown(self, rig: Rig) -> None:
        """Removed already, when a recovery is resumed."""
        with rig.admin() as admin, pytest.raises(EtcdError) as caught:
            as_soon_as_fit(lambda: admin.remove_member(0xDEADBEEF, deadline=SECONDS))

        assert caught.value.context["reason"] == "not-found"

    def test_alarm_that_is_not_raised_is_taken_back_in_vain(self, rig: Rig) -> None:
        """Success either way."""
        with rig.patient_admin() as admin:
            admin.disarm(Alarm(rig.member_ids()[0], "NOSPACE"))

        assert rig.alarms() == ()

    def test_compacting_twice_is_success(self, rig: Rig) -> None:
        """A revision of the future is none to compact at."""
        with rig.patient_admin() as admin:
            revision = admin.put(b"/compact/a", b"1")

            admin.compact(revision)
            admin.compact(revision)
            with pytest.raises(RevisionUnavailable) as caught:
                admin.compact(revision + (1 << 40))

            assert caught.value.context["reason"] == "future"
            admin.delete(b"/compact/a")

    def test_defragmented_member_serves_on(self, rig: Rig) -> None:
        """It returns when the database is rewritten."""
        with rig.admin(1) as admin:
            admin.defragment(deadline=SECONDS)

            assert admin.count_keys(deadline=SECONDS) >= 0

    def test_closed_connection_says_so(self, rig: Rig) -> None:
        """Closing twice is safe."""
        with rig.admin() as admin:
            admin.close()

            with pytest.raises(EtcdError) as caught:
                admin.get(b"x", deadline=SECONDS)

        assert caught.value.context["reason"] == "closed"


class EtcdAdminLossSuite:
    """What happens when members are lost; each test breaks a cluster of its own."""

    def test_member_that_is_down_is_unreachable(self, broken: Rig) -> None:
        """As for every other call."""
        broken.stop(2)

        with broken.admin(2) as admin, pytest.raises(MemberUnreachable):
            admin.put(b"a", b"b", deadline=SECONDS)

    def test_without_quorum_writes_time_out_and_local_reads_do_not(self, broken: Rig) -> None:
        """A drill and a survivor count keys alone."""
        broken.stop(1)
        broken.stop(2)

        with broken.admin(0) as admin:
            with pytest.raises(MemberTimeout):
                admin.put(b"a", b"b", deadline=1.0)
            assert admin.count_keys(deadline=SECONDS) >= 0


class TestFakeAdmin(EtcdAdminSuite, EtcdAdminLossSuite):
    @pytest.fixture
    def rig(self) -> Rig:
        return fake_rig()

    @pytest.fixture
    def broken(self) -> Rig:
        return fake_rig()


class TestGrpcAdmin(EtcdAdminSuite):
    @pytest.fixture
    def rig(self, shared_cluster: LocalCluster) -> Rig:
        return real_rig(shared_cluster)


class TestGrpcAdminLosses(EtcdAdminLossSuite):
    @pytest.fixture
    def broken(self, fresh_cluster: Callable[..., LocalCluster]) -> Rig:
        return real_rig(fresh_cluster())


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestGrpcAdminOverEveryEtcd(TestGrpcAdmin):
    """The same over each version at hand."""


def test_alarm_that_is_raised_is_taken_back(fresh_cluster: Callable[..., LocalCluster]) -> None:
    """A member that is full refuses writes until its space is free and its alarm is gone."""
    cluster = fresh_cluster(size=1, quota_bytes=1 << 20)
    rig = real_rig(cluster)
    with rig.admin() as admin:
        revision = fill(admin)
        [alarm] = rig.alarms()

        admin.compact(revision, deadline=SECONDS)
        admin.defragment(deadline=SECONDS)
        admin.disarm(alarm, deadline=SECONDS)

        assert rig.alarms() == ()
        assert admin.put(b"/again", b"1", deadline=SECONDS) > revision


def fill(admin: EtcdAdmin) -> int:
    """Write over one key until the member is full, and return the last revision that went through."""
    revision = 0
    for _ in range(200):
        try:
            revision = admin.put(b"/big", bytes(100_000), deadline=SECONDS)
        except EtcdError as error:
            if error.context["reason"] != "no-space":
                raise
            return revision
    raise AssertionError("it never got full")


def test_learner_that_caught_up_is_promoted(fresh_cluster: Callable[..., LocalCluster]) -> None:
    """The way a member is replaced."""
    cluster = fresh_cluster(size=1)
    learner = cluster.add_learner()
    rig = real_rig(cluster)
    with rig.admin() as admin, contextlib.closing(rig.members_of.connect(learner.endpoint)) as new:
        member_id = new.status(deadline=SECONDS).member_id
        as_soon_as_fit(lambda: admin.promote(member_id, deadline=SECONDS), besides="not-ready")
        for _ in range(300):  # the leader has promoted it; it hears of that itself a moment later
            if not new.status(deadline=SECONDS).is_learner:
                break
            threading.Event().wait(0.1)

        assert not new.status(deadline=SECONDS).is_learner
