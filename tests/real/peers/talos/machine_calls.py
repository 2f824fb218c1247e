"""The calls of the machine API that are not about etcd: what the machine is, its services, files, logs and life."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

from grpclib.const import Status

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2, state_pb2, time_pb2
from real.peers.talos import files, resources
from real.peers.talos.calls import Call, Refusal, unknown
from real.peers.talos.machine import STATIC_PODS, Machine
from real.peers.talos.service_history import timestamp

_RESTARTED_THROUGH_THE_API = frozenset({"kubelet"})
_PART_BYTES = 64 * 1024
_DISK_BYTES = 100 << 30


class MachineCalls:
    """One node's answers; methods are named after the calls."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._node = machine.node

    async def version(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.VersionResponse:
        version = machine_pb2.VersionInfo(
            tag=self._node.release.tag, sha="double", built="", go_version="go1.26", os="linux", arch="amd64"
        )
        answer = machine_pb2.Version(
            version=version,
            platform=machine_pb2.PlatformInfo(name="metal", mode="metal"),
            features=machine_pb2.FeaturesInfo(rbac=True),
        )
        return machine_pb2.VersionResponse(messages=[answer])

    async def hostname(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.HostnameResponse:
        return machine_pb2.HostnameResponse(messages=[machine_pb2.Hostname(hostname=self._node.hostname)])

    async def now(self, call: Call, request: common_pb2.Nothing) -> time_pb2.TimeResponse:
        now = time.time() + self._node.faults.clock_skew
        answer = time_pb2.Time(server="time.invalid", localtime=timestamp(now), remotetime=timestamp(time.time()))
        return time_pb2.TimeResponse(messages=[answer])

    async def service_list(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.ServiceListResponse:
        services = [service.as_message() for service in self._machine.all_services()]
        return machine_pb2.ServiceListResponse(messages=[machine_pb2.ServiceList(services=services)])

    async def service_start(
        self, call: Call, request: machine_pb2.ServiceStartRequest
    ) -> machine_pb2.ServiceStartResponse:
        if not self._is_running(request.id):
            raise unknown(f'service "{request.id}" doesn\'t support start operation via API')
        answer = machine_pb2.ServiceStart(resp=f'Service "{request.id}" started')
        return machine_pb2.ServiceStartResponse(messages=[answer])

    async def service_stop(
        self, call: Call, request: machine_pb2.ServiceStopRequest
    ) -> machine_pb2.ServiceStopResponse:
        if self._is_running(request.id):
            raise unknown(f'service "{request.id}" doesn\'t support stop operation via API')
        answer = machine_pb2.ServiceStop(resp=f'Service "{request.id}" stopped')
        return machine_pb2.ServiceStopResponse(messages=[answer])

    async def service_restart(
        self, call: Call, request: machine_pb2.ServiceRestartRequest
    ) -> machine_pb2.ServiceRestartResponse:
        operation = "restart" if self._is_running(request.id) else "start"
        if request.id not in _RESTARTED_THROUGH_THE_API:
            raise unknown(f'service "{request.id}" doesn\'t support {operation} operation via API')
        answer = machine_pb2.ServiceRestart(resp=f'Service "{request.id}" restarted')
        return machine_pb2.ServiceRestartResponse(messages=[answer])

    async def mounts(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.MountsResponse:
        """Answer with a disk that has room, or with what the fault says is free; what lies below is another matter."""
        free = self._node.faults.var_available_bytes
        available = _DISK_BYTES // 2 if free is None else free
        stats = [
            machine_pb2.MountStat(filesystem=device, size=_DISK_BYTES, available=available, mounted_on=place)
            for device, place in (("/dev/vda4", "/var"), ("/dev/vda5", "/system/state"))
        ]
        return machine_pb2.MountsResponse(messages=[machine_pb2.Mounts(stats=stats)])

    async def containers(self, call: Call, request: machine_pb2.ContainersRequest) -> machine_pb2.ContainersResponse:
        """Answer with etcd in the system's namespace, and with the static pods' containers in Kubernetes'."""
        found = []
        process = self._machine.etcd.process
        if request.namespace == "system" and process is not None and process.is_running:
            found.append(self._container("system", "etcd", status="RUNNING", pid=process.pid))
        if request.namespace == "k8s.io":
            status = "CONTAINER_RUNNING" if self._machine.etcd.is_healthy else "CONTAINER_EXITED"
            manifests = self._node.path("/etc/kubernetes/manifests")
            found += [
                self._container("k8s.io", name, status=status, pid=0)
                for name in STATIC_PODS
                if (manifests / f"talos-{name}.yaml").exists()
            ]
        return machine_pb2.ContainersResponse(messages=[machine_pb2.Container(containers=found)])

    async def logs(self, call: Call, request: machine_pb2.LogsRequest) -> AsyncIterator[bytes]:
        """Yield a log from its beginning, or its last lines; with `follow`, go on without end."""
        path = {"etcd": self._node.etcd_log, "machined": self._node.machined_log}.get(request.id)
        if path is None and request.id not in {service.service_id for service in self._machine.all_services()}:
            raise unknown(f'log "{request.id}" was not registered')
        content = path.read_bytes() if path is not None and path.exists() else b""
        if request.tail_lines >= 0 and not (request.tail_lines == 0 and not request.follow):
            content = b"".join(content.splitlines(keepends=True)[-request.tail_lines :] if request.tail_lines else [])
        for start in range(0, len(content), _PART_BYTES):
            yield content[start : start + _PART_BYTES]
        if request.follow:
            await asyncio.Event().wait()

    def copy(self, call: Call, request: machine_pb2.CopyRequest) -> AsyncIterator[bytes | common_pb2.Data]:
        return files.copy(self._node, request)

    def read(self, call: Call, request: machine_pb2.ReadRequest) -> AsyncIterator[bytes]:
        return files.read(self._node, request)

    def list_files(self, call: Call, request: machine_pb2.ListRequest) -> AsyncIterator[machine_pb2.FileInfo]:
        return files.list_files(self._node, request)

    def watch_events(self, call: Call, request: machine_pb2.EventsRequest) -> AsyncIterator[machine_pb2.Event]:
        return self._machine.events.watch(request)

    async def reboot(self, call: Call, request: machine_pb2.RebootRequest) -> machine_pb2.RebootResponse:
        actor_id = str(uuid.uuid4())
        machine = self._machine
        machine.begin("reboot", [machine.stop_services, machine.restart], actor_id=actor_id)
        return machine_pb2.RebootResponse(messages=[machine_pb2.Reboot(actor_id=actor_id)])

    async def get(self, call: Call, request: state_pb2.GetRequest) -> state_pb2.GetResponse:
        return await resources.get(self._machine, call, request)

    async def list_resources(self, call: Call, request: state_pb2.ListRequest) -> AsyncIterator[state_pb2.ListResponse]:
        found = await resources.matching(self._machine, call, namespace=request.namespace, kind=request.type)
        for resource in found:
            yield state_pb2.ListResponse(resource=resource)

    async def watch_resources(
        self, call: Call, request: state_pb2.WatchRequest
    ) -> AsyncIterator[state_pb2.WatchResponse]:
        """Yield what is there now; later changes are not told."""
        found = await resources.matching(self._machine, call, namespace=request.namespace, kind=request.type)
        for resource in found:
            if request.id in ("", resource.metadata.id):
                event = state_pb2.Event(resource=resource, event_type=state_pb2.CREATED)
                yield state_pb2.WatchResponse(event=[event])
        if request.options.bootstrap_contents:
            yield state_pb2.WatchResponse(event=[state_pb2.Event(event_type=state_pb2.BOOTSTRAPPED)])
        await asyncio.Event().wait()

    def _is_running(self, service_id: str) -> bool:
        """Say whether a service is started; raises the refusal of one that is not defined."""
        for service in self._machine.all_services():
            if service.service_id == service_id:
                return service.state not in {"Finished", "Failed", "Skipped", "Initialized"}
        raise unknown(f'service "{service_id}" not defined')

    def _container(self, namespace: str, name: str, *, status: str, pid: int) -> machine_pb2.ContainerInfo:
        return machine_pb2.ContainerInfo(
            namespace=namespace, id=name, name=name, image=f"registry.k8s.io/{name}", pid=pid, status=status
        )


def not_implemented(method: str) -> Refusal:
    """Return how a node refuses a call that its release does not have."""
    return Refusal(Status.UNIMPLEMENTED, f"unknown method {method} for service machine.MachineService")
