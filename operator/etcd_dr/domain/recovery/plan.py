"""A plan: the way that was chosen, what it rests on, what is expected of it, and its steps in order, as data.

Rules this module keeps:
- Canonical JSON, so that `digest` means something: what a person confirmed is what is carried out, byte for byte.
- `facts` are what the plan was made from, without what changes by itself (revisions, sizes, times). When they no
  longer hold the plan is stale, and `changes` says what is different.
- The ids of the new cluster are computed beforehand: etcd derives them from the peer URLs and the token
  (server/etcdserver/api/membership, NewMember and genID), and the token is new every time.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import StoredHashKv, canonical_json
from etcd_dr.domain.recovery.assessment import Statement
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.step import Step

PLAN_VERSION = 1
SHORT_DIGEST = 8
"""How many hex digits of the digest a person types."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MemberFact(_Record):
    """What must still hold of one member. `data` names the data directory's cluster id, `empty`, or `unseen`."""

    name: str
    node: str
    verdict: str
    data: str


class PlanFacts(_Record):
    """What the plan was made from. `snapshot_id` is empty where no snapshot is used."""

    cluster_id: str | None
    standing: str
    members: tuple[MemberFact, ...]
    snapshot_id: str = ""

    def changes(self, now: PlanFacts) -> tuple[str, ...]:
        """Return, in sentences, what is different now; empty: the plan still fits."""
        found = []
        if now.cluster_id != self.cluster_id:
            found.append(f"the cluster id was {self.cluster_id}, it is {now.cluster_id}")
        if now.standing != self.standing:
            found.append(f"the quorum was {self.standing}, it is {now.standing}")
        if now.snapshot_id != self.snapshot_id:
            found.append(f"the snapshot was {self.snapshot_id or 'none'}, it would be {now.snapshot_id or 'none'}")
        before, after = ({m.name: m for m in facts.members} for facts in (self, now))
        for name in sorted(before.keys() | after.keys()):
            old, new = before.get(name), after.get(name)
            if old is None or new is None:
                found.append(f"member {name} is {'new' if old is None else 'gone'}")
            elif old != new:
                found.append(f"member {name} was {old.verdict} (data: {old.data}), it is {new.verdict} ({new.data})")
        return tuple(found)


class ExpectedMember(_Record):
    name: str
    node: str
    id: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]


class ExpectedCluster(_Record):
    """The cluster that a rebuild or a restore makes; ids are lowercase hex text."""

    token: str
    cluster_id: str
    members: tuple[ExpectedMember, ...]


class SourceChoice(_Record):
    """Where the data comes from: a snapshot, or a survivor. What is None is known once it was fetched and proven."""

    kind: Literal["snapshot", "survivor"]
    name: str
    revision: int | None
    hash_kv: StoredHashKv | None = None
    live_keys: int | None = None
    plain_size_bytes: int | None = None
    stored_size_bytes: int | None = None
    plain_digest: str | None = None
    alarms: tuple[str, ...] = ()
    has_trailer: bool = True
    etcd_version: str | None = None


class Plan(_Record):
    """One recovery, decided. `recovery_id` is new for every plan; a plan is carried out at most once."""

    version: Literal[1] = 1
    recovery_id: str
    cluster: str
    platform: str
    made_at: AwareDatetime
    made_by: str
    tool_version: str
    chosen: Candidate
    refused: tuple[Candidate, ...] = ()
    facts: PlanFacts
    highest_revision_seen: int | None = None
    source: SourceChoice | None = None
    expected: ExpectedCluster | None = None
    steps: tuple[Step, ...]
    afterwards: tuple[str, ...] = Field(default=(), description="what a person still has to restart or look at")
    statements: dict[str, Statement] = Field(
        default_factory=dict, description="what was said of members; the look before the run rests on the same words"
    )

    @property
    def way(self) -> Way:
        return self.chosen.way

    @property
    def digest(self) -> Digest:
        """SHA-256 over the canonical JSON."""
        return Digest.of_sha256(hashlib.sha256(canonical_json(self)).digest())

    @property
    def short_digest(self) -> str:
        """What a person types to confirm: the first hex digits of the digest."""
        return str(self.digest).rpartition(":")[2][:SHORT_DIGEST]

    def step(self, step_id: str) -> Step:
        """Return the step with this id. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


def aside_name(recovery_id: str) -> str:
    """Return what a set-aside data directory's name ends with: `<data dir>.etcd-dr-<recovery id>`."""
    return f"etcd-dr-{recovery_id}"
