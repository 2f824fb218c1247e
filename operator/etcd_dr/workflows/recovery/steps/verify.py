"""Compare the recovered cluster with what was predicted.

1. HashKV at one revision, of every member: equal, and equal to the prediction where the data was built here.
2. The revision is not lower than any that was ever seen.
3. No alarm is left.
4. A key of our own is written, read through another member, and deleted; after that the hash is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from etcd_dr.domain.cluster import Alarm
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import BuildData, VerifyCluster
from etcd_dr.errors import RevisionUnavailable, VerificationFailed
from etcd_dr.workflows.recovery.steps.build import predicted_hash
from etcd_dr.workflows.recovery.work import Work

_TRIES = 5


def verify_cluster(step: VerifyCluster, work: Work) -> Facts:
    """Return what was compared. An election is waited out in each part by itself: what was compared stays compared."""
    predicted = _prediction(work)
    asked = work.patiently(lambda: _ask_all(step, work, revision=predicted.revision if predicted else None))  # 1
    _compare(asked, predicted)
    found = next(iter(asked.values()))
    revision = work.patiently(lambda: _revision(step, work))  # 2
    _check_alarms(work.patiently(lambda: _alarms(step, work)), work)  # 3
    written_at = work.patiently(lambda: _write_and_read(step, work))  # 4
    return {
        "hash": found.hash,
        "revision": found.revision,
        "compact_revision": found.compact_revision,
        "is_as_predicted": True if predicted is not None and found.is_comparable_with(predicted) else None,
        "members": len(asked),
        "current_revision": revision,
        "written_at_revision": written_at,
    }


def _prediction(work: Work) -> HashKv | None:
    builds = [step for step in work.plan.steps if isinstance(step, BuildData)]
    return predicted_hash(work, bump=builds[0].bump_revision) if builds else None


def _ask_all(step: VerifyCluster, work: Work, *, revision: int | None) -> dict[str, HashKv]:
    """Ask every member for its hash at one revision, that of the first one where none was predicted.

    A member that compacts between two questions answers at another compact revision: then all are asked again. At a
    revision that was just compacted some remember the hash of before the compaction (mvcc/hash.go, HashStorage): a
    write of our own leads to another one.
    """
    asked: dict[str, HashKv] = {}
    for _ in range(_TRIES):
        first, *others = step.endpoints
        if revision is None:
            asked = {first: _ask(first, work, revision=None)}
            asked |= _ask_together(others, work, revision=asked[first].revision)
        else:
            asked = _ask_together(step.endpoints, work, revision=revision)
        if len({(answer.revision, answer.compact_revision) for answer in asked.values()}) == 1:
            return asked
        if revision is None:
            _write_and_read(step, work)
        work.ports.pause(work.ports.limits.look_again_seconds)
    told = ", ".join(f"{endpoint} compacted at {answer.compact_revision}" for endpoint, answer in asked.items())
    raise VerificationFailed(
        f"the members cannot be compared: {told}",
        subject=work.plan.cluster,
        next_step=f"They compact all the time. Try again: etcd-dr recover resume {work.recovery_id}",
    )


def _ask_together(endpoints: Sequence[str], work: Work, *, revision: int) -> dict[str, HashKv]:
    with ThreadPoolExecutor(max(1, len(endpoints)), thread_name_prefix="hash") as pool:
        answers = pool.map(lambda endpoint: _ask(endpoint, work, revision=revision), endpoints)
        return dict(zip(endpoints, answers, strict=True))


def _ask(endpoint: str, work: Work, *, revision: int | None) -> HashKv:
    limits = work.ports.limits
    with work.member(endpoint) as member:
        status = member.status(deadline=limits.call_deadline)
        deadline = limits.snapshot.hash_deadline(status.db_size_bytes)
        member.read(linearizable=True, deadline=limits.call_deadline)  # it has applied what the others have
        try:
            return member.hash_kv(revision=revision or 0, deadline=deadline)
        except RevisionUnavailable:
            if revision is None:
                raise
            return member.hash_kv(revision=0, deadline=deadline)  # etcd up to 3.5.9 refuses its compact revision


def _compare(asked: dict[str, HashKv], predicted: HashKv | None) -> None:
    hashes = {answer.hash for answer in asked.values()}
    if len(hashes) != 1:
        told = ", ".join(f"{endpoint} {answer.hash}" for endpoint, answer in asked.items())
        raise VerificationFailed(
            f"the members hold different data: {told}",
            next_step="Do not let anything write. Abort, and look at the journal: etcd-dr recover status",
        )
    found = next(iter(asked.values()))
    if predicted is not None and found.is_comparable_with(predicted) and found.hash != predicted.hash:
        raise VerificationFailed(
            f"the members' hash is {found.hash} at revision {found.revision}, predicted was {predicted.hash}",
            next_step="Something else wrote, or other data was started. Abort: etcd-dr recover abort",
        )


def _revision(step: VerifyCluster, work: Work) -> int:
    with work.member(step.endpoints[0]) as member:
        revision = member.read(linearizable=True, deadline=work.ports.limits.call_deadline)
    if revision < step.lowest_revision:
        raise VerificationFailed(
            f"the revision is {revision}, and {step.lowest_revision} was seen before: watchers would miss events",
            subject=work.plan.cluster,
        )
    return revision


def _alarms(step: VerifyCluster, work: Work) -> tuple[Alarm, ...]:
    with work.member(step.endpoints[0]) as member:
        return member.alarms(deadline=work.ports.limits.change_deadline)


def _check_alarms(alarms: Sequence[Alarm], work: Work) -> None:
    if alarms:
        told = ", ".join(f"{alarm.kind} of member {alarm.member_id:x}" for alarm in alarms)
        raise VerificationFailed(
            f"alarms are raised: {told}",
            subject=work.plan.cluster,
            next_step=f"Remove their cause, then: etcd-dr recover resume {work.recovery_id}",
        )


def _write_and_read(step: VerifyCluster, work: Work) -> int:
    key, value = f"etcd-dr/recovery-check/{work.recovery_id}".encode(), work.ports.tokens.token().encode()
    deadline = work.ports.limits.change_deadline
    first, last = step.endpoints[0], step.endpoints[-1]
    with work.admin(first) as admin:
        revision = admin.put(key, value, deadline=deadline)
    with work.admin(last) as admin:
        found = admin.get(key, deadline=deadline)
        admin.delete(key, deadline=deadline)
    if found != value:
        raise VerificationFailed(
            f"a key that was written through {first} reads differently through {last}", subject=work.plan.cluster
        )
    return revision
