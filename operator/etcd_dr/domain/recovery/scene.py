"""What every member is judged against: the cluster as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.recovery.divergence import Divergence
from etcd_dr.domain.recovery.gathering import Gathered


@dataclass(frozen=True, slots=True)
class Scene:
    """`cluster_id` is that of the cluster in question, `known_ids` all that it has had. `alarms` are by member id."""

    gathered: Gathered
    view: ClusterView
    cluster_id: int | None
    known_ids: tuple[int, ...]
    is_held: bool
    alarms: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    divergence: Divergence = field(default_factory=Divergence)
    leader_index: int = 0
    has_live_list: bool = False
