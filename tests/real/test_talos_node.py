"""One node's calls over the adapter: what a doctor and a recovery build on."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.adapters.talos.fleet import TalosAccess, TalosNodes
from etcd_dr.adapters.talos.node import GrpclibTalosNode
from etcd_dr.domain.talos import (
    BOOT_ID_FILE,
    DATA_DIRECTORY,
    DATABASE_FILE,
    ETCD_SPEC,
    MACHINE_CONFIG,
    MACHINE_TYPE,
    ResourceKind,
    ServiceReport,
)
from etcd_dr.errors import AccessDenied, Cancelled, EtcdError, MemberTimeout, MemberUnreachable, TlsRefused
from real.peers.etcd_tools import StockTools
from real.peers.talos import TalosDouble
from real.peers.talos.pki import Authority
from real.peers.talos.roles import ADMIN, READER
from real.peers.talos.talosconfig import write_talosconfig

MakeDouble = Callable[..., TalosDouble]
T = TypeVar("T")
SECONDS = 10.0
SETTLED_SECONDS = 40.0


def fleet(double: TalosDouble, *roles: str) -> TalosNodes:
    config = double.talosconfig("-".join(roles).replace(":", "_"), roles=roles, nodes=double.addresses)
    return TalosNodes(TalosAccess(config_file=config), clock=SystemClock())


@pytest.fixture
def node(shared_talos: TalosDouble) -> Iterator[GrpclibTalosNode]:
    """An administrator's connection to the first node of three."""
    nodes = fleet(shared_talos, ADMIN)
    with closing(nodes.open(nodes.nodes()[0])) as opened:
        yield opened
    shared_talos.machines[0].faults.hanging_calls.clear()


def healthy_etcd_of(node: GrpclibTalosNode) -> ServiceReport:
    """Return what is said of etcd once it is healthy, which an election puts off, or the last in time."""
    ends = time.monotonic() + SETTLED_SECONDS
    while True:
        found = next(service for service in node.services(deadline=SECONDS) if service.id == "etcd")
        if found.is_healthy or time.monotonic() > ends:
            return found
        time.sleep(0.1)


def as_soon_as_led(ask: Callable[[], T]) -> T:
    """Ask, and again while etcd says that it elects a leader."""
    ends = time.monotonic() + SETTLED_SECONDS
    while True:
        try:
            return ask()
        except EtcdError as error:
            detail = str(error.context.get("detail"))
            if not ("etcdserver: " in detail or "proposal dropped" in detail) or time.monotonic() > ends:
                raise
        time.sleep(0.1)


def hanging_call(node: GrpclibTalosNode, double: TalosDouble) -> tuple[threading.Thread, list[EtcdError]]:
    """Return a thread whose call has come in and hangs for up to a minute, and where its error will be."""
    faults = double.machines[0].faults
    before = len(faults.calls_that_hang)
    faults.hanging_calls.add("EtcdStatus")
    raised: list[EtcdError] = []

    def ask() -> None:
        try:
            node.etcd_status(deadline=60.0)
        except EtcdError as error:
            raised.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    double.wait_until(lambda: len(faults.calls_that_hang) > before)
    return waiting, raised


def test_what_a_node_says_of_itself(node: GrpclibTalosNode) -> None:
    """Every question of the doctor, answered."""
    spec = node.resource(ETCD_SPEC, "etcd", deadline=SECONDS)

    assert node.version(deadline=SECONDS).numbers == (1, 13, 9)
    assert healthy_etcd_of(node).is_healthy is True
    assert spec is not None
    assert spec.spec["name"] == "talos-1"
    assert [entry.name for entry in node.list_directory(DATA_DIRECTORY, deadline=SECONDS) or ()] == ["member"]
    assert node.mounts(deadline=SECONDS)
    assert abs(node.local_time(deadline=SECONDS).timestamp() - time.time()) < SECONDS
    assert node.read_file(BOOT_ID_FILE, limit_bytes=100, deadline=SECONDS)
    assert len(as_soon_as_led(lambda: node.etcd_members(local=False, deadline=SECONDS))) == 3
    assert as_soon_as_led(lambda: node.etcd_alarms(deadline=SECONDS)) == ()
    assert '"caller"' in node.logs("etcd", lines=20, deadline=SECONDS)


