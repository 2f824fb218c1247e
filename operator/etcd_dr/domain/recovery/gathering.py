"""Everything that was looked at before anything is judged: the live cluster, the nodes, the store, and what was said.

A look that failed is a failure in here, never a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etcd_dr.domain.answer import NOT_ASKED, Answer
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.recovery.assessment import Statement
from etcd_dr.domain.recovery.sight import NodeSight


@dataclass(frozen=True, slots=True)
class NodeLook:
    """One configured node and what the look at it gave. `place` is where it is, for a person (`ssh root@10.0.0.4`)."""

    node: str
    place: str
    sight: Answer[NodeSight] = NOT_ASKED


@dataclass(frozen=True, slots=True)
class MemberHash:
    """What one live member answered when it was asked for its hash."""

    member_id: int
    hash_kv: HashKv


@dataclass(frozen=True, slots=True)
class Gathered:
    """See the module docstring. `marker_cluster_ids` are those of the store's marker, oldest first;
    `marker_problem` says why it could not be read.

    `hashes` are of one moment, as far as members could be asked. `statements` are by member or node name.
    """

    cluster: str
    platform: str
    at: datetime
    observation: Observation
    looks: tuple[NodeLook, ...] = ()
    catalogue: Answer[Catalogue] = NOT_ASKED
    marker_cluster_ids: tuple[int, ...] = ()
    marker_problem: str = ""
    hashes: tuple[MemberHash, ...] = ()
    statements: Mapping[str, Statement] = field(default_factory=dict)

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """All committed snapshots, oldest first; none where the store could not be asked."""
        return self.catalogue.value.snapshots if self.catalogue.value else ()
