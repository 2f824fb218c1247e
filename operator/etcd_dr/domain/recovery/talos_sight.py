"""What one look at a Talos node shows beyond its etcd: what kind of machine it is, and whether it can be recovered.

- Texts are Talos' own. What could not be found out is None or empty, never a guess.
- A node can be recovered from here when etcd has not begun and its data directory is empty: `Preparing`; `Failed` after
  30 minutes without a cluster to join; `Finished` where it never joined (Talos: internal/app/machined, etcd service).
"""

from __future__ import annotations

from dataclasses import dataclass

RECOVERABLE_STATES = ("Preparing", "Failed", "Finished")
SETTLED_STAGES = ("booting", "running")


@dataclass(frozen=True, slots=True)
class TalosSight:
    """`service_state` and `service_text` are of the service etcd, the text that of its newest event.

    `listed_ids` are the members in this node's own list, None where it does not tell. `wipe_labels` are the partitions
    that hold etcd's data: EPHEMERAL, and from 1.14 ETCD where it is one of its own. `advertised` counts the addresses
    that etcd advertises here.
    """

    machine_type: str = ""
    stage: str = ""
    tag: str = ""
    is_time_synced: bool | None = None
    service_state: str = ""
    service_text: str = ""
    is_healthy: bool | None = None
    listed_ids: tuple[int, ...] | None = None
    wipe_labels: tuple[str, ...] = ("EPHEMERAL",)
    advertised: int = 1

    @property
    def restores_with_many_addresses(self) -> bool:
        """Up to 1.9.6 and 1.10.4 a restore fails where etcd advertises several addresses (siderolabs/talos#11257)."""
        parts = self.tag.removeprefix("v").split("-")[0].split(".")
        if len(parts) != 3 or not all(part.isdigit() for part in parts):
            return True
        release = tuple(map(int, parts))
        return release >= (1, 10, 5) or (1, 9, 7) <= release < (1, 10, 0)