def test_what_is_not_there_is_none(node: GrpclibTalosNode) -> None:
    """A missing directory, a missing resource, a type that this release does not have."""
    unknown = ResourceKind("config", "Nothings.config.talos.dev")

    assert node.list_directory("/var/lib/nothing", deadline=SECONDS) is None
    assert node.resource(MACHINE_TYPE, "other", deadline=SECONDS) is None
    assert node.resource(unknown, "x", deadline=SECONDS) is None
    assert node.resources(unknown, deadline=SECONDS) == ()


def test_reader_is_told_that_configurations_are_for_administrators(shared_talos: TalosDouble) -> None:
    """The role is named, though os:reader may read other resources by the same call."""
    nodes = fleet(shared_talos, READER)

    with closing(nodes.open(nodes.nodes()[0])) as node, pytest.raises(AccessDenied) as raised:
        node.resource(MACHINE_CONFIG, "v1alpha1", deadline=SECONDS)

    assert raised.value.context["needed_role"] == "os:admin"


def test_call_that_hangs_ends_at_its_deadline(node: GrpclibTalosNode, shared_talos: TalosDouble) -> None:
    """Talos waits for etcd for ever; we do not."""
    shared_talos.machines[0].faults.hanging_calls.add("EtcdStatus")
    begun = time.monotonic()

    with pytest.raises(MemberTimeout):
        node.etcd_status(deadline=0.4)

    assert time.monotonic() - begun < 10  # the double would hang for ever


def test_other_calls_go_on_beside_one_that_hangs(node: GrpclibTalosNode, shared_talos: TalosDouble) -> None:
    """One connection, several threads."""
    hanging, raised = hanging_call(node, shared_talos)

    assert node.version(deadline=SECONDS).tag
    assert hanging.is_alive()
    node.close()
    hanging.join(20)
    assert raised


def test_close_ends_what_waits(node: GrpclibTalosNode, shared_talos: TalosDouble) -> None:
    """And whoever asks afterwards is told."""
    waiting, raised = hanging_call(node, shared_talos)

    node.close()
    waiting.join(20)

    assert [error.context["reason"] for error in raised] == ["closed"]
    with pytest.raises(EtcdError):
        node.version(deadline=1.0)


def test_stream_that_is_left_early_is_cancelled(node: GrpclibTalosNode) -> None:
    """And iterating again raises Cancelled, as the port has it."""
    with node.read_stream(DATABASE_FILE, stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
        first = next(iter(stream))

    assert first.blob
    with pytest.raises(Cancelled):
        next(iter(stream))


def test_stream_has_a_total_deadline(node: GrpclibTalosNode, shared_talos: TalosDouble) -> None:
    """Besides the one for silences."""
    shared_talos.machines[0].faults.snapshot_stalls_at = 4096

    try:
        with (
            node.snapshot(stall_deadline=SECONDS, total_deadline=0.5) as stream,
            pytest.raises(MemberTimeout) as raised,
        ):
            list(stream)
    finally:
        shared_talos.machines[0].faults.snapshot_stalls_at = None

    assert raised.value.context["reason"] == "deadline"


def test_node_that_is_off_is_unreachable(talos_double: MakeDouble) -> None:
    """At once, where its address still refuses."""
    double = talos_double(nodes=1)
    nodes = fleet(double, ADMIN)
    double.switch_off(double.machines[0])

    with closing(nodes.open(nodes.nodes()[0])) as node, pytest.raises(MemberUnreachable):
        node.version(deadline=SECONDS)


def test_certificate_of_another_authority_is_refused_by_the_node(shared_talos: TalosDouble, tmp_path: Path) -> None:
    """We know the node, and the node does not know us: the authority is named, and nothing is asked again."""
    now = datetime.now(UTC)
    other = Authority(
        "talos", is_ed25519=True, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1)
    )
    config = write_talosconfig(
        tmp_path / "foreign",
        context="foreign",
        ca=shared_talos.authority.certificate,
        pair=other.issue("", organizations=(ADMIN,)),
        endpoints=shared_talos.endpoints,
        nodes=shared_talos.addresses,
    )
    nodes = TalosNodes(TalosAccess(config_file=config), clock=SystemClock())

    with closing(nodes.open(nodes.nodes()[0])) as node, pytest.raises(TlsRefused) as raised:
        node.version(deadline=SECONDS)

    assert raised.value.context["reason"] == "client-authority"
    assert not raised.value.retryable


