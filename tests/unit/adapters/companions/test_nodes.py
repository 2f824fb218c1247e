"""Companions from nodes: what is there comes along under the node's name, what is not is told."""

from __future__ import annotations

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.companions import NodeFiles
from etcd_dr.domain.companions import CompanionLimits
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import CompanionsFacts
from etcd_dr.ports.companions import Gathered
from etcd_dr.workflows.find_missing_companions import find_missing_companions
from fakes.control_plane import FakeControlPlane

KEY, ENC = "/etc/kubernetes/pki/ca.key", "/etc/kubernetes/enc.yaml"


def plane_with_files() -> FakeControlPlane:
    plane = FakeControlPlane.of("cp1", "cp2")
    for node in plane.nodes:
        node.put_file(KEY, b"secret of " + node.name.encode(), mode=0o600, deadline=1.0)
    plane.node("cp1").put_file(ENC, b"encryption", mode=0o600, deadline=1.0)
    return plane


def gather(plane: FakeControlPlane, *, limits: CompanionLimits | None = None) -> Gathered:
    source = NodeFiles(lambda: plane, paths=[ENC], optional=[KEY, "/etc/kubernetes/super-admin.conf"])
    return source.gather(limits=limits or CompanionLimits(), cancellation=CancellationSwitch())


def facts_of(gathered: Gathered) -> CompanionsFacts:
    nothing = Digest.of_sha256(bytes(32))
    return CompanionsFacts(
        plain_digest=nothing,
        plain_size_bytes=0,
        stored_digest=nothing,
        stored_size_bytes=0,
        stages=(),
        files=tuple(file.entry for file in gathered.files),
    )


def test_each_nodes_files_carry_its_name() -> None:
    """What kubeadm may have made counts only where it is; what was named and is not there is missing."""
    found = gather(plane_with_files())

    assert {file.name: file.body for file in found.files} == {
        f"cp1{ENC}": b"encryption",
        f"cp1{KEY}": b"secret of cp1",
        f"cp2{KEY}": b"secret of cp2",
    }
    assert [(each.name, each.reason) for each in found.missing] == [(f"cp2{ENC}", "does not exist")]


def test_node_that_cannot_be_reached_is_told_and_the_others_are_read() -> None:
    """A snapshot is worth having without it."""
    plane = plane_with_files()
    plane.node("cp1").deny()

    found = gather(plane)

    assert [file.name for file in found.files] == [f"cp2{KEY}"]
    assert f"cp1{ENC}" in {each.name for each in found.missing}


def test_node_lacks_what_it_lost() -> None:
    """A new machine under the old name has none of its files; one that is denied lacks nothing that is known."""
    facts = facts_of(gather(plane_with_files()))
    fresh = FakeControlPlane.of("cp1", "cp2")
    fresh.node("cp1").put_file(KEY, b"another", mode=0o600, deadline=1.0)

    lacking = find_missing_companions(fresh, facts, deadline=1.0)
    fresh.node("cp2").deny()
    denied = find_missing_companions(fresh, facts, deadline=1.0)

    assert lacking == {"cp1": (ENC,), "cp2": (KEY,)}
    assert denied == {"cp1": (ENC,)}
    assert find_missing_companions(fresh, None, deadline=1.0) == {}
