"""Compare the members of a Talos cluster with one another and with the prediction.

1. Each node is asked itself: the same list of ids everywhere, all of them voters, one leader, no alarm.
2. With etcd's own certificates, the usual verification through etcd's API (`verify`), a write and a read included.
3. Without them, a fresh snapshot of each member is read here: its revision, and HashKV at one common revision. A write
   through the cluster cannot be tried then, and the facts say so.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.cluster import MemberStatus, id_text
from etcd_dr.domain.database import DatabaseStatus, HashKv
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import BuildData, VerifyCluster
from etcd_dr.domain.recovery.talos_step import TalosVerify
from etcd_dr.errors import RevisionUnavailable, SnapshotDamaged, VerificationFailed
from etcd_dr.workflows.receive_stream import receive_stream
from etcd_dr.workflows.recovery.steps.build import predicted_hash
from etcd_dr.workflows.recovery.steps.verify import verify_cluster
from etcd_dr.workflows.recovery.talos_work import driver_of, talos_node, wait_for_nodes
from etcd_dr.workflows.recovery.work import Work

_NO_WRITE = "a write and a read through the cluster (configure etcd's certificates beside talos)"
_SETTLING_SECONDS = 60.0


def verify(step: TalosVerify, work: Work) -> Facts:
    """Return what was compared, and in `not_compared` what could not be. Raises VerificationFailed."""
    facts = _members_agree(step, work)
    etcd = driver_of(work).etcd
    if etcd is not None:
        wanted = VerifyCluster(
            id=step.id,
            phase=step.phase,
            title=step.title,
            why=step.why,
            check=step.check,
            endpoints=tuple(etcd.endpoints),
            lowest_revision=step.lowest_revision,
        )
        with_etcd = replace(work, ports=replace(work.ports, connector=etcd))
        return facts | verify_cluster(wanted, with_etcd) | {"not_compared": ""}
    return facts | _compare_copies(step, work)


def _members_agree(step: TalosVerify, work: Work) -> Facts:
    problem = ""

    def look() -> Facts | None:
        nonlocal problem
        limits = driver_of(work).limits
        lists: dict[str, tuple[int, ...]] = {}
        statuses: dict[str, MemberStatus] = {}
        for name in step.nodes:
            with talos_node(work, name) as node:
                members = node.etcd_members(local=True, deadline=limits.call_deadline)
                statuses[name] = node.etcd_status(deadline=limits.call_deadline)
                alarms = node.etcd_alarms(deadline=limits.call_deadline)
            if alarms:
                told = ", ".join(f"{alarm.kind} of member {id_text(alarm.member_id)}" for alarm in alarms)
                raise VerificationFailed(
                    f"alarms are raised: {told}",
                    subject=name,
                    next_step="Remove their cause, take them back (talosctl etcd alarm disarm), then: "
                    f"etcd-dr recover resume {work.recovery_id}",
                )
            lists[name] = tuple(member.id for member in members)
            problem = next((f"{m.label} is a learner" for m in members if m.is_learner), "")
            if problem:
                return None
        problem = _why_not_one(lists, statuses)
        return None if problem else {"members": len(lists), "leader": _leader(statuses)}

    return wait_for_nodes(work, look, seconds=_SETTLING_SECONDS, problem=lambda: problem)


def _why_not_one(lists: dict[str, tuple[int, ...]], statuses: dict[str, MemberStatus]) -> str:
    if len(set(lists.values())) != 1:
        told = "; ".join(f"{name} lists {', '.join(map(id_text, ids))}" for name, ids in lists.items())
        raise VerificationFailed(
            f"the nodes' member lists differ: {told}",
            next_step="There are two clusters. Wipe none of them: look at both, and decide by hand: etcd-dr doctor",
        )
    missing = [name for name, status in statuses.items() if status.member_id not in lists[name]]
    if missing:
        return f"{', '.join(missing)}: not in its own list"
    if len({status.member_id for status in statuses.values()}) != len(statuses):
        return "two nodes answer as the same member"
    leaders = {status.leader_id for status in statuses.values()}
    return "" if len(leaders) == 1 and 0 not in leaders else "there is not one leader"


def _leader(statuses: dict[str, MemberStatus]) -> str:
    return next((name for name, status in statuses.items() if status.is_leader), "")


def _compare_copies(step: TalosVerify, work: Work) -> Facts:
    """Compare by snapshots of all members, one file after the other; all are removed in the end."""
    predicted = _prediction(work)
    paths = {name: work.place.path("verify", f"{name}.db") for name in step.nodes}
    try:
        statuses = {name: _take(name, path, work) for name, path in paths.items()}
        revision = min(status.current_revision for status in statuses.values())
        if revision < step.lowest_revision:
            raise VerificationFailed(
                f"the revision is {revision}, and {step.lowest_revision} was seen before: watchers would miss events",
                subject=work.plan.cluster,
            )
        return {"current_revision": revision} | _hashes(paths, statuses, predicted, work)
    finally:
        work.place.discard(work.place.directory / "verify")


def _hashes(paths: dict[str, Path], statuses: dict[str, DatabaseStatus], predicted: HashKv | None, work: Work) -> Facts:
    compacted = max(status.compact_revision for status in statuses.values())
    newest = min(status.current_revision for status in statuses.values())
    fits = predicted is not None and compacted <= predicted.compact_revision and predicted.revision <= newest
    at = predicted.revision if predicted is not None and fits else newest
    base = predicted.compact_revision if predicted is not None and fits else compacted
    try:
        asked = {name: boltdb.hash_kv(path, revision=at, compact_revision=base) for name, path in paths.items()}
    except RevisionUnavailable as error:
        return {"hash": None, "not_compared": f"the members' data ({error.message}); {_NO_WRITE}"}
    if len({answer.hash for answer in asked.values()}) != 1:
        told = ", ".join(f"{name} {answer.hash}" for name, answer in asked.items())
        raise VerificationFailed(
            f"the members hold different data: {told}",
            subject=work.plan.cluster,
            next_step="Do not let anything write. See the journal: etcd-dr recover status",
        )
    found = next(iter(asked.values()))
    if fits and predicted is not None and found.hash != predicted.hash:
        raise VerificationFailed(
            f"the members' hash is {found.hash} at revision {found.revision}, predicted was {predicted.hash}",
            subject=work.plan.cluster,
            next_step="Other data was restored than was uploaded. Look before anything else: etcd-dr doctor",
        )
    unsaid = _NO_WRITE
    if predicted is not None and not fits:
        unsaid = f"the prediction (something compacted or went on meanwhile); {_NO_WRITE}"
    return {
        "hash": found.hash,
        "revision": found.revision,
        "compact_revision": found.compact_revision,
        "is_as_predicted": True if fits else None,
        "not_compared": unsaid,
    }


def _prediction(work: Work) -> HashKv | None:
    builds = [step for step in work.plan.steps if isinstance(step, BuildData)]
    return predicted_hash(work, bump=builds[0].bump_revision) if builds else None


def _take(name: str, path: Path, work: Work) -> DatabaseStatus:
    limits, part, is_whole = work.ports.limits.snapshot, work.ports.files.begin_file(path, overwrite=True), False
    try:
        with (
            talos_node(work, name) as node,
            node.snapshot(
                stall_deadline=limits.stall_deadline, total_deadline=limits.stream_deadline(8 << 30)
            ) as stream,
        ):
            receive_stream(
                stream,
                part.write,
                subject=name,
                cancellation=work.ports.cancellation,
                progress=work.ports.progress,
                on_first_message=lambda: None,
            )
        part.commit()
        is_whole = True
    finally:
        if not is_whole:
            part.abort()
    examination = boltdb.examine(path, live_keys=False)
    if examination.status is None or not examination.is_intact:
        raise SnapshotDamaged("the snapshot that it sends is damaged", subject=name)
    return examination.status
