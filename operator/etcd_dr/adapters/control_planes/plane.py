"""The nodes of one cluster, in the configured order."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.ports.control_plane import Node


class NodeGroup:
    """Implements ports.control_plane.ControlPlane; owns its nodes."""

    def __init__(self, platform: str, nodes: Sequence[Node]) -> None:
        self.platform = platform
        self.nodes = tuple(nodes)

    def close(self) -> None:
        for node in self.nodes:
            node.close()
