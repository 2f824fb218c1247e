"""Opens a control plane whose nodes are directories of this machine: `<root>/<node>/node.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etcd_dr.adapters.control_planes.local_process import LocalProcessService, Starter
from etcd_dr.adapters.control_planes.local_shell import LocalShell
from etcd_dr.adapters.control_planes.node import ShellNode
from etcd_dr.adapters.control_planes.plane import NodeGroup
from etcd_dr.ports.cancellation import Cancellation


def open_local(
    root: Path,
    *,
    cancellation: Cancellation,
    names: Sequence[str] = (),
    start: Starter | None = None,
    sh: Sequence[str] = ("sh",),
) -> NodeGroup:
    """Return the nodes below `root`: those named, else every directory with a `node.json`, in order of name.

    `start` starts etcd and the writers; without one they outlive the caller.
    """
    chosen = names or sorted(path.parent.name for path in root.glob("*/node.json"))
    nodes = []
    for name in chosen:
        directory = root / name
        shell = LocalShell(name, place=f"local {directory}", cancellation=cancellation, program=tuple(sh))
        service = LocalProcessService(directory, shell=shell, cancellation=cancellation, start=start)
        nodes.append(ShellNode(shell, service))
    return NodeGroup("local", nodes)
