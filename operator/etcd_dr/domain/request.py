"""A request: somebody's wish for a snapshot or a drill now, left where the operator finds it, and its answer.

- A request is carried out once or not at all. It is claimed by a status that names the claiming process, written
  only if nobody wrote since; `decide` says what to do with each request from what is seen of it.
- A phase is where it stands; conditions say why, each with a reason that programs may compare.
- A record is no wish: it mirrors one snapshot of the store, and is made anew from there when it is lost.

What a request looks like in the Kubernetes API is the adapter's to know.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from etcd_dr.domain.answer import Failure

UID_LABEL = "request-uid"
"""The label of a manifest that says for which request it was taken."""

NAMESPACE_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""What the name of a namespace looks like (RFC 1123 label); anything else would bend the path of a call to the API."""


class RequestKind(StrEnum):
    SNAPSHOT = "EtcdSnapshot"
    DRILL = "EtcdDrill"


class RequestPhase(StrEnum):
    """`REFUSED`: it was never begun, because it cannot be done as it is."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    REFUSED = "Refused"

    @property
    def is_final(self) -> bool:
        return self in (RequestPhase.COMPLETED, RequestPhase.FAILED, RequestPhase.REFUSED)


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about a request. `holds` None: not known. `reason` is one CamelCase word."""

    name: str
    holds: bool | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One proof or one check of a drill, in short."""

    name: str
    result: str
    at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotAnswer:
    """What is said of a snapshot. `proven` is the highest level, `no` or `damaged`; sizes are bytes."""

    snapshot_id: str
    taken_at: datetime
    revision: int
    size_bytes: int
    stored_bytes: int
    store: str
    proven: str
    is_pinned: bool
    proofs: tuple[ProofLine, ...]


@dataclass(frozen=True, slots=True)
class DrillAnswer:
    """What is said of a drill. Times are seconds; `rto_seconds` None: not every phase was run."""

    snapshot_id: str
    result: str
    rto_seconds: float | None
    objective_seconds: float | None
    checks: tuple[ProofLine, ...]


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """The answer so far. `claimed_by` names the process that carries it out."""

    phase: RequestPhase
    conditions: tuple[Condition, ...] = ()
    claimed_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    answer: SnapshotAnswer | DrillAnswer | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A wish as it was last seen. `version` changes with every write; `uid` is this object's and no other's ever.

    `selector` is what a drill names, empty for the default. `ttl` None: as the operator has it. `malformed` says what
    cannot be read in it. `is_going`: somebody has deleted it, and it waits for something.
    """

    kind: RequestKind
    name: str
    uid: str
    version: str
    cluster: str
    created_at: datetime
    note: str = ""
    wants_pin: bool = False
    selector: str = ""
    ttl: timedelta | None = None
    phase: RequestPhase | None = None
    claimed_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    answer: SnapshotAnswer | DrillAnswer | None = None
    failure: Failure | None = None
    is_record: bool = False
    is_going: bool = False
    malformed: str = ""
    seen: object = field(default=None, compare=False, repr=False)
    """What else the adapter wants to remember of it, such as the times of its conditions."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for. `name` empty: one is found for it. `ttl` None: as the operator has it."""

    kind: RequestKind
    cluster: str
    name: str = ""
    note: str = ""
    wants_pin: bool = False
    selector: str = ""
    ttl: timedelta | None = None


class Action(StrEnum):
    LEAVE = "leave"
    RUN = "run"
    REFUSE = "refuse"
    SETTLE = "settle"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a request, and for a refusal why. `SETTLE`: find out what became of another process's run."""

    action: Action
    reason: str = ""
    message: str = ""


_LEAVE = Decision(Action.LEAVE)


def decide(
    request: Request, *, now: datetime, clusters: Collection[str], me: str, held: Collection[str], ttl: timedelta
) -> Decision:
    """Return what to do with a request; `me` is this very process, and `held` are the uids that it works on."""
    if request.is_record or request.is_going or request.uid in held:
        return _LEAVE
    if request.phase is not None and request.phase.is_final:
        return Decision(Action.REMOVE) if _is_over(request, now=now, ttl=ttl) else _LEAVE
    # Claimed by us and not held: the answer to our claim was lost on the way, and nothing was begun.
    if request.phase is RequestPhase.RUNNING and request.claimed_by != me:
        return Decision(Action.SETTLE)
    if request.malformed:
        return Decision(Action.REFUSE, "InvalidSpec", request.malformed)
    if request.cluster not in clusters:
        known = ", ".join(sorted(clusters))
        return Decision(Action.REFUSE, "UnknownCluster", f"this operator protects: {known}")
    return Decision(Action.RUN)


def due_to_go_at(request: Request, *, ttl: timedelta) -> datetime | None:
    """Return when a finished request has had its time; None while it is not finished, and for a record."""
    if request.is_record or request.phase is None or not request.phase.is_final or request.finished_at is None:
        return None
    return request.finished_at + (ttl if request.ttl is None else request.ttl)


def _is_over(request: Request, *, now: datetime, ttl: timedelta) -> bool:
    due_at = due_to_go_at(request, ttl=ttl)
    return due_at is not None and due_at <= now
