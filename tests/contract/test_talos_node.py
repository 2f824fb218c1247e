"""What every Talos node promises to whoever asks it: the fake, and the real client before the double of a control plane.

A `Rig` is a control plane of three that serves, with the few things that a test does to it from outside. The double has
etcd itself behind it, so its answers are those of the real thing; what it is worth is in docs/adr/0008.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol, TypeVar

import pytest

from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.adapters.talos.fleet import TalosAccess, TalosNodes
from etcd_dr.domain.talos import (
    BOOT_ID_FILE,
    DATA_DIRECTORY,
    DATABASE_FILE,
    ETCD_SPEC,
    MACHINE_CONFIG,
    MACHINE_TYPE,
    ResourceKind,
    etcd_quota_bytes,
)
from etcd_dr.errors import AccessDenied, Cancelled, EtcdError, MemberTimeout, MemberUnreachable
from etcd_dr.ports.talos import TalosActor
from fakes.talos import FakeFleet
from real.peers.talos import TalosDouble
from real.peers.talos.roles import ADMIN, ETCD_BACKUP, OPERATOR, READER

T = TypeVar("T")
SECONDS = 10.0
UNKNOWN = ResourceKind("config", "Nothings.config.talos.dev")


class Rig(Protocol):
    """Three nodes. `open` returns a connection to the first one with these roles; the rig closes it."""

    def open(self, *roles: str) -> TalosActor: ...

    def silence(self, call: str) -> None:
        """Let the first node not answer that call any more."""
        ...

    def switch_off(self) -> None:
        """Let the first node be gone."""
        ...


class FakeRig:
    def __init__(self) -> None:
        self._fleet = FakeFleet.healthy(3)
        self._node = self._fleet[self._fleet.nodes()[0]]

    def open(self, *roles: str) -> TalosActor:
        self._node.roles = roles or (ADMIN,)
        return self._node

    def silence(self, call: str) -> None:
        self._node.fail(call, MemberTimeout("no answer"))

    def switch_off(self) -> None:
        self._node.fail("Version", MemberUnreachable("refused"))


class RealRig:
    """The adapter before the double, which serves this test alone where the test harms it."""

    def __init__(self, double: TalosDouble, stack: ExitStack) -> None:
        self._double = double
        self._stack = stack

    def open(self, *roles: str) -> TalosActor:
        kept = roles or (ADMIN,)
        config = self._double.talosconfig("-".join(kept).replace(":", "_"), roles=kept, nodes=self._double.addresses)
        nodes = TalosNodes(TalosAccess(config_file=config), clock=SystemClock())
        node = nodes.open(nodes.nodes()[0])
        self._stack.callback(node.close)
        return node

    def silence(self, call: str) -> None:
        calls = self._double.machines[0].faults.hanging_calls
        calls.add(call)
        self._stack.callback(calls.discard, call)

    def switch_off(self) -> None:
        self._double.switch_off(self._double.machines[0])


def _begin_snapshot(node: TalosActor) -> None:
    with node.snapshot(stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
        next(iter(stream))


def _as_soon_as_led(ask: Callable[[], T]) -> T:
    """Ask, and again while etcd says that it elects a leader, which it may do at any moment.

    It refuses changes of members as `unhealthy cluster` until its peers were connected for some seconds, too (server.go,
    isConnectedToQuorumSince).
    """
    until = time.monotonic() + 60
    while True:
        try:
            return ask()
        except MemberTimeout:
            if time.monotonic() > until:
                raise
        except EtcdError as error:
            if not _may_pass(str(error.context.get("detail"))) or time.monotonic() > until:
                raise
        time.sleep(0.2)


def _may_pass(detail: str) -> bool:
    words = ("no leader", "leader changed", "request timed out", "proposal dropped", "unhealthy cluster")
    return any(each in detail for each in words)


def _remove(node: TalosActor, member_id: int) -> None:
    """Remove a member; where an election cut that off, it may be done all the same."""

    def remove() -> None:
        if member_id in {member.id for member in node.etcd_members(local=True, deadline=SECONDS)}:
            node.remove_member(member_id, deadline=SECONDS)

    try:
        _as_soon_as_led(remove)
    except EtcdError as error:
        if "member not found" not in str(error.context.get("detail")):
            raise


class TalosNodeContract:
    """The promises; heirs bring the fixtures `rig` and `fresh_rig`, the latter to be harmed."""

    def test_what_a_node_says_of_itself(self, rig: Rig) -> None:
        """Release, services and type."""
        node = rig.open()
        machine_type = node.resource(MACHINE_TYPE, "machine-type", deadline=SECONDS)

        assert node.version(deadline=SECONDS).numbers is not None
        assert {"etcd", "kubelet"} <= {service.id for service in node.services(deadline=SECONDS)}
        assert machine_type is not None
        assert machine_type.spec == "controlplane"
        assert any(mount.mounted_on == "/var" for mount in node.mounts(deadline=SECONDS))

    def test_status_is_of_a_member_that_is_listed(self, rig: Rig) -> None:
        """And tells neither cluster id nor revision, which Talos does not."""
        node = rig.open()
        members = _as_soon_as_led(lambda: node.etcd_members(local=True, deadline=SECONDS))
        until = time.monotonic() + 60
        while not (status := node.etcd_status(deadline=SECONDS)).leader_id and time.monotonic() < until:
            time.sleep(0.2)

        assert status.member_id in {member.id for member in members}
        assert status.leader_id in {member.id for member in members}
        assert (status.cluster_id, status.revision) == (0, 0)
        assert status.db_size_bytes > 0

    def test_member_list_is_in_order_and_the_same_through_quorum(self, rig: Rig) -> None:
        """A list is compared with others, so its order must not vary."""
        node = rig.open()
        own = _as_soon_as_led(lambda: node.etcd_members(local=True, deadline=SECONDS))

        assert [m.id for m in own] == sorted(m.id for m in own)
        assert len(own) == 3
        assert _as_soon_as_led(lambda: node.etcd_members(local=False, deadline=SECONDS)) == own

    def test_what_is_not_there_is_none(self, rig: Rig) -> None:
        """A directory, a resource, a type that this release does not have."""
        node = rig.open()

        assert node.list_directory("/var/lib/nothing", deadline=SECONDS) is None
        assert node.resource(MACHINE_TYPE, "other", deadline=SECONDS) is None
        assert node.resource(UNKNOWN, "x", deadline=SECONDS) is None
        assert node.resources(UNKNOWN, deadline=SECONDS) == ()

    def test_files_are_read_up_to_their_limit(self, rig: Rig) -> None:
        """A file that is not there is an error that says so."""
        node = rig.open()
        whole = node.read_file(BOOT_ID_FILE, limit_bytes=100, deadline=SECONDS)

        assert whole
        assert node.read_file(BOOT_ID_FILE, limit_bytes=3, deadline=SECONDS) == whole[:3]
        with pytest.raises(EtcdError):
            node.read_file("/var/lib/nothing", limit_bytes=3, deadline=SECONDS)

    def test_snapshot_ends_with_the_digest_of_what_came_before(self, rig: Rig) -> None:
        """It is all that tells a whole one from a part of it."""
        with rig.open(ETCD_BACKUP).snapshot(stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
            body = b"".join(chunk.blob for chunk in stream)

        assert hashlib.sha256(body[:-32]).digest() == body[-32:]

    def test_file_of_any_size_is_streamed(self, rig: Rig) -> None:
        """As long as the directory says it is."""
        node = rig.open()
        listed = node.list_directory(f"{DATA_DIRECTORY}/member/snap", deadline=SECONDS) or ()
        size = next(entry.size_bytes for entry in listed if entry.name.rpartition("/")[2] == "db")

        with node.read_stream(DATABASE_FILE, stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
            read = sum(len(chunk.blob) for chunk in stream)

        assert read >= size > 0

    def test_stream_that_was_left_is_cancelled(self, rig: Rig) -> None:
        """Whoever goes on with it is told."""
        with rig.open().read_stream(DATABASE_FILE, stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
            next(iter(stream))

        with pytest.raises(Cancelled):
            next(iter(stream))

    @pytest.mark.parametrize(
        ("roles", "call", "needed"),
        [
            ((READER,), lambda node: node.defragment(deadline=SECONDS), OPERATOR),
            ((READER,), lambda node: node.disarm_alarms(deadline=SECONDS), OPERATOR),
            ((READER,), lambda node: node.reboot(deadline=SECONDS), OPERATOR),
            ((OPERATOR,), lambda node: node.remove_member(1, deadline=SECONDS), ADMIN),
            ((OPERATOR,), lambda node: node.reset(["EPHEMERAL"], deadline=SECONDS), ADMIN),
            ((OPERATOR,), lambda node: node.bootstrap(recover=True, deadline=SECONDS), ADMIN),
            ((OPERATOR,), lambda node: node.upload_snapshot([b"x"], deadline=SECONDS), ADMIN),
            ((OPERATOR,), lambda node: node.read_file(BOOT_ID_FILE, limit_bytes=9, deadline=SECONDS), ADMIN),
            ((READER,), lambda node: node.resource(MACHINE_CONFIG, "v1alpha1", deadline=SECONDS), ADMIN),
            ((ETCD_BACKUP,), lambda node: node.services(deadline=SECONDS), READER),
            ((READER,), _begin_snapshot, ETCD_BACKUP),
        ],
    )
    def test_role_that_is_missing_is_named(
        self, rig: Rig, roles: tuple[str, ...], call: Callable[[TalosActor], object], needed: str
    ) -> None:
        """Nothing was done, and the error says what to ask for."""
        node = rig.open(*roles)

        with pytest.raises(AccessDenied) as raised:
            call(node)

        assert raised.value.context["needed_role"] == needed

    def test_silence_ends_at_the_deadline(self, rig: Rig) -> None:
        """Talos waits for etcd for ever; we do not."""
        node = rig.open()
        rig.silence("EtcdStatus")
        begun = time.monotonic()

        with pytest.raises(MemberTimeout):
            node.etcd_status(deadline=0.3)

        assert time.monotonic() - begun < 30  # the double would hang for ever

    def test_spec_says_the_quota(self, rig: Rig) -> None:
        """etcd's own where nothing else is said."""
        spec = rig.open().resource(ETCD_SPEC, "etcd", deadline=SECONDS)

        assert spec is not None
        assert etcd_quota_bytes(spec.spec) == 2 << 30

    def test_defragmenting_and_disarming_may_be_repeated(self, rig: Rig) -> None:
        """With os:operator; where no alarm is raised, taking all back is success."""
        node = rig.open(OPERATOR)

        for _ in range(2):
            node.defragment(deadline=SECONDS)
            _as_soon_as_led(lambda: node.disarm_alarms(deadline=SECONDS))

        assert _as_soon_as_led(lambda: node.etcd_alarms(deadline=SECONDS)) == ()
        assert node.etcd_status(deadline=SECONDS).db_size_bytes > 0

    def test_member_that_is_not_there_cannot_be_removed(self, rig: Rig) -> None:
        """etcd's own words are kept: a recovery reads them as success."""
        node = rig.open()

        with pytest.raises(EtcdError) as raised:
            _as_soon_as_led(lambda: node.remove_member(4711, deadline=SECONDS))

        assert "member not found" in str(raised.value.context["detail"])

    def test_bootstrap_beside_data_is_refused_with_its_reason(self, rig: Rig) -> None:
        """A second one would be a second cluster."""
        with pytest.raises(EtcdError) as raised:
            rig.open().bootstrap(recover=False, deadline=SECONDS)

        assert raised.value.context["reason"] == "already-exists"

    def test_reset_without_labels_is_never_sent(self, rig: Rig) -> None:
        """To Talos it would mean the whole disk."""
        with pytest.raises(AssertionError):
            rig.open().reset([], deadline=SECONDS)

    def test_closing_twice_is_closing(self, rig: Rig) -> None:
        """Whoever cleans up need not know what was cleaned up before."""
        node = rig.open()
        node.close()

        node.close()

    @pytest.mark.matrix
    def test_node_that_is_gone_is_unreachable(self, fresh_rig: Rig) -> None:
        """And no time is lost with it."""
        node = fresh_rig.open()
        fresh_rig.switch_off()

        with pytest.raises(MemberUnreachable):
            node.version(deadline=SECONDS)

    @pytest.mark.matrix
    def test_member_that_was_removed_is_listed_no_more(self, fresh_rig: Rig) -> None:
        """By its id."""
        node = fresh_rig.open()
        own = node.etcd_status(deadline=SECONDS).member_id
        members = _as_soon_as_led(lambda: node.etcd_members(local=True, deadline=SECONDS))
        other = next(m for m in members if m.id != own)

        _remove(node, other.id)

        left = _as_soon_as_led(lambda: node.etcd_members(local=True, deadline=SECONDS))
        assert other.id not in {m.id for m in left}


class TestFakeTalosNode(TalosNodeContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return FakeRig()

    @pytest.fixture
    def fresh_rig(self) -> Rig:
        return FakeRig()


class TestTalosNodeBeforeTheDouble(TalosNodeContract):
    @pytest.fixture
    def rig(self, shared_talos: TalosDouble) -> Iterator[Rig]:
        with ExitStack() as stack:
            yield RealRig(shared_talos, stack)

    @pytest.fixture
    def fresh_rig(self, talos_double: Callable[..., TalosDouble]) -> Iterator[Rig]:
        with ExitStack() as stack:
            yield RealRig(talos_double(), stack)
