"""Which member serves a snapshot: a decision with its reasons.

Rules, in order:
1. Only a configured member that answered, of the expected cluster, that can serve Snapshot at all (a learner: since
   3.4.28 and 3.5.0) and has no CORRUPT alarm. A second endpoint of the same member is not another member.
2. With quorum: only a member that has applied what the quorum had when the question was asked, so that a snapshot is
   never older than a write that was acknowledged before it began (etcd #14412). Learners before followers before the
   leader, because the load of a snapshot hurts least there; equal ones in the configured order.
3. Without quorum: the member that has applied most comes first, whatever its role, and the choice says so. All
   members apply one log, so the applied index orders what they hold.
4. A member that somebody named is taken although 2 and 3 speak against it; the choice says that they do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from etcd_dr.domain.cluster import Member, MemberStatus, id_text
from etcd_dr.domain.etcd_version import EtcdVersion

_CORRUPT_ALARM = re.compile(r"memberID:(\d{1,20})\s+alarm:CORRUPT", re.ASCII)


class Role(IntEnum):
    """In the order in which members are preferred as a source."""

    LEARNER = 0
    FOLLOWER = 1
    LEADER = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ObservedMember:
    """What one endpoint said. Either `status` or `failure` (a sentence, with its error's code and next step)
    is there.

    `revision` is the newest one it is known to have applied: its status', or that of a read it served. An endpoint
    that is not configured was found in the member list: it may witness a proof and never serves a snapshot.
    """

    endpoint: str
    status: MemberStatus | None = None
    member: Member | None = None
    revision: int = 0
    failure: str = ""
    failure_code: str = ""
    failure_next_step: str = ""
    is_configured: bool = True

    @property
    def label(self) -> str:
        """The member's name where it is known, its endpoint otherwise."""
        return self.member.name if self.member and self.member.name else self.endpoint

    @property
    def id(self) -> int | None:
        """The member's id, once it has answered."""
        return self.status.member_id if self.status else None

    @property
    def role(self) -> Role:
        if self.status is None or self.status.is_learner:
            return Role.LEARNER
        return Role.LEADER if self.status.is_leader else Role.FOLLOWER

    @property
    def version(self) -> EtcdVersion | None:
        return EtcdVersion.parse(self.status.version) if self.status else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that may serve the snapshot, why it stands where it stands, and what to be wary of."""

    observed: ObservedMember
    reason: str
    warnings: tuple[str, ...] = ()

    @property
    def status(self) -> MemberStatus:
        if self.observed.status is None:
            raise AssertionError("a candidate has answered")
        return self.observed.status


@dataclass(frozen=True, slots=True)
class RefusedMember:
    """A member that may not, and why."""

    observed: ObservedMember
    reason: str


@dataclass(frozen=True, slots=True)
class MemberChoice:
    """All members in the order in which they are tried. `quorum_revision` is None where no quorum answered."""

    candidates: tuple[Candidate, ...]
    refused: tuple[RefusedMember, ...]
    quorum_revision: int | None

    @property
    def has_quorum(self) -> bool:
        return self.quorum_revision is not None


def choose_member(
    members: tuple[ObservedMember, ...],
    *,
    quorum_revision: int | None,
    cluster_ids: frozenset[int] = frozenset(),
    max_applied_lag: int = 1000,
    named_endpoint: str | None = None,
) -> MemberChoice:
    """Return who may serve a snapshot, best first, and who may not. `cluster_ids` empty: any cluster is right."""
    candidates: list[Candidate] = []
    refused: list[RefusedMember] = []
    for observed in (
        m for m in members if (m.is_configured if named_endpoint is None else m.endpoint == named_endpoint)
    ):
        objection = _objection(observed, cluster_ids) or _twin_of(observed, candidates)
        behind = "" if objection else _behind(observed, quorum_revision, max_applied_lag)
        if objection or (behind and named_endpoint is None):
            refused.append(RefusedMember(observed, objection or behind))
        else:
            candidates.append(_candidate(observed, quorum_revision, behind))
    return MemberChoice(
        candidates=tuple(sorted(candidates, key=_by_role if quorum_revision is not None else _by_progress)),
        refused=tuple(refused),
        quorum_revision=quorum_revision,
    )


def has_corrupt_alarm(status: MemberStatus) -> bool:
    """Tell whether the member itself stands under a CORRUPT alarm; every member reports those of all."""
    alarmed = {int(found) for text in status.errors for found in _CORRUPT_ALARM.findall(text)}
    return status.member_id in alarmed


def _objection(observed: ObservedMember, cluster_ids: frozenset[int]) -> str:
    status = observed.status
    if status is None:
        return observed.failure
    if cluster_ids and status.cluster_id not in cluster_ids:
        expected = ", ".join(sorted(map(id_text, cluster_ids)))
        return f"belongs to cluster {id_text(status.cluster_id)}, not to {expected}"
    version = observed.version
    if status.is_learner and version is not None and not version.learner_serves_snapshots:
        return f"is a learner of etcd {version}, which serves no snapshots (3.4.28 and 3.5.0 do)"
    if has_corrupt_alarm(status):
        return "has a CORRUPT alarm"
    return ""


def _twin_of(observed: ObservedMember, candidates: list[Candidate]) -> str:
    twins = [
        c.observed.endpoint
        for c in candidates
        if observed.status and observed.status.member_id and observed.status.member_id == c.status.member_id
    ]
    return f"is the member that {twins[0]} leads to" if twins else ""


def _behind(observed: ObservedMember, quorum_revision: int | None, max_applied_lag: int) -> str:
    status = observed.status
    if status is None or quorum_revision is None:
        return ""
    if observed.revision < quorum_revision:
        return f"is at revision {observed.revision}, the quorum was at {quorum_revision}"
    lag = status.raft_index - status.raft_applied_index
    return f"has {lag} raft entries still to apply" if lag > max_applied_lag else ""


def _candidate(observed: ObservedMember, quorum_revision: int | None, behind: str) -> Candidate:
    warnings = [f"{observed.label} {behind}; it was asked for by name"] if behind else []
    version = observed.version
    if version is not None and version.may_send_another_file:
        warnings.append(
            f"etcd {version} on {observed.label} may send pages of a replaced file under a right digest "
            "(fixed in 3.4.38, 3.5.23, 3.6.5): only the intact and consistent proofs tell"
        )
    if quorum_revision is None and not _progress(observed):
        warnings.append(
            f"nobody may ask {observed.label} how far it has come: the snapshot holds what it has, which may not be "
            "the newest"
        )
        reason = "its role and its progress are not told"
    elif quorum_revision is None:
        warnings.append(
            f"no quorum answered: the snapshot holds what {observed.label} has, which may not be the newest"
        )
        reason = f"{observed.role.word}, has applied {_progress(observed)}, no quorum"
    else:
        reason = f"{observed.role.word}, caught up at {_progress(observed)}"
    return Candidate(observed, reason, tuple(warnings))


def _progress(observed: ObservedMember) -> str:
    """Say how far the member has come; Talos does not tell revisions, and an old one tells some roles nothing."""
    if observed.revision or observed.status is None:
        return f"revision {observed.revision}"
    return f"raft index {observed.status.raft_applied_index}" if observed.status.raft_applied_index else ""


def _by_role(candidate: Candidate) -> tuple[int, int]:
    return (candidate.observed.role, 0)


def _by_progress(candidate: Candidate) -> tuple[int, int]:
    return (-candidate.status.raft_applied_index, -candidate.observed.revision)
