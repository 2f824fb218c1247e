"""The steps that ask or change the cluster as a whole, with their sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etcd_dr.domain.recovery.draft import Draft
from etcd_dr.domain.recovery.step import (
    AcceptClusterId,
    AddLearner,
    AwaitCluster,
    ByHand,
    CompactHistory,
    DefragmentMember,
    DisarmAlarms,
    PromoteLearner,
    RemoveMember,
    TakeSnapshot,
    VerifyCluster,
)


def await_cluster(
    draft: Draft,
    *,
    endpoints: Sequence[str],
    cluster_id: str | None,
    member_ids: Mapping[str, str],
    may_be_absent: Sequence[str] = (),
    deadline_seconds: float,
) -> None:
    draft.begin_phase()
    draft.add(
        AwaitCluster,
        endpoints=tuple(endpoints),
        cluster_id=cluster_id,
        member_ids=dict(member_ids),
        may_be_absent=tuple(may_be_absent),
        deadline_seconds=deadline_seconds,
        title="wait until every member serves" if not may_be_absent else "wait until the members serve",
        why="the members must find one another and choose a leader",
        check="the expected ids, one leader, all of them voters"
        + (f"; {len(may_be_absent)} others are not waited for" if may_be_absent else ""),
    )


def disarm_alarms(draft: Draft, kinds: Sequence[str], *, why: str) -> None:
    draft.begin_phase()
    draft.add(
        DisarmAlarms,
        alarms=tuple(kinds),
        title=f"take back any alarm {' or '.join(kinds)}",
        why=why,
        check="the alarm list no longer has it, and no member raises it again",
    )


def verify_cluster(draft: Draft, *, endpoints: Sequence[str], lowest_revision: int) -> None:
    draft.begin_phase()
    draft.add(
        VerifyCluster,
        endpoints=tuple(endpoints),
        lowest_revision=lowest_revision,
        title="verify the cluster",
        why="a cluster that answers is not yet one that has the right data",
        check=f"equal hashes on all members, a revision of {lowest_revision} or more, a write and a read through quorum",
    )


def remove_member(draft: Draft, *, member: str, member_id: str) -> None:
    draft.begin_phase()
    draft.add(
        RemoveMember,
        about=member,
        member=member,
        member_id=member_id,
        title=f"remove {member} ({member_id}) from the member list",
        why="its vote counts as a missing one until it is removed, and its id must not be used again",
        check="the member list no longer has this id, and the quorum is held",
        undo="this cannot be taken back: a removed id may never return. It can only be added anew, with empty data, "
        "by carrying this plan on or making a new one",
    )


def add_learner(draft: Draft, *, member: str, peer_urls: Sequence[str]) -> None:
    draft.begin_phase()
    draft.add(
        AddLearner,
        about=member,
        member=member,
        peer_urls=tuple(peer_urls),
        title=f"add {member} as a learner",
        why="a learner receives all data and does not vote, so it cannot harm the quorum while it catches up",
        check="the member list has a learner with these peer URLs",
        undo="the learner is removed again",
    )


def promote_learner(draft: Draft, *, member: str, peer_urls: Sequence[str], deadline_seconds: float) -> None:
    draft.begin_phase()
    draft.add(
        PromoteLearner,
        about=member,
        member=member,
        peer_urls=tuple(peer_urls),
        deadline_seconds=deadline_seconds,
        title=f"let {member} vote once it has caught up",
        why="from then on the cluster can lose one member more",
        check="the member list has it as a voter",
        undo="it is removed from the member list, and its node is left with the data set aside",
    )


def compact_history(draft: Draft) -> None:
    draft.begin_phase()
    draft.add(
        CompactHistory,
        title="forget the history of keys, up to the current revision",
        why="space is only freed where no old revision needs it; the current values stay",
        check="the compact revision is the one that was current when the step began",
        undo="history cannot be brought back; no current key is touched",
    )


def defragment_member(draft: Draft, *, member: str, endpoint: str) -> None:
    draft.begin_phase()
    draft.add(
        DefragmentMember,
        about=member,
        member=member,
        endpoint=endpoint,
        title=f"defragment {member}",
        why="one member after the other, the leader last: each answers nothing while its database is rewritten",
        check="it serves again, and its database is smaller",
    )


def accept_cluster_id(draft: Draft, cluster_id: str) -> None:
    draft.begin_phase()
    draft.add(
        AcceptClusterId,
        cluster_id=cluster_id,
        title=f"let the store know the new cluster id {cluster_id}",
        why="snapshots of the recovered cluster belong to the same history",
        check="the store's marker has the id",
        undo="the id stays known to the store, which harms nothing",
    )


def take_snapshot(draft: Draft, *, why: str) -> None:
    draft.begin_phase()
    draft.add(
        TakeSnapshot,
        title="take a snapshot and prove it",
        why=why,
        check="its manifest is committed and its proofs passed",
    )


def by_hand(draft: Draft, *, node: str, instruction: str) -> None:
    draft.begin_phase()
    draft.add(
        ByHand,
        node=node,
        instruction=instruction,
        title=f"by hand{f' on {node}' if node else ''}: {instruction.partition(':')[0]}",
        why="no program can know how this is done here",
        check="the run goes on with: etcd-dr recover resume",
    )
