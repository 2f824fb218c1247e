"""The steps on Talos, with their sentences for people."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.domain.recovery.draft import Draft
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

_JOIN_SECONDS = 720.0  # ten minutes in which Talos promotes, and what comes before; one was seen to take 135 s
_READY_SECONDS = 1200.0


def preflight(
    draft: Draft,
    *,
    nodes: Sequence[str],
    target: str = "",
    target_bytes: int = 0,
    local_bytes: int = 0,
    etcdutl_minor: str | None = None,
) -> None:
    draft.begin_phase()
    draft.add(
        TalosPreflight,
        nodes=tuple(nodes),
        target=target,
        target_bytes_needed=target_bytes,
        local_bytes_needed=local_bytes,
        etcdutl_minor=etcdutl_minor,
        title="look again before anything is touched",
        why="the plan is only as good as the facts it was made from, and os:admin is needed on every node",
        check="every node answers with os:admin and is a control plane machine, and there is room and the right tool",
    )


def copy_data(draft: Draft, node: str) -> None:
    draft.add(
        TalosCopyData,
        node=node,
        title=f"copy /var/lib/etcd of {node} here",
        why="nothing can be set aside on Talos: after the wipe this copy is all that is left of it",
        check="every file has its size, and the database's digest is in the journal",
    )


def wipe(draft: Draft, node: str, *, labels: Sequence[str]) -> None:
    named = " and ".join(labels)
    draft.add(
        TalosWipe,
        node=node,
        labels=tuple(labels),
        title=f"wipe {named} of {node} and reboot it",
        why="Talos begins a member only in an empty data directory; machine configuration and secrets stay",
        check="it has booted anew (another boot id), and its data directory is empty",
        undo="",
    )


def await_ready(draft: Draft, nodes: Sequence[str]) -> None:
    draft.begin_phase()
    draft.add(
        TalosAwaitReady,
        nodes=tuple(nodes),
        deadline_seconds=_READY_SECONDS,
        title="wait until etcd on every node waits for a cluster",
        why="a member with old data, started later, could take part under an id of the new cluster",
        check="Preparing (or given up waiting), an empty data directory, a settled machine, its time in sync",
    )


def bootstrap(
    draft: Draft, *, node: str, member: str, labels: Sequence[str], others: Sequence[str], deadline_seconds: float
) -> None:
    draft.begin_phase()
    draft.add(
        TalosBootstrap,
        node=node,
        member=member,
        labels=tuple(labels),
        others=tuple(others),
        deadline_seconds=deadline_seconds,
        title=f"upload the prepared snapshot to {node} and bootstrap it there",
        why="on one node only: two bootstraps are two clusters",
        check="etcd is healthy there as the member that was computed; a failed restore is told with Talos' reason",
    )


def await_members(draft: Draft, *, via: str, nodes: Sequence[str], may_be_absent: Sequence[str] = ()) -> None:
    draft.begin_phase()
    draft.add(
        TalosAwaitMembers,
        via=via,
        nodes=tuple(nodes),
        may_be_absent=tuple(may_be_absent),
        deadline_seconds=_JOIN_SECONDS * max(1, len(nodes)),
        title=f"follow {', '.join(nodes)} joining",
        why="Talos joins them by itself, one learner at a time, which takes minutes for each",
        check="each is a healthy voter; a learner that stays one is named",
    )


def verify(draft: Draft, *, nodes: Sequence[str], lowest_revision: int) -> None:
    draft.begin_phase()
    draft.add(
        TalosVerify,
        nodes=tuple(nodes),
        lowest_revision=lowest_revision,
        title="verify the cluster",
        why="a cluster that answers is not yet one that has the right data",
        check=f"one list of voters, one leader, no alarm, equal hashes, a revision of {lowest_revision} or more; what "
        "could not be compared is said",
    )


def remove_member(draft: Draft, *, member: str, member_id: str, via: Sequence[str]) -> None:
    draft.begin_phase()
    draft.add(
        TalosRemoveMember,
        about=member,
        member=member,
        member_id=member_id,
        via=tuple(via),
        title=f"remove {member} ({member_id}) from the member list",
        why="its vote counts as a missing one until it is removed, and its id must not be used again",
        check="the member list no longer has this id",
        undo="",
    )


def reboot(draft: Draft, node: str) -> None:
    draft.add(
        TalosReboot,
        node=node,
        title=f"reboot {node}",
        why="etcd cannot be started through Talos' API; it starts when the machine boots",
        check="it has booted anew (another boot id)",
    )


def compact(draft: Draft) -> None:
    draft.begin_phase()
    draft.add(
        TalosCompact,
        title="forget the history of keys, where etcd's own API is configured",
        why="space is only freed where no old revision needs it; Talos has no such call, so without etcd's certificates "
        "only what was compacted before is freed",
        check="the compact revision is the one that was current, or the journal says that nobody could be asked",
        undo="history cannot be brought back; no current key is touched",
    )


def defragment(draft: Draft, *, node: str, member: str) -> None:
    draft.begin_phase()
    draft.add(
        TalosDefragment,
        node=node,
        about=member,
        member=member,
        title=f"defragment {member} on {node}",
        why="one member after the other, the leader last: each answers nothing while its database is rewritten",
        check="it answers again, and the size of its database is in the journal",
    )


def disarm(draft: Draft, kinds: Sequence[str], *, via: Sequence[str], why: str) -> None:
    draft.begin_phase()
    draft.add(
        TalosDisarm,
        kinds=tuple(kinds),
        via=tuple(via),
        title=f"take back the alarm {' and '.join(kinds)}",
        why=why,
        check="no alarm of another kind is raised, the databases are below their quota, and afterwards no alarm is left",
    )
