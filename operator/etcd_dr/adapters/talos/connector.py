"""Makes Talos nodes the members that the snapshot pipeline knows."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from etcd_dr.adapters.talos.address import parse_address
from etcd_dr.adapters.talos.fleet import TalosNodes
from etcd_dr.adapters.talos.member import TalosMember
from etcd_dr.ports.etcd import EtcdConnector, EtcdMember
from etcd_dr.ports.local_files import ScratchSpace


class TalosConnector:
    """Implements ports.etcd.EtcdConnector. Endpoints are nodes, written as `talos://10.0.0.2:50000`.

    `etcd` reaches the same members by etcd's own API, where its certificates are configured. With `scratch`, a node's
    HashKV is computed from a second snapshot of it. `is_lenient`: for snapshots, a node whose status our role may not
    ask is good enough.
    """

    def __init__(
        self,
        fleet: TalosNodes,
        *,
        etcd: EtcdConnector | None = None,
        scratch: ScratchSpace | None = None,
        is_lenient: bool = False,
    ) -> None:
        self._fleet = fleet
        self._etcd = etcd
        self._scratch = scratch
        self._is_lenient = is_lenient

    @property
    def endpoints(self) -> Sequence[str]:
        return tuple(f"talos://{node}" for node in self._fleet.nodes())

    def connect(self, endpoint: str) -> TalosMember:
        node = self._fleet.open(endpoint)
        return TalosMember(
            node,
            endpoint=endpoint,
            cluster_id=self._fleet.cluster_id(),
            etcd=self._same_member(endpoint),
            scratch=self._scratch,
            is_lenient=self._is_lenient,
        )

    def _same_member(self, endpoint: str) -> EtcdMember | None:
        """Return etcd's own API on the node of that address, where one of its configured endpoints is there."""
        if self._etcd is None:
            return None
        host = parse_address(endpoint).host
        same = next((url for url in self._etcd.endpoints if urlsplit(url).hostname == host), None)
        return self._etcd.connect(same) if same is not None else None
