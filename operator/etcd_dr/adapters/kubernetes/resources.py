"""EtcdSnapshot and EtcdDrill as JSON documents: parsed from what anybody may have written, and composed.

- The fields are those of charts/etcd-dr/files/crds. What does not parse in a spec makes a request malformed, never an
  error here: somebody wants to read why it is refused.
- A status is composed as a whole, with null for what it does not have, so that a merge patch takes away old fields.
- `lastTransitionTime` stays while a condition's status stays (sig-architecture api-conventions.md, Conditions).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.request import (
    Condition,
    DrillAnswer,
    ProofLine,
    Request,
    RequestKind,
    RequestPhase,
    RequestStatus,
    SnapshotAnswer,
    Wish,
)

GROUP_VERSION = "etcd-dr.io/v1alpha1"
PLURALS = {RequestKind.SNAPSHOT: "etcdsnapshots", RequestKind.DRILL: "etcddrills"}
RECORD_LABEL = "etcd-dr.io/record"
CLUSTER_LABEL = "etcd-dr.io/cluster"
_NAME_CHARACTERS = re.compile(r"[^a-z0-9.-]")
_DRILL_ONLY = ("result", "rtoSeconds", "rto", "objectiveSeconds", "checks")
_SNAPSHOT_ONLY = ("takenAt", "revision", "sizeBytes", "storedBytes", "size", "store", "pinned", "proven", "proofs")


def parse(kind: RequestKind, document: Mapping[str, Any]) -> Request:
    """Return what a document of the API says."""
    metadata = document["metadata"]
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    faults = _faults(spec)
    ttl = spec.get("ttlSecondsAfterFinished")
    return Request(
        kind=kind,
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        version=str(metadata["resourceVersion"]),
        cluster=str(spec.get("cluster") or ""),
        created_at=_time(metadata["creationTimestamp"]) or datetime.fromtimestamp(0, UTC),
        note=str(spec.get("note") or ""),
        wants_pin=spec.get("pin") is True,
        selector=str(spec.get("snapshot") or ""),
        ttl=timedelta(seconds=ttl) if isinstance(ttl, int) and not faults else None,
        phase=_phase(status.get("phase")),
        claimed_by=str(status.get("claimedBy") or ""),
        started_at=_time(status.get("startedAt")),
        finished_at=_time(status.get("finishedAt")),
        answer=_answer(kind, status),
        failure=_parsed_failure(status),
        is_record=RECORD_LABEL in _mapping(metadata.get("labels")),
        is_going=bool(metadata.get("deletionTimestamp")),
        malformed=faults,
        seen=(metadata.get("generation"), status.get("conditions") or ()),
    )


def compose_status(kind: RequestKind, status: RequestStatus, *, seen: object, now: datetime) -> dict[str, Any]:
    """Return a status document; `seen` is that of the request as it was parsed, for the times of its conditions."""
    generation, conditions = seen if isinstance(seen, tuple) else (None, ())
    return {
        "phase": status.phase.value,
        "observedGeneration": generation,
        "claimedBy": status.claimed_by or None,
        "startedAt": time_text(status.started_at),
        "finishedAt": time_text(status.finished_at),
        "error": _failure(status),
        "conditions": [_condition(each, conditions, generation, now) for each in status.conditions],
        **_answer_fields(kind, status.answer),
    }


def compose_wish(wish: Wish) -> dict[str, Any]:
    """Return the document of a request that is to be left."""
    spec = {
        "cluster": wish.cluster,
        "note": wish.note,
        "pin": wish.wants_pin or None,
        "snapshot": wish.selector,
        "ttlSecondsAfterFinished": None if wish.ttl is None else int(wish.ttl.total_seconds()),
    }
    named = {"name": wish.name} if wish.name else {"generateName": f"{_NAME_CHARACTERS.sub('-', wish.cluster)}-"}
    return {
        "apiVersion": GROUP_VERSION,
        "kind": wish.kind.value,
        "metadata": named,
        "spec": without_nothing(spec),
    }


def record_name(cluster: str, snapshot_id: str) -> str:
    """Return the name of a snapshot's record, as DNS would have it (RFC 1123)."""
    return f"{_NAME_CHARACTERS.sub('-', cluster)}-{snapshot_id.lower()}"


def compose_record(cluster: str, snapshot_id: str) -> dict[str, Any]:
    """Return a record without its status, which is written apart."""
    return {
        "apiVersion": GROUP_VERSION,
        "kind": RequestKind.SNAPSHOT.value,
        "metadata": {
            "name": record_name(cluster, snapshot_id),
            "labels": {
                RECORD_LABEL: "true",
                CLUSTER_LABEL: cluster,
                "app.kubernetes.io/managed-by": "etcd-dr",
            },
        },
        "spec": {"cluster": cluster},
    }


