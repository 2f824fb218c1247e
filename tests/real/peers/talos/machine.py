"""One node as a machine: booted, rebooted, wiped, switched off; its services, its files, its API server.

- EPHEMERAL is `var` and STATE is `state` of the root file system; everything else is laid anew at every boot.
- Losing STATE loses the machine's configuration: the machine then waits for one in maintenance mode, which is not
  modelled, so nothing answers at its address any more.
- Everything runs in the double's loop.
"""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2
from real.peers.talos.etcd_service import EtcdService, StartMode
from real.peers.talos.faults import Faults
from real.peers.talos.node import ETCD_DIRECTORY, Node
from real.peers.talos.other_ports import API_SERVER_PORT, TRUSTD_PORT, OtherPorts
from real.peers.talos.runtime_events import RuntimeEvents
from real.peers.talos.service_history import ServiceEvent, ServiceHistory

BOOT_ID = "/proc/sys/kernel/random/boot_id"
STATIC_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_CONTROL_PLANE_SERVICES = ("apid", "containerd", "cri", "kubelet", "machined", "trustd", "udevd")
_WORKER_SERVICES = ("apid", "containerd", "cri", "kubelet", "machined", "udevd")


class Server(Protocol):
    """The machine's API server, as far as the machine is concerned."""

    async def open(self) -> None: ...

    async def drop(self) -> None: ...


