"""The verdict on each member and on the quorum, from everything that can be seen or was said.

Rules this module keeps:
- "Lost for good" follows only from evidence on the node (wiped, damaged, another cluster's data) or from a person's
  explicit word about that member. Silence is never enough: then the verdict is `CANNOT_TELL`, with what would tell.
- Each verdict carries its evidence as sentences that a person can check.
- A person's word never overrules what is seen: a member that answers is not lost, whatever was said (`contradiction`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.answer import NOT_ASKED, Answer
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.sight import DataSight, Launch, NodeSight, ProcessState


class Statement(StrEnum):
    """What a person said about a member that cannot be seen."""

    LOST = "lost"
    INTACT = "intact"


class MemberVerdict(StrEnum):
    """Where a member stands, best first."""

    HEALTHY = "healthy"
    """Answers and takes part in the quorum."""
    ANSWERS = "answers"
    """Answers on its own, without a quorum: a survivor."""
    LEARNER = "learner"
    """Answers, and does not vote."""
    DOWN = "down"
    """Does not answer; its data was seen and nothing is wrong with it."""
    SAID_INTACT = "said-intact"
    """Does not answer and cannot be seen; a person says that its data is there."""
    UNKNOWN = "unknown"
    """Does not answer and cannot be seen."""
    DAMAGED = "damaged"
    """Its data is there and cannot be used: structure, WAL, a CORRUPT alarm, a hash that differs from the majority."""
    FOREIGN = "foreign"
    """Its data belongs to another cluster id."""
    WIPED = "wiped"
    """Its node was seen, and there is no data."""
    SAID_LOST = "said-lost"
    """Cannot be seen; a person says that it will not come back."""

    @property
    def is_lost_for_good(self) -> bool:
        return self in _LOST

    @property
    def may_vote_again(self) -> bool:
        """Whether it votes now, or would once it is started."""
        return self in _VOTING

    @property
    def answers(self) -> bool:
        return self in (MemberVerdict.HEALTHY, MemberVerdict.ANSWERS, MemberVerdict.LEARNER)


_LOST = frozenset({MemberVerdict.DAMAGED, MemberVerdict.FOREIGN, MemberVerdict.WIPED, MemberVerdict.SAID_LOST})
_VOTING = frozenset({MemberVerdict.HEALTHY, MemberVerdict.ANSWERS, MemberVerdict.DOWN, MemberVerdict.SAID_INTACT})


@dataclass(frozen=True, slots=True)
class MemberAssessment:
    """One member. `node` is the configured node it runs on, empty where none is known.

    `id` is None for a member that only the configuration knows. `revision`, `raft_term` and `applied_index` are the
    newest that were seen of it, live or on its disk. `cause` names what keeps it down, where something does
    (domain/recovery/clues.py, `Cause`), empty otherwise. `can_be_source`: its database was seen, and nothing speaks
    against building a new cluster from it. `is_live`: it answers, whatever its data is worth. `endpoint` is the client URL by which it is asked from here.
    """

    name: str
    node: str
    id: int | None
    is_voter: bool
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    verdict: MemberVerdict
    evidence: tuple[str, ...]
    statement: Statement | None = None
    contradiction: str = ""
    cause: Cause = Cause.NONE
    revision: int | None = None
    raft_term: int | None = None
    applied_index: int | None = None
    database_bytes: int | None = None
    sight: Answer[NodeSight] = NOT_ASKED
    can_be_source: bool = False
    endpoint: str = ""
    version: str | None = None
    alarms: tuple[str, ...] = ()
    is_leader: bool = False
    is_live: bool = False

    @property
    def launch(self) -> Launch | None:
        """How its node starts etcd, where that was seen."""
        return self.sight.value.launch if self.sight.value else None

    @property
    def is_silent(self) -> bool:
        """Whether its process was seen to run and it does not answer: it waits for others, or it hangs."""
        sight = self.sight.value
        return not self.is_live and sight is not None and sight.process is ProcessState.RUNNING

    @property
    def data(self) -> DataSight | None:
        return self.sight.value.data if self.sight.value else None


class QuorumStanding(StrEnum):
    """What the members' verdicts mean for the quorum."""

    HELD = "held"
    MAY_RETURN = "may-return"
    """Not there, but enough voters have their data: start or repair them, and nothing is lost."""
    LOST_FOR_GOOD = "lost-for-good"
    """So many voters are lost that the rest can never be a majority."""
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that is known before anything is proposed; members in order of name.

    `cluster_id` is the old cluster's. `highest_revision_seen` is over live members, data directories and all
    manifests; None when nothing says one. `last_alive_at` is the latest moment at which the cluster is known to have
    served, None when unknown. `would_tell` are commands or looks that would turn `CANNOT_TELL` into a verdict.
    `known_cluster_ids` are all ids that this cluster has had. `dispute` says that members' data differs and nothing
    tells whose is right: then a person decides. `statements` are the words it rests on, by member. `alarms` are the
    kinds of alarm that are raised, whoever raised them: also members that are gone. `blinded` says why no live member
    could be asked for a reason of our own: then nothing is done, because they may be alive.
    """

    cluster: str
    assessed_at: datetime
    platform: str
    cluster_id: int | None
    members: tuple[MemberAssessment, ...]
    standing: QuorumStanding
    reason: str
    would_tell: tuple[str, ...] = ()
    etcd_version: str | None = None
    highest_revision_seen: int | None = None
    last_alive_at: datetime | None = None
    notes: tuple[str, ...] = ()
    known_cluster_ids: tuple[int, ...] = ()
    dispute: str = ""
    statements: Mapping[str, Statement] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    blinded: str = ""

    @property
    def identity_label(self) -> str:
        """What `cluster_id` is, for a person: Talos tells no etcd cluster id, so one is derived from its own."""
        return "identity derived from Talos' cluster" if self.platform == "talos" else "etcd cluster id"

    @property
    def voters(self) -> tuple[MemberAssessment, ...]:
        return tuple(member for member in self.members if member.is_voter)

    @property
    def strangers(self) -> tuple[MemberAssessment, ...]:
        """Members whose data is of a cluster that is not known, where no other data is left: the store may be wrong."""
        if any(member.can_be_source for member in self.members):
            return ()
        return tuple(m for m in self.members if m.verdict is MemberVerdict.FOREIGN and not self._knows(m))

    def _knows(self, member: MemberAssessment) -> bool:
        return member.data is not None and member.data.cluster_id in self.known_cluster_ids

    def member(self, name: str) -> MemberAssessment:
        """Return the member of that name. Raises KeyError."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)
