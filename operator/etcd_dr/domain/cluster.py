"""What a cluster is made of: members, their roles, and the arithmetic of quorum.

Ids are etcd's 64-bit unsigned integers; people see them as lowercase hex without leading zeros, as etcdctl prints
them (`id_text`). Stored JSON uses the same text, because JSON numbers lose bits past 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass


def id_text(value: int) -> str:
    """Return an etcd id as etcdctl prints it: lowercase hex without leading zeros."""
    return f"{value:x}"


def parse_id_text(text: str | None) -> int | None:
    """Return the id that `text` spells, or None for what is not an id: stored records are hostile input."""
    digits = text or ""
    return int(digits, 16) if 0 < len(digits) <= 16 and set(digits) <= set("0123456789abcdef") else None


def quorum_size(voters: int) -> int:
    """Return how many voters must agree: floor(voters / 2) + 1 (Raft). 0 voters have no quorum: returns 1."""
    return voters // 2 + 1


def fault_tolerance(*, voters: int, healthy: int) -> int:
    """Return how many more voters may fail before quorum is lost; negative when it is lost already."""
    return healthy - quorum_size(voters)


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One row of etcd's member list. `name` is empty for a member that was added and never started."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool = False

    @property
    def label(self) -> str:
        """The name, or the id where the member never started."""
        return self.name or id_text(self.id)


@dataclass(frozen=True, slots=True)
class MemberList:
    """The members as one member sees them, in order of id."""

    cluster_id: int
    members: tuple[Member, ...]

    @property
    def voters(self) -> tuple[Member, ...]:
        return tuple(m for m in self.members if not m.is_learner)

    @property
    def learners(self) -> tuple[Member, ...]:
        return tuple(m for m in self.members if m.is_learner)

    def by_id(self, member_id: int) -> Member | None:
        """Return the member with this id, or None."""
        return next((m for m in self.members if m.id == member_id), None)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that a member raised. `kind` is NOSPACE or CORRUPT (rpc.proto, AlarmType), or `UNKNOWN-<n>`."""

    member_id: int
    kind: str


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """A member's answer to Maintenance.Status. Sizes are bytes; `None` means that this etcd does not say it.

    `leader_id` 0 means that the member knows no leader. `raft_index` is the committed index.
    """

    cluster_id: int
    member_id: int
    revision: int
    raft_term: int
    raft_index: int
    raft_applied_index: int
    leader_id: int
    version: str
    db_size_bytes: int
    db_in_use_bytes: int | None
    is_learner: bool
    errors: tuple[str, ...] = ()
    storage_version: str | None = None
    db_quota_bytes: int | None = None

    @property
    def is_leader(self) -> bool:
        return self.leader_id == self.member_id and self.leader_id != 0
