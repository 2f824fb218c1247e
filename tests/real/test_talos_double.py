"""What the double of a Talos control plane promises: transport, roles, routing, services, files, resources.

The texts are Talos' own; where a test quotes one, a user of the real thing sees the same.
"""

from __future__ import annotations

import base64
import gzip
import io
import socket
import ssl
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError

from etcd_dr.adapters.talos.proto import machine_pb2, state_pb2
from real.peers.talos import Caller, TalosDouble, TalosRelease
from real.peers.talos.machine_config import SECRET_TOKEN
from real.peers.talos.pki import Authority
from real.peers.talos.roles import ETCD_BACKUP, OPERATOR, READER, may_call

BACKUP_ONLY = frozenset({ETCD_BACKUP})


def refused(call: Callable[[], object]) -> tuple[Status, str]:
    """Return the status and the words that a call is refused with."""
    with pytest.raises(GRPCError) as caught:
        call()
    return caught.value.status, caught.value.message or ""


@pytest.mark.parametrize(
    ("release", "reads"),
    [("1.9.5", False), ("1.9.6", True), ("1.10.0", False), ("1.10.1", True), ("1.13.9", True)],
)
def test_backup_role_reads_the_status_in_later_releases_only(release: str, reads: bool) -> None:
    """Which releases let os:etcd:backup do more than take a snapshot (talos#10821)."""
    talos = TalosRelease.parse(release)

    assert may_call("EtcdSnapshot", BACKUP_ONLY, release=talos)
    assert may_call("EtcdStatus", BACKUP_ONLY, release=talos) is reads
    assert not may_call("Version", BACKUP_ONLY, release=talos)


def test_roles_come_from_the_certificate(shared_talos: TalosDouble) -> None:
    """A role opens the calls of its row and no other; without one nothing is open."""
    backup, reader, nobody = (shared_talos.caller(roles=roles) for roles in ((ETCD_BACKUP,), (READER,), ()))
    denied = (Status.PERMISSION_DENIED, "not authorized")

    assert backup.content("EtcdSnapshot")
    assert backup.call("EtcdMemberList").messages
    assert refused(lambda: backup.call("Version")) == denied
    assert refused(lambda: reader.content("EtcdSnapshot")) == denied
    assert reader.call("Version").messages[0].version.tag == "v1.13.9"
    assert refused(lambda: nobody.call("Version")) == denied
    assert refused(lambda: shared_talos.caller(roles=(OPERATOR,)).call("Bootstrap")) == denied


@pytest.mark.parametrize("fault", ["expired", "other cluster"])
def test_a_certificate_that_does_not_hold_ends_the_handshake(shared_talos: TalosDouble, fault: str) -> None:
    """An expired certificate, and one of another authority, get no gRPC status at all."""
    past = datetime.now(UTC) - timedelta(minutes=1)
    if fault == "expired":
        config = shared_talos.talosconfig("expired", valid_from=past - timedelta(hours=1), valid_until=past)
    else:
        validity = {"valid_from": past, "valid_until": past + timedelta(days=1)}
        config = shared_talos.talosconfig("other", authority=Authority("other", is_ed25519=True, **validity))
    caller = Caller(config, shared_talos.addresses[0])

    with pytest.raises((ssl.SSLError, StreamTerminatedError, OSError)):
        caller.call("Version", seconds=5)


def test_node_metadata_says_who_answers(shared_talos: TalosDouble) -> None:
    """`node` passes a call on to one node, with the caller's roles; two values are refused."""
    first, second, third = shared_talos.addresses
    caller = shared_talos.caller()
    backup = shared_talos.caller(roles=(ETCD_BACKUP,))

    assert caller.call("Hostname").messages[0].hostname == "talos-1"
    assert caller.call("Hostname", node=first).messages[0].hostname == "talos-1"
    assert caller.call("Hostname", node=third).messages[0].hostname == "talos-3"
    assert refused(lambda: backup.call("Hostname", node=second)) == (Status.PERMISSION_DENIED, "not authorized")
    status, message = refused(lambda: caller.call("Hostname", node=f"{first},{second}"))
    assert (status, message) == (Status.INVALID_ARGUMENT, "node metadata must be single-valued")


def test_nodes_metadata_puts_failures_into_a_good_answer(shared_talos: TalosDouble) -> None:
    """`nodes` answers for each of them, and a node that is not there is an entry with an error, not an error."""
    first, second, _ = shared_talos.addresses
    caller = shared_talos.caller()

    answers = caller.call("Hostname", nodes=f"{first},{second},127.1.1.1").messages
    parts = caller.stream("EtcdSnapshot", nodes=second)

    assert [answer.hostname for answer in answers] == ["talos-1", "talos-2", ""]
    assert [answer.metadata.hostname for answer in answers] == [first, second, "127.1.1.1"]
    assert answers[2].metadata.status.code == Status.UNAVAILABLE.value
    assert {part.metadata.hostname for part in parts} == {second}
    request = state_pb2.GetRequest(namespace="config", type="MachineTypes.config.talos.dev", id="machine-type")
    status, _ = refused(lambda: caller.call("Get", request, service="state", nodes=f"{first},{second}"))
    assert status is Status.INVALID_ARGUMENT


