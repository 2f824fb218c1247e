"""The steps of a recovery on Talos, where a node is wiped, a snapshot uploaded to one, and the others join by themselves.

- Everything goes through the machine API; there is no shell. etcd can neither be stopped nor started through it.
- Data cannot be set aside: a wipe has no undo. Safety copies are taken off the nodes before, and are required.
- As all steps, each of these looks before it acts and may be carried out again.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from etcd_dr.domain.recovery.step_shape import PlanStep


class TalosPreflight(PlanStep):
    """Look again: every node answers with os:admin, is no init machine and no worker, has its time and its room."""

    kind: Literal["talos-preflight"] = "talos-preflight"
    nodes: tuple[str, ...]
    target: str = Field(default="", description="the node that is bootstrapped; empty: none is")
    target_bytes_needed: int = 0
    local_bytes_needed: int = 0
    etcdutl_minor: str | None = None


class TalosCopyData(PlanStep):
    """Copy what lies in /var/lib/etcd off the node, file by file, and examine the database."""

    kind: Literal["talos-copy-data"] = "talos-copy-data"


class TalosWipe(PlanStep):
    """Reset exactly these partitions, never gracefully and never the whole disk, and wait for the node's next boot."""

    kind: Literal["talos-wipe"] = "talos-wipe"
    labels: tuple[str, ...] = Field(min_length=1)


class TalosAwaitReady(PlanStep):
    """Wait until etcd on every node waits for a cluster, with an empty data directory."""

    kind: Literal["talos-await-ready"] = "talos-await-ready"
    nodes: tuple[str, ...]
    deadline_seconds: float


class TalosBootstrap(PlanStep):
    """Upload the prepared snapshot, call Bootstrap on this one node right after it, and follow etcd until it is healthy.

    `others` are the nodes whose data directories must be empty: an unwiped one may have the ids of the new cluster.
    """

    kind: Literal["talos-bootstrap"] = "talos-bootstrap"
    member: str
    labels: tuple[str, ...] = Field(min_length=1, description="wiped again where a failed restore left data behind")
    others: tuple[str, ...] = ()
    deadline_seconds: float


class TalosAwaitMembers(PlanStep):
    """Follow the nodes as they join: one learner at a time, promoted by Talos itself."""

    kind: Literal["talos-await-members"] = "talos-await-members"
    via: str = Field(description="a node that is a member already")
    nodes: tuple[str, ...]
    may_be_absent: tuple[str, ...] = Field(default=(), description="ids of listed members that are not waited for")
    deadline_seconds: float


class TalosVerify(PlanStep):
    """Compare the members with one another and with the prediction, as far as Talos lets us see."""

    kind: Literal["talos-verify"] = "talos-verify"
    nodes: tuple[str, ...]
    lowest_revision: int


class TalosRemoveMember(PlanStep):
    """Remove a member by its id, through any of these nodes."""

    kind: Literal["talos-remove-member"] = "talos-remove-member"
    member: str
    member_id: str
    via: tuple[str, ...]


class TalosCompact(PlanStep):
    """Forget the history of keys, where etcd's own API is configured beside Talos: Talos' API has no such call."""

    kind: Literal["talos-compact"] = "talos-compact"


class TalosDefragment(PlanStep):
    """Rewrite the database of the member on this node; it answers nothing meanwhile. Needs os:operator or os:admin."""

    kind: Literal["talos-defragment"] = "talos-defragment"
    member: str


class TalosDisarm(PlanStep):
    """Take all alarms back, through any of these nodes: Talos' call knows no single one.

    `kinds` are those that this plan was made for; another one that is raised by then stops it.
    """

    kind: Literal["talos-disarm"] = "talos-disarm"
    kinds: tuple[str, ...]
    via: tuple[str, ...]


class TalosReboot(PlanStep):
    """Reboot a node whose etcd does not run: Talos starts it anew, and its data is not touched."""

    kind: Literal["talos-reboot"] = "talos-reboot"
