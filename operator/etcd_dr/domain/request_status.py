"""The statuses that a request goes through, and what a record says: pure functions from results to words.

Conditions of a snapshot are Accepted, Stored and Proven; of a drill Accepted and Passed. Both have Failed, so that
`kubectl wait --for=condition=Failed` ends as well as the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.drill import DrillCheck, DrillRecord
from etcd_dr.domain.proof import Proof, ProofResult
from etcd_dr.domain.request import (
    Condition,
    DrillAnswer,
    ProofLine,
    Request,
    RequestKind,
    RequestPhase,
    RequestStatus,
    SnapshotAnswer,
)

_MOST_CHECKS = 32
_DETAIL_LIMIT = 400
_WORDS = {True: "passed", False: "failed", None: "inconclusive"}
INTERRUPTED = Failure(
    "interrupted",
    "the operator that carried it out ended, and left no result",
    "See what is in the store with `etcd-dr snapshot list`, and create the request again under another name.",
)


def running(*, claimed_by: str, at: datetime) -> RequestStatus:
    """Return the status that claims a request."""
    accepted = Condition("Accepted", holds=True, reason="Admitted", message=f"carried out by {claimed_by}")
    return RequestStatus(RequestPhase.RUNNING, (accepted,), claimed_by=claimed_by, started_at=at)


def given_back(*, message: str) -> RequestStatus:
    """Return the status of a request that was claimed and not carried out, so that another process takes it."""
    return RequestStatus(
        RequestPhase.PENDING, (Condition("Accepted", holds=None, reason="OperatorStopped", message=message),)
    )


def refused(*, reason: str, message: str, at: datetime) -> RequestStatus:
    """Return the status of a request that will never be begun."""
    failure = Failure(
        "request.refused", message, "A request cannot be changed: delete it, and create it again with what is missing."
    )
    conditions = (
        Condition("Accepted", holds=False, reason=reason, message=message),
        Condition("Failed", holds=True, reason=reason, message=message),
    )
    return RequestStatus(RequestPhase.REFUSED, conditions, finished_at=at, failure=failure)


def failed(request: Request, failure: Failure, *, at: datetime) -> RequestStatus:
    """Return the status of a request that was begun and came to nothing."""
    reason = reason_of(failure.code)
    result = "Stored" if request.kind is RequestKind.SNAPSHOT else "Passed"
    conditions = (
        _admitted(request),
        Condition(result, holds=False, reason=reason, message=failure.message),
        Condition("Failed", holds=True, reason=reason, message=failure.message),
    )
    return _ended(request, RequestPhase.FAILED, conditions, at=at, failure=failure)


def snapshot_completed(request: Request, snapshot: Snapshot, *, store: str, at: datetime) -> RequestStatus:
    """Return the status of a request whose snapshot is in the store, proven or not."""
    conditions = (_admitted(request), *_stored_and_proven(snapshot, store=store), _not_failed())
    answer = snapshot_answer(snapshot, store=store)
    return _ended(request, RequestPhase.COMPLETED, conditions, at=at, answer=answer)


def recorded(snapshot: Snapshot, *, store: str) -> RequestStatus:
    """Return what a record says of a snapshot of the store."""
    return RequestStatus(
        RequestPhase.COMPLETED,
        _stored_and_proven(snapshot, store=store),
        finished_at=snapshot.manifest.finished_at,
        answer=snapshot_answer(snapshot, store=store),
    )


def drill_completed(
    request: Request,
    snapshot: Snapshot,
    *,
    proof: Proof,
    record: DrillRecord,
    checks: Sequence[DrillCheck],
    at: datetime,
) -> RequestStatus:
    """Return the status of a drill that was run to its end, whatever it found."""
    passed = {ProofResult.PASSED: True, ProofResult.FAILED: False}.get(proof.result)
    conditions = (
        _admitted(request),
        Condition("Passed", holds=passed, reason=proof.result.value.capitalize(), message=proof.detail[:_DETAIL_LIMIT]),
        _not_failed(),
    )
    answer = DrillAnswer(
        snapshot_id=str(snapshot.id),
        result=proof.result.value,
        rto_seconds=record.rto_seconds,
        objective_seconds=record.objective_seconds,
        checks=tuple(
            ProofLine(check.name, _WORDS[check.passed], detail=check.detail[:_DETAIL_LIMIT])
            for check in checks[:_MOST_CHECKS]
        ),
    )
    return _ended(request, RequestPhase.COMPLETED, conditions, at=at, answer=answer)


def snapshot_answer(snapshot: Snapshot, *, store: str) -> SnapshotAnswer:
    """Return what is said of a snapshot of the store."""
    newest = snapshot.newest_proofs
    return SnapshotAnswer(
        snapshot_id=str(snapshot.id),
        taken_at=_whole_seconds(snapshot.taken_at),
        revision=snapshot.manifest.database.revision,
        size_bytes=snapshot.manifest.database.size_bytes,
        stored_bytes=snapshot.stored_bytes,
        store=store,
        proven="damaged" if snapshot.is_damaged else (snapshot.level.value if snapshot.level else "no"),
        is_pinned=snapshot.pin is not None,
        proofs=tuple(_proof_line(newest[level]) for level in sorted(newest, key=lambda level: level.rank)),
    )


def reason_of(code: str) -> str:
    """Return an error's code as the one word that a condition wants: `etcd.no_usable_member` is EtcdNoUsableMember."""
    return "".join(part.capitalize() for part in code.replace(".", "_").split("_"))


def _stored_and_proven(snapshot: Snapshot, *, store: str) -> tuple[Condition, Condition]:
    level = snapshot.level
    if snapshot.is_proven and level is not None:
        proven = Condition("Proven", holds=True, reason=level.value.capitalize(), message=f"proven: {level.value}")
    elif snapshot.is_damaged:
        proven = Condition("Proven", holds=False, reason="Damaged", message=snapshot.damage[:_DETAIL_LIMIT])
    else:
        proven = Condition("Proven", holds=False, reason="NotProven", message="no proof that it is stored and intact")
    return Condition("Stored", holds=True, reason="Committed", message=f"{snapshot.id} in store {store}"), proven


def _admitted(request: Request) -> Condition:
    by = request.claimed_by or "an operator"
    return Condition("Accepted", holds=True, reason="Admitted", message=f"carried out by {by}")


def _not_failed() -> Condition:
    return Condition("Failed", holds=False, reason="Completed", message="it was carried out")


def _ended(
    request: Request,
    phase: RequestPhase,
    conditions: tuple[Condition, ...],
    *,
    at: datetime,
    answer: SnapshotAnswer | DrillAnswer | None = None,
    failure: Failure | None = None,
) -> RequestStatus:
    status = RequestStatus(phase, conditions, finished_at=at, answer=answer, failure=failure)
    return replace(status, claimed_by=request.claimed_by, started_at=request.started_at)


def _proof_line(proof: Proof) -> ProofLine:
    return ProofLine(proof.level.value, proof.result.value, _whole_seconds(proof.at), proof.detail[:_DETAIL_LIMIT])


def _whole_seconds(moment: datetime) -> datetime:
    """Return the moment as the API keeps it, so that what is shown can be compared with what should be."""
    return moment.astimezone(UTC).replace(microsecond=0)