def test_workers_pass_nothing_on_and_have_no_etcd(talos_double: Callable[..., TalosDouble]) -> None:
    """A worker answers for itself, says of etcd that it is elsewhere, and refuses to forward."""
    double = talos_double(nodes=2, machine_types={1: "worker"})
    worker = double.caller(double.machines[1])

    assert worker.resource("MachineTypes.config.talos.dev", "machine-type", namespace="config") == "worker"
    assert "etcd" not in {service.id for service in worker.call("ServiceList").messages[0].services}
    unimplemented = Status.UNIMPLEMENTED
    assert refused(lambda: worker.call("EtcdStatus")) == (
        unimplemented,
        "etcd status is only available on control plane nodes",
    )
    assert refused(lambda: worker.call("Bootstrap")) == (
        unimplemented,
        "bootstrap is only available on control plane nodes",
    )
    status, message = refused(lambda: worker.call("Hostname", node=double.addresses[0]))
    assert (status, message) == (Status.PERMISSION_DENIED, "no request forwarding")


def test_snapshot_comes_in_kilobytes_with_its_checksum(shared_talos: TalosDouble) -> None:
    """Messages carry 1024 bytes, the last one less, and the whole is a database and 32 bytes."""
    parts = shared_talos.caller().stream("EtcdSnapshot")

    sizes = {len(part.bytes) for part in parts[:-1]}
    assert sizes <= {1024, 32}
    assert sum(len(part.bytes) for part in parts) % 512 == 32


def test_status_and_members_are_the_real_ones(shared_talos: TalosDouble) -> None:
    """What etcd itself says is what the machine API passes on, the storage version of 3.5 made up."""
    caller = shared_talos.caller()

    status = caller.call("EtcdStatus").messages[0].member_status
    members = caller.call("EtcdMemberList", machine_pb2.EtcdMemberListRequest(query_local=True)).messages[0].members

    assert {member.id for member in members} == {member.ID for member in shared_talos.members()}
    assert {member.hostname for member in members} == {"talos-1", "talos-2", "talos-3"}
    assert status.member_id in {member.id for member in members}
    assert status.protocol_version == shared_talos.settings.binaries.version
    assert status.storage_version.count(".") == 2
    assert caller.call("EtcdAlarmList").messages[0].member_alarms == []


def test_services_are_listed_with_their_history(talos_double: Callable[..., TalosDouble]) -> None:
    """A healthy etcd tells the whole way it came, and its health; a node alone has no elections to tell of."""
    caller = talos_double(nodes=1).caller()
    services = {service.id: service for service in caller.call("ServiceList").messages[0].services}

    etcd = services["etcd"]
    told = [(event.state, event.msg) for event in etcd.events.events]
    assert told[0] == ("Starting", "Starting service")
    assert told[-1] == ("Running", "Health check successful")
    assert ("Preparing", "Running pre state") in told
    assert ("Preparing", "Creating service runner") in told
    assert etcd.state == "Running"
    assert etcd.health.healthy
    assert not etcd.health.unknown
    assert {"apid", "cri", "kubelet", "machined", "trustd"} <= set(services)


@pytest.mark.parametrize("operation", ["ServiceRestart", "ServiceStop"])
def test_etcd_cannot_be_stopped_through_the_api(shared_talos: TalosDouble, operation: str) -> None:
    """Only kubelet can be; starting what runs already is fine; what is not defined is said to be so."""
    caller = shared_talos.caller()
    verb = operation.removeprefix("Service").lower()
    request = getattr(machine_pb2, f"{operation}Request")

    assert refused(lambda: caller.call(operation, request(id="etcd"))) == (
        Status.UNKNOWN,
        f'service "etcd" doesn\'t support {verb} operation via API',
    )
    caller.call("ServiceStart", machine_pb2.ServiceStartRequest(id="etcd"))
    status, message = refused(lambda: caller.call("ServiceStart", machine_pb2.ServiceStartRequest(id="x")))
    assert (status, message) == (Status.UNKNOWN, 'service "x" not defined')


def test_files_are_read_copied_and_listed(shared_talos: TalosDouble) -> None:
    """Read gives a file as it is, Copy a gzipped tar of it, List what lies there; errors keep their codes."""
    caller = shared_talos.caller()
    database = "/var/lib/etcd/member/snap/db"

    boot_id = caller.content("Read", machine_pb2.ReadRequest(path="/proc/sys/kernel/random/boot_id")).decode().strip()
    archive = gzip.decompress(caller.content("Copy", machine_pb2.CopyRequest(root_path=database)))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
    listed = caller.stream("List", machine_pb2.ListRequest(root="/var/lib/etcd", recurse=True))

    assert boot_id == shared_talos.machines[0].boot_id
    assert names == ["db"]
    assert {"member", "member/snap/db", "member/wal"} <= {entry.relative_name for entry in listed}
    assert listed[0].is_dir
    read = lambda path: refused(lambda: caller.content("Read", machine_pb2.ReadRequest(path=path)))  # noqa: E731
    assert read("/nothing") == (Status.NOT_FOUND, "stat /nothing: no such file or directory")
    assert read("/var/lib") == (Status.UNKNOWN, "path must be a regular file")
    missing = refused(lambda: caller.stream("List", machine_pb2.ListRequest(root="/nothing")))
    assert missing == (Status.UNKNOWN, "lstat /nothing: no such file or directory")
    relative = refused(lambda: caller.content("Copy", machine_pb2.CopyRequest(root_path="x")))
    assert relative == (Status.UNKNOWN, "path is not absolute x")


