"""The typed steps of a plan. A step is data: what to do, to which node, why, how it is checked, how it is undone.

Rules this module keeps:
- Everything a step needs is in it or in the plan; nothing is decided while it is carried out. Paths on nodes follow
  from the recovery's id (`plan.aside_name`), so that a second run finds what a first one left.
- Every step can be carried out again after it was cut off at any point (it looks before it acts).
- Steps of the same `phase` touch different things and may be carried out at the same time; phases go in order.
- `why`, `check` and `undo` are sentences for people. `undo` empty: there is nothing to take back.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from etcd_dr.domain.recovery.step_shape import PlanStep as _Step
from etcd_dr.domain.recovery.talos_step import (
    TalosAwaitMembers,
    TalosAwaitReady,
    TalosBootstrap,
    TalosCompact,
    TalosCopyData,
    TalosDefragment,
    TalosDisarm,
    TalosPreflight,
    TalosReboot,
    TalosRemoveMember,
    TalosVerify,
    TalosWipe,
)


class Preflight(_Step):
    """Look again: rights, tools, room, and that the plan's facts still hold. Changes nothing."""

    kind: Literal["preflight"] = "preflight"
    etcdutl_minor: str | None = None
    local_bytes_needed: int = 0
    node_bytes_needed: dict[str, int] = Field(default_factory=dict)


class FetchSnapshot(_Step):
    """Bring the snapshot here once, decrypted, and verify it: digests, trailer, structure, HashKV."""

    kind: Literal["fetch-snapshot"] = "fetch-snapshot"
    snapshot_id: str


class FetchSurvivor(_Step):
    """Take a survivor's data here and prove it: over its API while it runs, else its database file from its node."""

    kind: Literal["fetch-survivor"] = "fetch-survivor"
    member: str
    endpoint: str = Field(default="", description="the survivor's client URL; empty: its process is down")


class FenceWriters(_Step):
    """Stop what writes to etcd on this node, so that nobody reads old state from a half-made cluster."""

    kind: Literal["fence-writers"] = "fence-writers"


class LiftFence(_Step):
    """Bring the writers of this node back: those that ran before."""

    kind: Literal["lift-fence"] = "lift-fence"


class StopEtcd(_Step):
    kind: Literal["stop-etcd"] = "stop-etcd"


class CopyData(_Step):
    """Copy this node's data directory off the node, before anything on it is touched."""

    kind: Literal["copy-data"] = "copy-data"


class BuildData(_Step):
    """Restore the source into a member's data directory, here, with the official etcdutl."""

    kind: Literal["build-data"] = "build-data"
    member: str
    peer_urls: tuple[str, ...]
    initial_cluster: dict[str, tuple[str, ...]]
    token: str
    bump_revision: int = Field(description="0: no bump, which only an explicit wish allows")
    has_trailer: bool = True


class SetDataAside(_Step):
    """Rename the node's data directory to its aside name, on the same file system. Nothing is deleted."""

    kind: Literal["set-data-aside"] = "set-data-aside"


class PlaceData(_Step):
    """Stream the built data directory to the node and rename it into place."""

    kind: Literal["place-data"] = "place-data"
    member: str


class StartEtcd(_Step):
    """Start etcd. With `joins`, as a member that joins these (name to peer URLs)."""

    kind: Literal["start-etcd"] = "start-etcd"
    joins: dict[str, tuple[str, ...]] | None = None


class AwaitCluster(_Step):
    """Wait until every member serves, with the expected ids, one leader, and all of them voters.

    `may_be_absent` are the ids of listed members that this plan does not bring back: they may be silent, or learners.
    """

    kind: Literal["await-cluster"] = "await-cluster"
    endpoints: tuple[str, ...]
    cluster_id: str | None = None
    member_ids: dict[str, str] = Field(default_factory=dict)
    may_be_absent: tuple[str, ...] = ()
    deadline_seconds: float


class DisarmAlarms(_Step):
    """Take back alarms that came with the data (they survive a restore), or whose cause is gone."""

    kind: Literal["disarm-alarms"] = "disarm-alarms"
    alarms: tuple[str, ...]


class VerifyCluster(_Step):
    """Compare with the prediction: HashKV equal on all members, revision not lower than ever seen, write and read."""

    kind: Literal["verify-cluster"] = "verify-cluster"
    endpoints: tuple[str, ...]
    lowest_revision: int


class RemoveMember(_Step):
    kind: Literal["remove-member"] = "remove-member"
    member_id: str
    member: str


class AddLearner(_Step):
    kind: Literal["add-learner"] = "add-learner"
    member: str
    peer_urls: tuple[str, ...]


class PromoteLearner(_Step):
    """Wait until the learner has caught up, then let it vote."""

    kind: Literal["promote-learner"] = "promote-learner"
    member: str
    peer_urls: tuple[str, ...]
    deadline_seconds: float


class CompactHistory(_Step):
    """Compact to the revision that is current when the step begins, so that a defragmentation frees space."""

    kind: Literal["compact-history"] = "compact-history"


class DefragmentMember(_Step):
    kind: Literal["defragment-member"] = "defragment-member"
    member: str
    endpoint: str


class PutCompanions(_Step):
    """Put files of the snapshot's companions back where they are missing; an existing file is never replaced."""

    kind: Literal["put-companions"] = "put-companions"
    paths: tuple[str, ...]


class AcceptClusterId(_Step):
    """Add the new cluster id to the store's marker, so that snapshots of the recovered cluster are its own."""

    kind: Literal["accept-cluster-id"] = "accept-cluster-id"
    cluster_id: str


class TakeSnapshot(_Step):
    """Take and prove a fresh snapshot: the first restore point of the recovered cluster."""

    kind: Literal["take-snapshot"] = "take-snapshot"


class ByHand(_Step):
    """Something only a person can do. The run stops here, says it, and goes on with `recover resume`."""

    kind: Literal["by-hand"] = "by-hand"
    instruction: str


Step = Annotated[
    Preflight
    | FetchSnapshot
    | FetchSurvivor
    | FenceWriters
    | LiftFence
    | StopEtcd
    | CopyData
    | BuildData
    | SetDataAside
    | PlaceData
    | StartEtcd
    | AwaitCluster
    | DisarmAlarms
    | VerifyCluster
    | RemoveMember
    | AddLearner
    | PromoteLearner
    | CompactHistory
    | DefragmentMember
    | PutCompanions
    | AcceptClusterId
    | TakeSnapshot
    | TalosPreflight
    | TalosCopyData
    | TalosWipe
    | TalosAwaitReady
    | TalosBootstrap
    | TalosAwaitMembers
    | TalosVerify
    | TalosRemoveMember
    | TalosReboot
    | TalosCompact
    | TalosDefragment
    | TalosDisarm
    | ByHand,
    Field(discriminator="kind"),
]