def test_talosconfig_is_read_for_each_connection(shared_talos: TalosDouble) -> None:
    """The one in a pod is replaced every few hours."""
    config = shared_talos.talosconfig("renewed", roles=(READER,), nodes=shared_talos.addresses)
    nodes = TalosNodes(TalosAccess(config_file=config), clock=SystemClock())
    with closing(nodes.open(nodes.nodes()[0])) as before, pytest.raises(AccessDenied):
        before.read_file(BOOT_ID_FILE, limit_bytes=100, deadline=SECONDS)

    shared_talos.talosconfig("renewed", roles=(ADMIN,), nodes=shared_talos.addresses)

    with closing(nodes.open(nodes.nodes()[0])) as after:
        assert after.read_file(BOOT_ID_FILE, limit_bytes=100, deadline=SECONDS)


def test_reset_never_goes_without_labels(node: GrpclibTalosNode) -> None:
    """An empty list means the whole disk to Talos."""
    with pytest.raises(AssertionError):
        node.reset([], deadline=SECONDS)


def test_bootstrap_of_a_cluster_that_is_there_is_told_apart(node: GrpclibTalosNode) -> None:
    """AlreadyExists is a reason that a program can read."""
    with pytest.raises(EtcdError) as raised:
        node.bootstrap(recover=False, deadline=SECONDS)

    assert raised.value.context["reason"] == "already-exists"


def test_one_node_is_wiped_and_brought_back(talos_double: MakeDouble, tmp_path: Path) -> None:
    """Snapshot, reset, upload, bootstrap, and the events that tell: the calls that a recovery is made of."""
    double = talos_double(nodes=1)
    nodes = fleet(double, ADMIN)
    address = nodes.nodes()[0]
    with closing(nodes.open(address)) as node:
        with node.snapshot(stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
            snapshot = b"".join(chunk.blob for chunk in stream)
        boot_id = node.read_file(BOOT_ID_FILE, limit_bytes=100, deadline=SECONDS)

        actor = node.reset(["EPHEMERAL"], deadline=SECONDS)
    double.wait_for_state(double.machines[0], "Preparing")

    with closing(nodes.open(address)) as node:
        assert actor
        assert node.read_file(BOOT_ID_FILE, limit_bytes=100, deadline=SECONDS) != boot_id
        assert not node.list_directory(DATA_DIRECTORY, deadline=SECONDS)
        node.upload_snapshot([snapshot], deadline=SECONDS)
        node.bootstrap(recover=True, deadline=SECONDS)
        double.wait_until_healthy()
        assert healthy_etcd_of(node).is_healthy
        with node.events(tail=-1, stall_deadline=SECONDS, total_deadline=SECONDS) as events:
            assert any("etcd" in event.text for event, _ in zip(events, range(200), strict=False))


def test_snapshot_with_a_bumped_revision_is_taken(
    talos_double: MakeDouble, tmp_path: Path, stock_tools: StockTools
) -> None:
    """What docs/talos.md says for doing it by hand: etcdutl bumps the revision before the upload, since Talos does not."""
    double = talos_double(nodes=1)
    nodes = fleet(double, ADMIN)
    plain, restored = tmp_path / "plain.db", tmp_path / "restored"
    with closing(nodes.open(nodes.nodes()[0])) as node:
        with node.snapshot(stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
            plain.write_bytes(b"".join(chunk.blob for chunk in stream))
        node.reset(["EPHEMERAL"], deadline=SECONDS)
    bump = ("--bump-revision", "1000000000", "--mark-compacted")
    stock_tools.etcdutl("snapshot", "restore", plain, "--data-dir", restored, *bump)
    database = (restored / "member" / "snap" / "db").read_bytes()
    double.wait_for_state(double.machines[0], "Preparing")

    with closing(nodes.open(nodes.nodes()[0])) as node:
        node.upload_snapshot([database, hashlib.sha256(database).digest()], deadline=SECONDS)
        node.bootstrap(recover=True, deadline=SECONDS)
        double.wait_until_healthy()
        with node.snapshot(stall_deadline=SECONDS, total_deadline=SECONDS) as stream:
            (tmp_path / "after.db").write_bytes(b"".join(chunk.blob for chunk in stream))

    assert stock_tools.snapshot_status(tmp_path / "after.db")["revision"] >= 1_000_000_000
