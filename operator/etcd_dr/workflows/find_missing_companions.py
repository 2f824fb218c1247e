"""Ask the nodes which of a snapshot's companions they have lost: what a plan proposes to put back.

Only existence counts: a file that is there is never compared and never replaced. A node that cannot be asked has lost
nothing that anybody knows of, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from etcd_dr.domain.companions import missing_companions
from etcd_dr.domain.manifest import CompanionsFacts
from etcd_dr.errors import NodeError, NodeFault
from etcd_dr.ports.control_plane import ControlPlane, Node


def find_missing_companions(
    plane: ControlPlane, facts: CompanionsFacts | None, *, deadline: float
) -> Mapping[str, tuple[str, ...]]:
    """Return the absolute paths that each node lacks, in order; nodes that lack nothing are left out.

    `deadline` is seconds for each file.
    """
    if facts is None:
        return {}
    largest = max((entry.size_bytes for entry in facts.files), default=0)
    found = {}
    for node in plane.nodes:
        has_file = partial(_exists, node, limit_bytes=largest + (1 << 20), deadline=deadline)
        try:
            lacks = missing_companions(facts, node=node.name, has_file=has_file)
        except NodeError:
            continue
        if lacks:
            found[node.name] = lacks
    return found


def _exists(node: Node, path: str, *, limit_bytes: int, deadline: float) -> bool:
    try:
        return node.read_file(path, limit_bytes=limit_bytes, deadline=deadline) is not None
    except NodeFault:
        return True  # it cannot be read, or has grown: there it is all the same, and nothing is put in its place
