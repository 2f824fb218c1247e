"""Answer one request: claim it, carry it out, and say what came of it.

1. Claim it with a status that names this process; whoever claims second is told so and leaves it.
2. Carry it out, with what the caller gives for that.
3. Report. The answer is written over our own claim only: when somebody touched the request meanwhile it is read again,
   and when it is no longer ours, or gone, nobody is waiting for us.

An API that vanishes between 1 and 3 takes nothing back: the answer is kept by the caller and reported again. A process
that ends there leaves a claim behind, which another one settles from what is in the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.request import Request, RequestKind, RequestPhase, RequestStatus
from etcd_dr.domain.request_status import (
    INTERRUPTED,
    failed,
    given_back,
    refused,
    running,
    snapshot_completed,
)
from etcd_dr.errors import Cancelled, EtcdDrError, KubernetesError, ResourceConflict, ResourceMissing
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.request_desk import RequestDesk

_REPORT_TRIES = 3

Run = Callable[[Request], RequestStatus]
"""Carries a claimed request out and returns its answer; raises EtcdDrError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringPorts:
    """What answering talks to. `holder` is this process and no other, ever."""

    desk: RequestDesk
    clock: Clock
    events: EventSink
    holder: str


def claim(request: Request, *, ports: AnsweringPorts) -> Request | None:
    """Claim a request and return it as it is then; None when somebody else was first. Raises KubernetesError."""
    try:
        claimed = ports.desk.write_status(request, running(claimed_by=ports.holder, at=ports.clock.now()))
    except (ResourceConflict, ResourceMissing):
        return None
    _tell(claimed, RequestPhase.RUNNING, "Started", f"carried out by {ports.holder}", ports)
    return claimed


def carry_out(claimed: Request, run: Run, *, ports: AnsweringPorts) -> RequestStatus:
    """Return what came of a claimed request; never raises an error of ours."""
    try:
        return run(claimed)
    except Cancelled as wish:
        return given_back(message=f"the operator was stopped ({wish.message}); it is taken up again")
    except EtcdDrError as error:
        return failed(claimed, Failure.of(error), at=ports.clock.now())


def refuse(request: Request, *, reason: str, message: str, ports: AnsweringPorts) -> RequestStatus | None:
    """Say why a request will never be begun; None when somebody else was first. Raises KubernetesError."""
    status = refused(reason=reason, message=message, at=ports.clock.now())
    try:
        written = ports.desk.write_status(request, status)
    except (ResourceConflict, ResourceMissing):
        return None
    _announce(written, status, ports)
    return status


def settle(request: Request, stored: Snapshot | None, *, store: str, ports: AnsweringPorts) -> RequestStatus | None:
    """Say what became of a request whose process is gone: `stored` is the snapshot that was taken for it.

    None when somebody else was first. Raises KubernetesError.
    """
    now = ports.clock.now()
    if stored is not None and request.kind is RequestKind.SNAPSHOT:
        status = snapshot_completed(request, stored, store=store, at=now)
    else:
        status = failed(request, INTERRUPTED, at=now)
    try:
        written = ports.desk.write_status(request, status)
    except (ResourceConflict, ResourceMissing):
        return None
    _announce(written, status, ports)
    return status


def report(claimed: Request, status: RequestStatus, *, ports: AnsweringPorts) -> None:
    """Write the answer of a request that this process claimed. Raises KubernetesError; then report again later."""
    current = claimed
    for _ in range(_REPORT_TRIES):
        try:
            written = ports.desk.write_status(current, status)
        except ResourceMissing:
            return
        except ResourceConflict:
            current = _look(claimed, ports)
            if current.uid != claimed.uid or current.claimed_by != ports.holder:
                return
        else:
            _announce(written, status, ports)
            return
    raise ResourceConflict("it is written all the time by somebody else", subject=claimed.name)


def _look(claimed: Request, ports: AnsweringPorts) -> Request:
    """Return the request as it is now; one that is gone is nobody's."""
    try:
        return ports.desk.look(claimed)
    except ResourceMissing:
        return Request(claimed.kind, claimed.name, "", "", claimed.cluster, claimed.created_at)


def _announce(request: Request, status: RequestStatus, ports: AnsweringPorts) -> None:
    reason = status.phase.value
    message = status.failure.message if status.failure else _words(status)
    next_step = f" {status.failure.next_step}" if status.failure else ""
    _tell(request, status.phase, reason, f"{message}.{next_step}" if next_step else message, ports)
    ports.events.emit(
        "request.answered",
        level="warning" if status.failure else "info",
        cluster=request.cluster,
        request=f"{request.kind}/{request.name}",
        phase=status.phase.value,
        snapshot_id=status.answer.snapshot_id if status.answer else None,
        error_code=status.failure.code if status.failure else None,
        error=status.failure.message if status.failure else None,
    )


def _words(status: RequestStatus) -> str:
    return "; ".join(
        condition.message for condition in status.conditions if condition.name not in ("Accepted", "Failed")
    )


def _tell(request: Request, phase: RequestPhase, reason: str, message: str, ports: AnsweringPorts) -> None:
    """Leave a word beside the request; that it cannot be left is no failure of the request."""
    bad = phase in (RequestPhase.FAILED, RequestPhase.REFUSED)
    try:
        ports.desk.tell(request, severity="Warning" if bad else "Normal", reason=reason, message=message)
    except KubernetesError as error:
        ports.events.emit(
            "request.word_lost",
            level="warning",
            cluster=request.cluster,
            request=f"{request.kind}/{request.name}",
            error_code=error.code,
            error=str(error),
        )
