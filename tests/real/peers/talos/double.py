"""The whole control plane: nodes on addresses of their own, authorities, talosconfigs, and a thread that it all runs in.

`with TalosDouble(directory, settings=...) as double:` boots every machine; with `start="formed"`, the default, the
block begins when all control planes are healthy members. At its end everything is switched off.

- A test speaks to it over the network like any client, and bends it through `machine.faults` and the methods here,
  which may be called from any thread.
- `wait_until` waits for a condition of the machines' own state; nothing here asks to sleep.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from grpclib import GRPCError
from grpclib.const import Status

from etcd_dr.adapters.etcd.proto import rpc_pb2
from etcd_dr.adapters.local_cluster.child import log_tail
from etcd_dr.adapters.local_cluster.pki import TlsFiles
from real.peers.talos.addresses import free_network
from real.peers.talos.api import MachineApi
from real.peers.talos.caller import Caller, is_of_an_election
from real.peers.talos.etcd_rpc import EtcdClient
from real.peers.talos.etcd_service import StartMode
from real.peers.talos.faults import Faults
from real.peers.talos.machine import Machine
from real.peers.talos.machine_config import machine_config
from real.peers.talos.node import CLIENT_PORT, PEER_PORT, Node
from real.peers.talos.other_ports import API_SERVER_PORT, TRUSTD_PORT, OtherPorts, listening_context
from real.peers.talos.pki import Authority
from real.peers.talos.roles import ADMIN
from real.peers.talos.routing import Router
from real.peers.talos.server import ApiServer, server_context
from real.peers.talos.settings import TalosSettings
from real.peers.talos.talosconfig import write_talosconfig

T = TypeVar("T")
_CALL_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 0.25
_ELECTION_SECONDS = 30.0


class TalosDouble:
    """A control plane under `directory`, which the caller owns and removes."""

    def __init__(self, directory: Path, *, settings: TalosSettings) -> None:
        self.directory = directory
        self.settings = settings
        now = datetime.now(UTC)
        # Ten years for authorities and a year for what talosctl makes, as Talos has it.
        validity = {"valid_from": now - timedelta(hours=1), "valid_until": now + timedelta(days=3650)}
        self._clients_until = now + timedelta(days=365)
        self.authority = Authority("talos", is_ed25519=True, **validity)
        self.etcd_authority = Authority("etcd", is_ed25519=False, **validity)
        self.kubernetes_authority = Authority("kubernetes", is_ed25519=False, **validity)
        self.machines: list[Machine] = []
        self._apis: dict[str, MachineApi] = {}
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="talos-double", daemon=True)
        self.etcd_tls = self._etcd_files("root")
        self._build()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Switch everything off and end the thread."""
        try:
            self.run(self._switch_all_off())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    @property
    def control_planes(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.node.is_control_plane]

    @property
    def addresses(self) -> list[str]:
        """The addresses of all machines; where the API is not on port 50000, see `endpoints`."""
        return [machine.address for machine in self.machines]

    @property
    def endpoints(self) -> list[str]:
        """How a talosconfig names the control plane: the port only where it is not the usual one."""
        port = self.settings.port
        suffix = "" if port == 50_000 else f":{port}"
        return [f"{machine.address}{suffix}" for machine in self.control_planes]

    @property
    def etcd_endpoints(self) -> list[str]:
        """The client URLs of etcd; `etcd_tls` is root's certificate for them."""
        return [f"https://{machine.address}:{CLIENT_PORT}" for machine in self.control_planes]

    def talosconfig(
        self,
        name: str = "admin",
        *,
        roles: Sequence[str] = (ADMIN,),
        endpoints: Sequence[str] | None = None,
        nodes: Sequence[str] = (),
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        authority: Authority | None = None,
    ) -> Path:
        """Write a talosconfig with a new certificate of these roles, and return its path.

        A validity in the past makes an expired one; another `authority` one of another cluster, whose CA it then names.
        """
        pair = (authority or self.authority).issue(
            "", organizations=roles, valid_from=valid_from, valid_until=valid_until or self._clients_until
        )
        return write_talosconfig(
            self.directory / f"talosconfig-{name}",
            context=self.settings.cluster,
            ca=(authority or self.authority).certificate,
            pair=pair,
            endpoints=self.endpoints if endpoints is None else endpoints,
            nodes=nodes,
        )

    def caller(self, machine: Machine | None = None, *, roles: Sequence[str] = (ADMIN,)) -> Caller:
        """Return a bare client of a machine, the first one by default, with a certificate of these roles."""
        config = self.talosconfig("-".join(roles).replace(":", "-") or "none", roles=roles)
        return Caller(config, (machine or self.machines[0]).address, port=self.settings.port)

    def boot(self) -> None:
        """Switch on every machine that is off; where a formed cluster is wanted, wait until it is healthy."""
        fresh = all(machine.node.etcd_directory_is_empty for machine in self.control_planes)
        mode = None
        if self.settings.start == "formed" and fresh:
            mode = StartMode(formed_with=",".join(machine.node.initial_cluster for machine in self.control_planes))
        self.run(self._boot_all(mode))
        if self.settings.start == "formed":
            self.wait_until_healthy()

    def switch_off(self, machine: Machine) -> None:
        """Cut a machine's power; `switch_on` boots it again."""
        self.run(machine.switch_off())

    def switch_on(self, machine: Machine) -> None:
        """Boot a machine that was switched off."""
        self.run(machine.boot())

    def reboot(self, machine: Machine) -> None:
        """Reboot a machine and return when it answers again."""
        self.run(machine.restart())

    def lose_data(self, machine: Machine) -> None:
        """Reboot a machine with an empty EPHEMERAL, as after its disk was replaced."""

        async def wipe() -> None:
            await machine.switch_off()
            machine.wipe_ephemeral()
            machine.wipe_etcd_volume()
            await machine.boot()

        self.run(wipe())

    def kill_etcd(self, machine: Machine, *, number: signal.Signals = signal.SIGKILL) -> None:
        """Send etcd's process a signal; Talos starts it again when it ends."""
        process = machine.etcd.process
        if process is not None:
            self._loop.call_soon_threadsafe(process.signal, number)

    def bootstrap_alone(self, machine: Machine, *, deadline_seconds: float = 60.0) -> None:
        """Bootstrap an empty cluster on a machine, and wait for its etcd; two of these make two clusters."""

        async def begin() -> None:
            await machine.etcd.stop()
            machine.etcd.load(StartMode(bootstrap=True))
            machine.etcd.start()

        self.run(begin())
        self.wait_until(lambda: machine.etcd.is_healthy, deadline_seconds=deadline_seconds)

    def put(self, key: bytes, value: bytes, *, machine: Machine | None = None) -> int:
        """Write a key through a machine's etcd, the first one's by default, and return its revision."""

        return self._ask_etcd(machine, lambda client: client.put(key, value))

    def get(self, key: bytes, *, machine: Machine | None = None) -> bytes | None:
        """Read a key with quorum."""

        return self._ask_etcd(machine, lambda client: client.get(key))

    def members(self, *, machine: Machine | None = None) -> list[rpc_pb2.Member]:
        """Return etcd's own member list."""

        return self._ask_etcd(machine, EtcdClient.members)

    def wait_until_healthy(self, *, deadline_seconds: float = 120.0) -> None:
        """Wait until etcd is healthy on every control plane that is on, and its API server listens."""
        self.wait_until(
            lambda: all(machine.serves for machine in self.control_planes if machine.is_on),
            deadline_seconds=deadline_seconds,
        )

    def wait_for_state(self, machine: Machine, state: str, *, deadline_seconds: float = 60.0) -> None:
        """Wait until a machine's etcd service is in that state."""
        self.wait_until(lambda: machine.etcd_history.state == state, deadline_seconds=deadline_seconds)

    def wait_for_event(self, machine: Machine, text: str, *, deadline_seconds: float = 60.0) -> str:
        """Wait until an event of a machine's etcd service contains a text, and return it whole."""

        def found() -> str | None:
            return next((message for message in reversed(machine.etcd_history.messages) if text in message), None)

        self.wait_until(lambda: found() is not None, deadline_seconds=deadline_seconds)
        return found() or ""

    def wait_for_complaint(self, machine: Machine, text: str, *, deadline_seconds: float = 60.0) -> None:
        """Wait until the last look at a machine's etcd found it ill with these words.

        An event says them only where they are the first ones: a start that is slow may be complained of before.
        """
        self.wait_until(lambda: text in machine.etcd_history.health.last_message, deadline_seconds=deadline_seconds)

    def wait_until(self, is_so: Callable[[], bool], *, deadline_seconds: float = 60.0) -> None:
        """Wait for a condition of the machines' state. Raises TimeoutError with what their services say."""
        deadline = time.monotonic() + deadline_seconds
        with self._news:
            while not is_so():
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"not within {deadline_seconds:g} s:\n{self.describe()}")
                # What a condition looks at may also change without an event, such as a file.
                self._news.wait(_LOOK_EVERY_SECONDS)

    def describe(self) -> str:
        """Return the last events of every machine's etcd and the ends of the logs, for an error."""
        parts = []
        for machine in self.machines:
            events = "\n".join(
                f"    {event.state}: {event.message}" for event in list(machine.etcd_history.events)[-8:]
            )
            parts.append(f"{machine.hostname} {machine.address} {machine.stage}\n{events}")
            parts.append(log_tail(machine.node.etcd_log, lines=3))
            parts.append(log_tail(machine.node.machined_log, lines=3))
        return "\n".join(parts)

    def _ask_etcd(self, machine: Machine | None, question: Callable[[EtcdClient], Coroutine[Any, Any, T]]) -> T:
        """Ask a machine's etcd, the first one's by default, and again while an election goes on, as clientv3 does."""

        async def ask() -> T:
            give_up_at = self._loop.time() + _ELECTION_SECONDS
            async with (machine or self.control_planes[0]).node.etcd_client() as client:
                while True:
                    try:
                        return await question(client)
                    except GRPCError as error:
                        may_pass = error.status is Status.UNAVAILABLE or is_of_an_election(error)
                        if not may_pass or self._loop.time() > give_up_at:
                            raise
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)

        return self.run(ask())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the double's loop and return what it returns."""
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("the double does not run")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_SECONDS)

    async def _boot_all(self, mode: StartMode | None) -> None:
        await asyncio.gather(*(machine.boot(mode) for machine in self.machines if not machine.is_on))

    async def _switch_all_off(self) -> None:
        await asyncio.gather(*(machine.switch_off() for machine in self.machines))
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _build(self) -> None:
        settings = self.settings
        addresses = free_network(
            settings.nodes, ports=(settings.port, CLIENT_PORT, PEER_PORT, TRUSTD_PORT, API_SERVER_PORT)
        )
        for index, address in enumerate(addresses):
            node = self._node(index, address)
            config = machine_config(
                settings,
                hostname=node.hostname,
                machine_type=node.machine_type,
                endpoint=addresses[0],
                authority=self.authority,
                kubernetes=self.kubernetes_authority,
            )
            machine = Machine(node, machine_config=config, on_change=self._tell)
            api = MachineApi(machine)
            pair = self.authority.issue(
                node.hostname,
                organizations=("os:impersonator",),
                addresses=(address, "127.0.0.1"),
                names=(node.hostname, "talos", "talos.default"),
            )
            context = server_context(pair, ca=self.authority.certificate, directory=node.directory / "pki")
            router = Router(api, find=self._apis.get)
            machine.server = ApiServer(router, address=address, port=settings.port, context=context)
            machine.other_ports = OtherPorts(
                address,
                contexts={
                    TRUSTD_PORT: self._listening(self.authority, node, "trustd"),
                    API_SERVER_PORT: self._listening(self.kubernetes_authority, node, "kube-apiserver"),
                },
            )
            self._apis[address] = api
            self.machines.append(machine)

    def recycle(self, machine: Machine) -> None:
        """Reboot a machine whose API server then shows a certificate of another cluster, as one that was not wiped."""
        now = datetime.now(UTC)
        other = Authority(
            "kubernetes", is_ed25519=False, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=365)
        )
        if machine.other_ports is not None:
            machine.other_ports.show(API_SERVER_PORT, self._listening(other, machine.node, "kube-apiserver"))
        self.reboot(machine)

    def _listening(self, authority: Authority, node: Node, name: str) -> ssl.SSLContext:
        return listening_context(authority, address=node.address, name=name, directory=node.directory / "pki")

    def _node(self, index: int, address: str) -> Node:
        hostname = f"talos-{index + 1}"
        node = Node(
            settings=self.settings,
            index=index,
            hostname=hostname,
            address=address,
            machine_type=self.settings.machine_types.get(index, "controlplane"),
            directory=self.directory / hostname,
            etcd_tls=self.etcd_tls,
            etcd_context=_client_context(self.etcd_tls),
            faults=Faults(),
            cluster=lambda: [machine.node for machine in self.machines],
        )
        addresses = (*node.advertised_addresses, "127.0.0.1")
        return replace(node, etcd_tls=self._etcd_files(hostname, addresses=addresses))

    def _etcd_files(self, name: str, *, addresses: Sequence[str] = ()) -> TlsFiles:
        names = ("localhost", name) if addresses else ()
        pair = self.etcd_authority.issue(name, addresses=addresses, names=names)
        return pair.write(self.directory / "etcd-pki", name, ca=self.etcd_authority.certificate)

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


def _client_context(tls: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(tls.ca))
    context.load_cert_chain(tls.certificate, tls.key)
    context.set_alpn_protocols(["h2"])
    return context
