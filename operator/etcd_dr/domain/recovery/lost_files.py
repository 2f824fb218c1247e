"""Files beside the database that nodes have lost, and who puts them back.

- A plan puts back certificates, keys and settings before etcd is started; a file that exists is never replaced.
- Static pod manifests are left to people: the kubelet starts what it finds, also an API server that must not run yet.
- What the keys at hand do not open is left to people as well: a plan must not stop half-way for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MANIFESTS = "/manifests/"


@dataclass(frozen=True, slots=True)
class LostFiles:
    """Absolute paths by node. `can_be_opened`: the snapshot's companions were read with the keys at hand."""

    by_node: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    can_be_opened: bool = False

    def put_back_on(self, node: str) -> tuple[str, ...]:
        """Return what a plan puts back on this node."""
        if not self.can_be_opened:
            return ()
        return tuple(path for path in self.by_node.get(node, ()) if _MANIFESTS not in path)

    def left_to_people(self, planned_nodes: frozenset[str]) -> tuple[str, ...]:
        """Return a sentence for each node with files that the plan does not put back."""
        told = []
        for node, paths in sorted(self.by_node.items()):
            planned = self.put_back_on(node) if node in planned_nodes else ()
            rest = [path for path in paths if path not in planned]
            if rest:
                told.append(
                    f"Files of {node} are missing that the snapshot has beside the database: {', '.join(rest)}. "
                    "Fetch them and put them back: etcd-dr snapshot fetch latest-verified --companions DIRECTORY"
                )
        return tuple(told)


NOTHING_LOST = LostFiles()