class Machine:
    """A node; `stage` is what MachineStatus says, and `is_on` whether anything answers."""

    def __init__(self, node: Node, *, machine_config: str, on_change: Callable[[], None]) -> None:
        self.node = node
        self._on_change = on_change
        self.server: Server | None = None
        self.other_ports: OtherPorts | None = None
        self._opening: asyncio.Task[None] | None = None
        self.stage = "booting"
        self.is_on = False
        self.boot_id = ""
        self.events = RuntimeEvents()
        self.services: dict[str, ServiceHistory] = {}
        self.etcd = EtcdService(node, on_change=self._service_changed)
        self._sequence: asyncio.Task[None] | None = None
        node.path("/state").mkdir(parents=True, exist_ok=True)
        (node.directory / "log").mkdir(parents=True, exist_ok=True)
        node.path("/state/config.yaml").write_text(machine_config)

    @property
    def hostname(self) -> str:
        return self.node.hostname

    @property
    def address(self) -> str:
        return self.node.address

    @property
    def faults(self) -> Faults:
        return self.node.faults

    @property
    def machine_config(self) -> str | None:
        """The configuration in STATE; None once that was wiped."""
        path = self.node.path("/state/config.yaml")
        return path.read_text() if path.exists() else None

    @property
    def serves(self) -> bool:
        """Whether etcd is healthy, and the API server has begun to listen, as it does once etcd was."""
        ports = self.other_ports
        listens = ports is None or API_SERVER_PORT in self.faults.silent_ports or ports.is_open(API_SERVER_PORT)
        return self.etcd.is_healthy and listens

    @property
    def etcd_history(self) -> ServiceHistory:
        return self.etcd.history

    def all_services(self) -> list[ServiceHistory]:
        """Return every service by name, as ServiceList does."""
        own = [self.etcd.history] if self.node.is_control_plane else []
        return sorted([*self.services.values(), *own], key=lambda service: service.service_id)

    async def boot(self, mode: StartMode | None = None) -> None:
        """Switch the machine on; its services come up by themselves."""
        self._enter_stage("booting")
        self.boot_id = str(uuid.uuid4())
        self.events = RuntimeEvents()
        self._lay_root_file_system()
        await asyncio.sleep(self.node.settings.pace.boot)
        self.services = {name: self._base_service(name) for name in self._base_services}
        if self.node.is_control_plane:
            await self._open(TRUSTD_PORT)
            self.etcd.load(mode)  # before anybody can ask: what is told of etcd is of this life
        if self.server is not None:
            await self.server.open()
        self.is_on = True
        if self.node.is_control_plane:
            self.etcd.start()
        self._enter_stage("running")

    async def switch_off(self) -> None:
        """End all that runs, at once, as a power cut does."""
        if self._sequence is not None and self._sequence is not asyncio.current_task():
            self._sequence.cancel()
        self.is_on = False
        await self._fall_silent()
        await self.etcd.cut_power()
        self._on_change()

    def begin(self, sequence: str, phases: Iterable[Callable[[], object]], *, actor_id: str) -> None:
        """Run a sequence of phases (coroutine functions, named by their names) in the background.

        A phase that raises ends the sequence, and the failure is an event. One at a time: a second one while the first
        goes on is dropped, and only the log says so (v1alpha1_controller.go, Run and its lock).
        """
        if self._sequence is not None and not self._sequence.done():
            self.node.log(f"{sequence} failed: locked")
            return
        self._sequence = asyncio.get_running_loop().create_task(self._run(sequence, list(phases), actor_id))

    async def _run(self, sequence: str, phases: list[Callable[[], object]], actor_id: str) -> None:
        event = machine_pb2.SequenceEvent
        self._publish(event(sequence=sequence, action=event.START), actor_id)
        await asyncio.sleep(self.node.settings.pace.sequence)
        try:
            for phase in phases:
                name = getattr(phase, "__name__", "phase").strip("_")
                self._publish(machine_pb2.PhaseEvent(phase=name, action=machine_pb2.PhaseEvent.START), actor_id)
                await phase()  # type: ignore[misc]  # coroutine functions
                self._publish(machine_pb2.PhaseEvent(phase=name, action=machine_pb2.PhaseEvent.STOP), actor_id)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is what the event tells
            failure = common_pb2.Error(code=1, message=f"sequence failed: {error}")
            self._publish(event(sequence=sequence, action=event.NOOP, error=failure), actor_id)
            self.node.log(f"{sequence} failed: {error}")
            self._enter_stage("running")

    def _publish(self, payload: object, actor_id: str) -> None:
        self.events.publish(payload, actor_id=actor_id)

    async def stop_services(self) -> None:
        """The phase of reboots and resets that ends etcd; the API still answers."""
        await self.etcd.stop()

    async def restart(self) -> None:
        """The last phase of a reboot: nothing answers for a while, then the machine boots, if it has a configuration."""
        self._enter_stage("rebooting")
        self.is_on = False
        await self._fall_silent()
        await self.etcd.stop()
        await asyncio.sleep(self.node.settings.pace.reboot)
        if self.machine_config is None:
            self._enter_stage("maintenance")
            return
        await self.boot()

    async def _fall_silent(self) -> None:
        if self._opening is not None:
            await asyncio.wait([self._opening])  # what is opened after the closing would stay open
        if self.other_ports is not None:
            self.other_ports.close()
        if self.server is not None:
            await self.server.drop()

    async def _open(self, port: int) -> None:
        if self.other_ports is not None and port not in self.faults.silent_ports:
            await self.other_ports.open(port)

    async def shutdown(self) -> None:
        """The last phase where no reboot was asked for: the machine stays off."""
        self._enter_stage("shutting down")
        await self.switch_off()

    def wipe_ephemeral(self) -> None:
        """Empty EPHEMERAL; a partition of etcd's own, if there is one, stays."""
        keeps = self.node.path(ETCD_DIRECTORY) if self.node.settings.etcd_volume else None
        kept = self.node.directory / "etcd-volume"
        if keeps is not None and keeps.exists():
            keeps.rename(kept)
        shutil.rmtree(self.node.path("/var"), ignore_errors=True)
        self.node.path("/var/lib").mkdir(parents=True)
        if keeps is not None and kept.exists():
            kept.rename(keeps)

    def wipe_etcd_volume(self) -> None:
        shutil.rmtree(self.node.path(ETCD_DIRECTORY), ignore_errors=True)

    def wipe_state(self) -> None:
        """Lose the machine's configuration."""
        shutil.rmtree(self.node.path("/state"), ignore_errors=True)

    def enter_stage(self, stage: str) -> None:
        """Change what MachineStatus says."""
        self._enter_stage(stage)

    @property
    def _base_services(self) -> tuple[str, ...]:
        return _CONTROL_PLANE_SERVICES if self.node.is_control_plane else _WORKER_SERVICES

    def _base_service(self, name: str) -> ServiceHistory:
        service = ServiceHistory(name, on_change=self._service_changed)
        service.enter("Starting", "Starting service")
        if name == "cri" and "cri" in self.faults.unmet:
            service.enter("Waiting", "Waiting for network")
            return service
        if name in self.faults.failed_services:
            service.enter("Failed", self.faults.failed_services[name])
            return service
        service.enter("Running", f"Started task {name} (PID {1000 + len(name)}) for container {name}")
        service.found(is_healthy=True)
        return service

    def _lay_root_file_system(self) -> None:
        node = self.node
        for path in ("/proc", "/etc"):
            shutil.rmtree(node.path(path), ignore_errors=True)
        for path in ("/var/lib", "/etc/kubernetes/manifests", "/proc/sys/kernel/random"):
            node.path(path).mkdir(parents=True, exist_ok=True)
        if node.is_control_plane:
            node.path(ETCD_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        node.path(BOOT_ID).write_text(f"{self.boot_id}\n")

    def _service_changed(self, service_id: str, event: ServiceEvent) -> None:
        self.node.log(f"service[{service_id}]({event.state}): {event.message}")
        self.events.service_state(service_id, state=event.state, message=event.message)
        if service_id == "etcd" and self.etcd.is_healthy:
            self._render_static_pods()
            self._opening = asyncio.get_running_loop().create_task(self._open(API_SERVER_PORT))
        self._on_change()

    def _render_static_pods(self) -> None:
        for name in STATIC_PODS:
            manifest = self.node.path(f"/etc/kubernetes/manifests/talos-{name}.yaml")
            manifest.write_text(f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: kube-system\n")

    def _enter_stage(self, stage: str) -> None:
        self.stage = stage
        name = stage.upper().replace(" ", "_")
        status = machine_pb2.MachineStatusEvent.MachineStatus(ready=stage == "running")
        self.events.publish(machine_pb2.MachineStatusEvent(stage=name, status=status))
        self._on_change()
