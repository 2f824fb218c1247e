"""What a node says of itself as COSI resources (`talosctl get`), with the specification as YAML.

Only the types that a recovery or a diagnosis reads, under their full names; aliases are the client's business. Rules
of access follow internal/app/resources/access.go. Only the machine configuration and the definitions of types have a
binary specification too. Watching tells what is there and no later change.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from grpclib.const import Status

from etcd_dr.adapters.talos.proto import state_pb2
from real.peers.talos.calls import NOT_AUTHORIZED, Call, Refusal
from real.peers.talos.etcd_rpc import NotReached
from real.peers.talos.machine import STATIC_PODS, Machine
from real.peers.talos.resource_definitions import DEFINITIONS, NAMESPACES, SENSITIVE, definition
from real.peers.talos.roles import ADMIN
from real.peers.talos.service_history import timestamp

_MEMBER_ID_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """One resource as the node holds it; a `spec` of text is published as it is, anything else as YAML."""

    namespace: str
    kind: str
    id: str
    spec: object
    proto_spec: bytes = b""
    annotations: dict[str, str] = field(default_factory=dict)

    def as_message(self) -> state_pb2.Resource:
        metadata = state_pb2.Metadata(
            namespace=self.namespace,
            type=self.kind,
            id=self.id,
            version="1",
            phase="running",
            created=timestamp(time.time()),
            updated=timestamp(time.time()),
            annotations=self.annotations,
        )
        text = yaml.safe_dump(self.spec, sort_keys=False, default_flow_style=False).removesuffix("...\n")
        return state_pb2.Resource(metadata=metadata, spec=state_pb2.Spec(proto_spec=self.proto_spec, yaml_spec=text))


async def get(machine: Machine, call: Call, request: state_pb2.GetRequest) -> state_pb2.GetResponse:
    """Answer State/Get."""
    _check_access(call, request.type)
    for held in await _all(machine):
        if (held.namespace, held.kind, held.id) == (request.namespace, request.type, request.id):
            return state_pb2.GetResponse(resource=held.as_message())
    name = f"{request.type}({request.namespace}/{request.id}@undefined)"
    raise Refusal(Status.NOT_FOUND, f"resource {name} doesn't exist")


async def matching(machine: Machine, call: Call, *, namespace: str, kind: str) -> list[state_pb2.Resource]:
    """Return all resources of a type, for State/List and the beginning of State/Watch."""
    _check_access(call, kind)
    return [held.as_message() for held in await _all(machine) if (held.namespace, held.kind) == (namespace, kind)]


def _check_access(call: Call, kind: str) -> None:
    if kind not in NAMESPACES:
        raise Refusal(Status.PERMISSION_DENIED, f'resource type "{kind}" is not supported')
    if kind in SENSITIVE and ADMIN not in call.roles:
        raise Refusal(Status.PERMISSION_DENIED, NOT_AUTHORIZED)


async def _all(machine: Machine) -> list[Held]:
    return [
        *_configuration(machine),
        *await _etcd(machine),
        *_runtime(machine),
        *_cluster(machine),
        *_pods(machine),
        *_definitions(),
    ]


def _configuration(machine: Machine) -> Iterator[Held]:
    yield Held("config", "MachineTypes.config.talos.dev", "machine-type", machine.node.machine_type)
    config = machine.machine_config or ""
    raw = config.encode()
    proto_spec = b"\x0a" + _varint(len(raw)) + raw
    for resource_id in ("v1alpha1", "persistent"):
        yield Held(
            "config",
            "MachineConfigs.config.talos.dev",
            resource_id,
            config,
            proto_spec=proto_spec,
            annotations={"talos.dev/yaml-spec": "1"},
        )


async def _etcd(machine: Machine) -> list[Held]:
    node = machine.node
    if not node.is_control_plane:
        return []
    held = []
    if "etcd spec" not in node.faults.unmet:
        spec: dict[str, object] = {
            "name": node.hostname,
            "advertisedAddresses": list(node.advertised_addresses),
            "listenPeerAddresses": ["::"],
            "listenClientAddresses": ["::"],
            "image": f"registry.k8s.io/etcd:v{node.settings.binaries.version}",
            "extraArgs": dict(flag.lstrip("-").partition("=")[::2] for flag in node.settings.etcd_flags),
        }
        held.append(Held("etcd", "EtcdSpecs.etcd.talos.dev", "etcd", spec))
    if machine.etcd.is_healthy and (member_id := await _member_id(machine)):
        held.append(Held("etcd", "EtcdMembers.etcd.talos.dev", "local", {"memberID": f"{member_id:016x}"}))
    return held


async def _member_id(machine: Machine) -> int:
    async with machine.node.etcd_client() as client:
        try:
            async with asyncio.timeout(_MEMBER_ID_SECONDS):
                return int((await client.status()).header.member_id)
        except NotReached:
            return 0


def _runtime(machine: Machine) -> Iterator[Held]:
    for service in machine.all_services():
        spec = {
            "running": service.state == "Running",
            "healthy": service.health.is_healthy is True,
            "unknown": service.health.is_healthy is None,
        }
        yield Held("runtime", "Services.v1alpha1.talos.dev", service.service_id, spec)
    unmet = [{"name": "services", "reason": "etcd not healthy"}] if _waits_for_etcd(machine) else []
    status = {
        "stage": machine.stage,
        "status": {"ready": machine.stage == "running" and not unmet, "unmetConditions": unmet},
    }
    yield Held("runtime", "MachineStatuses.runtime.talos.dev", "machine", status)
    synced = not machine.faults.clock_is_unsynced
    clock = {"synced": synced, "epoch": 1, "syncDisabled": False}
    yield Held("runtime", "TimeStatuses.v1alpha1.talos.dev", "node", clock)
    yield from _volumes(machine)


def _waits_for_etcd(machine: Machine) -> bool:
    return machine.node.is_control_plane and not machine.etcd.is_healthy


def _volumes(machine: Machine) -> Iterator[Held]:
    size = os.statvfs(machine.node.directory).f_blocks * os.statvfs(machine.node.directory).f_frsize
    for number, name in enumerate(("EPHEMERAL", "STATE"), start=4):
        partition = {"phase": "ready", "type": "partition", "location": f"/dev/vda{number}", "size": size}
        yield Held("runtime", "VolumeStatuses.block.talos.dev", name, partition)
    if machine.node.settings.etcd_volume:
        own = {"phase": "ready", "type": "partition", "location": "/dev/vda7", "size": size}
    else:
        own = {"phase": "ready", "type": "directory", "parentID": "EPHEMERAL"}
    yield Held("runtime", "VolumeStatuses.block.talos.dev", "ETCD", own)


def _cluster(machine: Machine) -> Iterator[Held]:
    addresses = machine.node.control_planes()
    for resource_id in ("kube-apiserver", "discovery", "controlplane"):
        spec = {"addresses": addresses, "hosts": []}
        yield Held("controlplane", "Endpoints.kubernetes.talos.dev", resource_id, spec)
    for node in machine.node.cluster():
        member = {
            "nodeId": node.hostname,
            "addresses": [node.address],
            "hostname": node.hostname,
            "machineType": node.machine_type,
            "operatingSystem": f"Talos ({machine.node.release.tag})",
        }
        yield Held("cluster", "Members.cluster.talos.dev", node.hostname, member)


def _pods(machine: Machine) -> Iterator[Held]:
    for name in STATIC_PODS:
        if not machine.node.path(f"/etc/kubernetes/manifests/talos-{name}.yaml").exists():
            continue
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system"}}
        yield Held("k8s", "StaticPods.kubernetes.talos.dev", name, pod)
        ready = "True" if machine.etcd.is_healthy else "False"
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
        yield Held("k8s", "StaticPodStatuses.kubernetes.talos.dev", f"kube-system/{name}-{machine.hostname}", status)


def _definitions() -> Iterator[Held]:
    for kind in NAMESPACES:
        spec, proto_spec = definition(kind)
        yield Held("meta", DEFINITIONS, kind.lower(), spec, proto_spec=proto_spec)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