def without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without nulls and empty texts: API servers up to 1.20 take an empty text for null."""
    return {key: value for key, value in document.items() if value is not None and value != ""}


def time_text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _faults(spec: Mapping[str, Any]) -> str:
    """Say what in a spec is not what the schema asks for; a server without the schema, or an older one, lets it in."""
    if not isinstance(spec.get("cluster"), str) or not spec["cluster"]:
        return "spec.cluster must name a cluster"
    for key, kind in (("note", str), ("snapshot", str), ("pin", bool)):
        if key in spec and not isinstance(spec[key], kind):
            return f"spec.{key} is not a {'text' if kind is str else 'yes or no'}"
    ttl = spec.get("ttlSecondsAfterFinished", 0)
    if not isinstance(ttl, int) or isinstance(ttl, bool) or not 0 <= ttl <= 31_536_000:
        return "spec.ttlSecondsAfterFinished is not a number of seconds of at most a year"
    return ""


def _answer(kind: RequestKind, status: Mapping[str, Any]) -> SnapshotAnswer | DrillAnswer | None:
    """Return the answer in a status that we wrote; None where there is none, or none that can be read."""
    try:
        if kind is RequestKind.DRILL:
            return _drill_answer(status) if status.get("result") else None
        return _snapshot_answer(status) if status.get("snapshotID") else None
    except (KeyError, TypeError, ValueError):
        return None


def _snapshot_answer(status: Mapping[str, Any]) -> SnapshotAnswer:
    taken_at = _time(status["takenAt"])
    if taken_at is None:
        raise ValueError("takenAt is no time")
    return SnapshotAnswer(
        snapshot_id=str(status["snapshotID"]),
        taken_at=taken_at,
        revision=int(status["revision"]),
        size_bytes=int(status["sizeBytes"]),
        stored_bytes=int(status["storedBytes"]),
        store=str(status["store"]),
        proven=str(status["proven"]),
        is_pinned=bool(status.get("pinned")),
        proofs=tuple(
            ProofLine(each["level"], each["result"], _time(each.get("at")), each.get("detail", ""))
            for each in status.get("proofs") or ()
        ),
    )


def _drill_answer(status: Mapping[str, Any]) -> DrillAnswer:
    return DrillAnswer(
        snapshot_id=str(status.get("snapshotID") or ""),
        result=str(status["result"]),
        rto_seconds=status.get("rtoSeconds"),
        objective_seconds=status.get("objectiveSeconds"),
        checks=tuple(
            ProofLine(each["name"], each["result"], detail=each.get("detail", ""))
            for each in status.get("checks") or ()
        ),
    )


def _answer_fields(kind: RequestKind, answer: SnapshotAnswer | DrillAnswer | None) -> dict[str, Any]:
    nothing = dict.fromkeys(("snapshotID", *(_DRILL_ONLY if kind is RequestKind.DRILL else _SNAPSHOT_ONLY)))
    if isinstance(answer, SnapshotAnswer):
        return {
            "snapshotID": answer.snapshot_id,
            "takenAt": time_text(answer.taken_at),
            "revision": answer.revision,
            "sizeBytes": answer.size_bytes,
            "storedBytes": answer.stored_bytes,
            "size": _size_text(answer.size_bytes),
            "store": answer.store,
            "pinned": answer.is_pinned,
            "proven": answer.proven,
            "proofs": [
                without_nothing(
                    {"level": each.name, "result": each.result, "at": time_text(each.at), "detail": each.detail}
                )
                for each in answer.proofs
            ],
        }
    if isinstance(answer, DrillAnswer):
        return {
            "snapshotID": answer.snapshot_id,
            "result": answer.result,
            "rtoSeconds": answer.rto_seconds,
            "rto": None if answer.rto_seconds is None else f"{answer.rto_seconds:.1f}s",
            "objectiveSeconds": answer.objective_seconds,
            "checks": [
                without_nothing({"name": each.name, "result": each.result, "detail": each.detail})
                for each in answer.checks
            ],
        }
    return nothing


def _condition(condition: Condition, seen: Any, generation: object, now: datetime) -> dict[str, Any]:
    text = {True: "True", False: "False", None: "Unknown"}[condition.holds]
    before: Mapping[str, Any] = next((each for each in seen if each.get("type") == condition.name), {})
    since = before.get("lastTransitionTime") if before.get("status") == text else None
    document = {
        "type": condition.name,
        "status": text,
        "observedGeneration": generation,
        "lastTransitionTime": since or time_text(now),
        "reason": condition.reason,
        "message": condition.message,
    }
    return without_nothing(document)


def _failure(status: RequestStatus) -> dict[str, str] | None:
    if status.failure is None:
        return None
    said = {"code": status.failure.code, "message": status.failure.message, "nextStep": status.failure.next_step}
    return without_nothing(said)


def _parsed_failure(status: Mapping[str, Any]) -> Failure | None:
    error = _mapping(status.get("error"))
    if not error:
        return None
    return Failure(str(error.get("code", "")), str(error.get("message", "")), str(error.get("nextStep", "")))


def _phase(text: object) -> RequestPhase | None:
    return next((phase for phase in RequestPhase if phase.value == text), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) and text else None
    except ValueError:
        return None


def _size_text(count: int) -> str:
    """Return bytes as `kubectl` users read them: 20Mi."""
    size = float(count)
    for unit in ("", "Ki", "Mi", "Gi"):
        if size < 1024 or unit == "Gi":
            return f"{size:.1f}{unit}" if unit and size < 100 else f"{size:.0f}{unit}"
        size /= 1024
    raise AssertionError