def test_resources_tell_what_the_node_is(talos_double: Callable[..., TalosDouble]) -> None:
    """The types of a recovery are there, under the names and with the fields that Talos gives them.

    Some of them only while etcd is healthy: a node alone is never without a leader.
    """
    double = talos_double(nodes=1)
    caller = double.caller(roles=(READER,))
    [machine] = double.machines

    member = caller.resource("EtcdMembers.etcd.talos.dev", "local", namespace="etcd")
    spec = caller.resource("EtcdSpecs.etcd.talos.dev", "etcd", namespace="etcd")
    status = caller.resource("MachineStatuses.runtime.talos.dev", "machine", namespace="runtime")

    assert int(member["memberID"], 16) in {each.ID for each in double.members()}
    assert len(member["memberID"]) == 16
    assert (spec["name"], spec["advertisedAddresses"]) == (machine.hostname, [machine.address])
    assert status == {"stage": "running", "status": {"ready": True, "unmetConditions": []}}
    assert caller.resource("TimeStatuses.v1alpha1.talos.dev", "node", namespace="runtime")["synced"]
    assert caller.resource("VolumeStatuses.block.talos.dev", "ETCD", namespace="runtime")["type"] == "directory"
    request = state_pb2.ListRequest(namespace="cluster", type="Members.cluster.talos.dev")
    assert len(caller.stream("List", request, service="state")) == 1


def test_resources_are_guarded(shared_talos: TalosDouble) -> None:
    """The machine configuration is for admins, aliases are not known, and what is missing is NotFound."""
    admin, reader = shared_talos.caller(), shared_talos.caller(roles=(READER,))
    kind = "MachineConfigs.config.talos.dev"

    assert SECRET_TOKEN in admin.resource(kind, "v1alpha1", namespace="config")
    read = lambda kind, name: refused(lambda: reader.resource(kind, name, namespace="config"))  # noqa: E731
    assert read(kind, "v1alpha1") == (Status.PERMISSION_DENIED, "not authorized")
    assert read("machinetype", "x") == (Status.PERMISSION_DENIED, 'resource type "machinetype" is not supported')
    assert read("MachineTypes.config.talos.dev", "x")[0] is Status.NOT_FOUND


def test_events_follow_what_happens(talos_double: Callable[..., TalosDouble]) -> None:
    """The stream begins with an empty event, then tells the past that was asked for."""
    double = talos_double(nodes=1)

    first, second = double.caller().until_it_stops("Events", machine_pb2.EventsRequest(tail_events=-1), parts=2)

    assert first.data.type_url == ""
    assert second.data.type_url.startswith("talos/runtime/machine.")


def test_logs_are_those_of_etcd(shared_talos: TalosDouble) -> None:
    """The log of etcd is etcd's own, whole or its last lines; what has no log is refused."""
    caller = shared_talos.caller(roles=(READER,))

    # In this order, since etcd may write between the two: what was the end is in the whole of later.
    tail = caller.content("Logs", machine_pb2.LogsRequest(namespace="system", id="etcd", tail_lines=2))
    log = caller.content("Logs", machine_pb2.LogsRequest(namespace="system", id="etcd", tail_lines=-1))

    assert log.startswith(b"{")
    assert tail in log
    assert len(tail.splitlines()) == 2
    request = machine_pb2.LogsRequest(namespace="system", id="nothing")
    assert refused(lambda: caller.content("Logs", request)) == (Status.UNKNOWN, 'log "nothing" was not registered')


def test_a_talosconfig_is_as_talosctl_writes_it(shared_talos: TalosDouble) -> None:
    """The key's header is Talos' own, endpoints have no port, and the file is for its owner only."""
    path = shared_talos.talosconfig("looked-at")

    config = yaml.safe_load(path.read_text())
    context = config["contexts"][config["context"]]
    assert path.stat().st_mode & 0o777 == 0o600
    assert context["endpoints"] == shared_talos.addresses
    assert base64.b64decode(context["key"]).startswith(b"-----BEGIN ED25519 PRIVATE KEY-----")


def test_other_ports_of_a_control_plane_answer(shared_talos: TalosDouble) -> None:
    """trustd and the API server shake hands, each with a certificate of its own authority."""
    context = ssl.create_default_context(cadata=shared_talos.kubernetes_authority.certificate.decode())
    address = shared_talos.addresses[0]

    with socket.create_connection((address, 6443)) as plain, context.wrap_socket(plain, server_hostname=address) as tls:
        version = tls.version()

    assert version == "TLSv1.3"
    with socket.create_connection((address, 50001)) as plain:
        assert plain.getpeername() == (address, 50001)
