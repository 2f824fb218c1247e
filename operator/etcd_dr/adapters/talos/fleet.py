"""The control plane nodes of one cluster, and connections to each of them.

- The talosconfig is read afresh for each connection: the one in a pod is renewed every few hours, and the old one
  expires (Talos: its controller issues certificates for six hours).
- Which nodes there are: those that the configuration names, else the talosconfig's `nodes`, else those that the member
  list has, asked for through the endpoints; else the endpoints themselves. The endpoint in a pod is a Service that any
  control plane node answers, and a VIP goes with etcd's quorum: neither is a node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from etcd_dr.adapters.talos.address import NodeAddress, parse_address
from etcd_dr.adapters.talos.connection import NodeConnection
from etcd_dr.adapters.talos.material import authority_id, own_certificate, tls_context
from etcd_dr.adapters.talos.node import GrpclibTalosNode
from etcd_dr.adapters.talos.talosconfig import TalosContext, find_talosconfig, read_talosconfig
from etcd_dr.errors import ConfigError, EtcdError
from etcd_dr.ports.clock import Clock

_DISCOVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class TalosAccess:
    """How one cluster is reached. `forward`: through the endpoints, for nodes that cannot be dialled from here."""

    config_file: Path | None = None
    context: str | None = None
    nodes: tuple[str, ...] = ()
    forward: bool = False
    request_deadline: float = 5.0
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class TalosNodes:
    """Implements ports.talos.TalosFleet."""

    def __init__(self, access: TalosAccess, *, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    def cluster_id(self) -> int:
        """Return what stands for the cluster where etcd's own id is not known. Raises ConfigError."""
        return authority_id(self.context())

    def nodes(self) -> Sequence[str]:
        context = self.context()
        named = self._access.nodes or context.nodes
        if not named:
            named = self._discovered(context) or context.endpoints
        if not named:
            raise ConfigError(
                f"context {context.name!r} names neither nodes nor endpoints",
                subject=context.origin,
                next_step="Name the control plane nodes with --nodes IP,IP,IP or in talos.nodes of the configuration.",
            )
        return tuple(dict.fromkeys(self.shown(text) for text in named))

    def open(self, address: str) -> GrpclibTalosNode:
        context = self.context()
        return self._open(self._way_to(parse_address(address), context), context)

    def _discovered(self, context: TalosContext) -> tuple[str, ...]:
        """Return the hosts of the members' client URLs, or nothing where no endpoint tells them now.

        All endpoints are asked at once, because without etcd each of them is silent until its deadline.
        """
        if not context.endpoints:
            return ()
        with ThreadPoolExecutor(len(context.endpoints), thread_name_prefix="discover") as pool:
            answers = pool.map(lambda endpoint: self._members_by(endpoint, context), context.endpoints)
            return next((found for found in answers if found), ())

    def _members_by(self, endpoint: str, context: TalosContext) -> tuple[str, ...]:
        deadline = min(self._access.request_deadline, _DISCOVERY_SECONDS)
        with closing(self._open(parse_address(endpoint), context)) as node:
            try:
                members = node.etcd_members(local=True, deadline=deadline)
            except EtcdError:
                return ()
        hosts = (urlsplit(url).hostname for member in members for url in member.client_urls[:1])
        return tuple(host for host in hosts if host)

    def _open(self, address: NodeAddress, context: TalosContext) -> GrpclibTalosNode:
        connection = NodeConnection(address, tls_context(context), own=own_certificate(context), now=self._clock.now)
        return GrpclibTalosNode(connection, clock=self._clock)

    def _way_to(self, address: NodeAddress, context: TalosContext) -> NodeAddress:
        if not self._access.forward or not context.endpoints:
            return address
        through = parse_address(context.endpoints[0])
        return NodeAddress(through.host, through.port, forward_to=address.host)

    def shown(self, text: str) -> str:
        """Return an address in the form that names the node everywhere. Raises ConfigError."""
        address = parse_address(text)
        return address.host if self._access.forward else str(address)

    def context(self) -> TalosContext:
        """Return the talosconfig as it is now. Raises ConfigError."""
        found = find_talosconfig(self._access.environment, named=self._access.config_file)
        return read_talosconfig(found, context=self._access.context)
