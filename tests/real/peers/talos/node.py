"""What a node is and has, for those that act on it: names, addresses, directories, keys, and its faults.

`/var/lib/etcd` on the node is `node.path("/var/lib/etcd")` here. What survives a reboot lies below `var` (EPHEMERAL)
and `state` (STATE); the rest of the root file system is laid anew at every boot.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etcd_dr.adapters.local_cluster.pki import TlsFiles
from real.peers.talos.etcd_rpc import EtcdClient
from real.peers.talos.faults import Faults
from real.peers.talos.settings import MachineType, TalosRelease, TalosSettings

ETCD_DIRECTORY = "/var/lib/etcd"
RECOVERY_SNAPSHOT = "/var/lib/etcd.snapshot"
CLIENT_PORT = 2379
PEER_PORT = 2380


@dataclass(frozen=True, slots=True)
class Node:
    """One node's identity and means; `cluster` lists all nodes, itself included."""

    settings: TalosSettings
    index: int
    hostname: str
    address: str
    machine_type: MachineType
    directory: Path
    etcd_tls: TlsFiles
    etcd_context: ssl.SSLContext
    faults: Faults
    cluster: Callable[[], list[Node]]

    @property
    def release(self) -> TalosRelease:
        return self.settings.release

    @property
    def is_control_plane(self) -> bool:
        return self.machine_type != "worker"

    def control_planes(self) -> list[str]:
        """Return the addresses of the control plane, its own included where it is of it."""
        return [node.address for node in self.cluster() if node.is_control_plane]

    @property
    def advertised_addresses(self) -> tuple[str, ...]:
        """The addresses in etcd's specification; the second one leads back to the node too."""
        if not self.settings.extra_addresses:
            return (self.address,)
        first, second, _, last = self.address.split(".")
        return (self.address, f"{first}.{second}.255.{last}")

    @property
    def peer_urls(self) -> tuple[str, ...]:
        return tuple(f"https://{address}:{PEER_PORT}" for address in self.advertised_addresses)

    @property
    def client_urls(self) -> tuple[str, ...]:
        return tuple(f"https://{address}:{CLIENT_PORT}" for address in self.advertised_addresses)

    @property
    def initial_cluster(self) -> str:
        """The node alone, as etcd's flag has it."""
        return ",".join(f"{self.hostname}={url}" for url in self.peer_urls)

    def path(self, path: str) -> Path:
        """Return where a path of the node lies on this machine."""
        return self.directory / "rootfs" / path.lstrip("/")

    def as_on_the_node(self, text: str) -> str:
        """Undo `path` in a text, such as a program's complaint."""
        return text.replace(str(self.directory / "rootfs"), "")

    @property
    def etcd_log(self) -> Path:
        return self.directory / "log" / "etcd.log"

    @property
    def machined_log(self) -> Path:
        return self.directory / "log" / "machined.log"

    def log(self, line: str) -> None:
        """Write a line into machined's log."""
        with self.machined_log.open("a") as log:
            log.write(f"{datetime.now(UTC):%Y/%m/%d %H:%M:%S} [talos] {line}\n")

    def etcd_client(self, address: str | None = None) -> EtcdClient:
        """Return a connection to this node's etcd, or to that at another address; the caller closes it."""
        return EtcdClient(address or self.address, CLIENT_PORT, context=self.etcd_context)

    @property
    def etcd_directory_is_empty(self) -> bool:
        directory = self.path(ETCD_DIRECTORY)
        return not directory.is_dir() or not any(directory.iterdir())
