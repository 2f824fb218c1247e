"""Bring a snapshot to one Talos node and make a cluster of it.

1. Look where the node stands: healthy with the expected id, restoring, left with the remains of a failed restore, or
   empty. Whatever cut off an earlier run, one of these is the case.
2. Remains are wiped: Bootstrap refuses a directory that is not empty, and Talos copies the database into it before it
   checks its hash.
3. Every other node's data directory must be empty, because ids follow from the peer URL alone (Talos restores with an
   empty token), and so an unwiped member of an earlier attempt could join this one.
4. Upload, then Bootstrap at once: Talos takes whatever file lies there. `Not ready yet` is asked again for a while.
5. Bootstrap answers before it restores. etcd's service is followed until it is healthy, or Failed with its reason. A
   node that reboots meanwhile forgets that it was to restore, and is bootstrapped again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.sight import NodeSight
from etcd_dr.domain.recovery.talos_step import TalosBootstrap
from etcd_dr.errors import (
    EtcdError,
    MemberTimeout,
    MemberUnreachable,
    NodeFault,
    RecoveryError,
    StreamBroken,
    VerificationFailed,
)
from etcd_dr.workflows.receive_stream import raise_if_cancelled
from etcd_dr.workflows.recovery.steps.build import built_directory
from etcd_dr.workflows.recovery.steps.talos_nodes import reset_and_wait
from etcd_dr.workflows.recovery.talos_work import (
    boot_id,
    driver_of,
    has_no_data,
    look_at_node,
    service_words,
    talos_node,
    talos_of,
    wait_for_nodes,
)
from etcd_dr.workflows.recovery.work import Work

_ROUNDS = 4
_UPLOADS = 4
_PIECE_BYTES = 256 << 10
_STOPPED_FIRST = "context canceled"  # up to 1.12 a service that is bootstrapped ends as Failed first


class Standing(StrEnum):
    HEALTHY = "healthy"
    UNDER_WAY = "under-way"
    REMAINS = "remains"
    EMPTY = "empty"


def bootstrap(step: TalosBootstrap, work: Work) -> Facts:
    """Return when the node serves as the member that was computed. Raises NodeFault with Talos' own reason."""
    rounds = uploads = wipes = 0
    while rounds < _ROUNDS:
        rounds += 1
        standing = wait_for_nodes(
            work,
            lambda: _standing(look_at_node(work, step.node)),
            seconds=step.deadline_seconds,
            problem=lambda: f"{step.node} does not answer",
        )
        if standing is Standing.HEALTHY:
            return _served(step, work) | {"uploads": uploads, "wiped_again": wipes}
        if standing is Standing.REMAINS:
            wipes += 1
            reset_and_wait(step.node, step.labels, work, boot=boot_id(work, step.node))
            continue
        boot = boot_id(work, step.node)
        if standing is Standing.EMPTY:
            _check_others(step, work)
            uploads += _upload(step, work)
            if not _call(step, work):
                continue
        _follow(step, work, boot=boot)
    raise NodeFault(
        f"was bootstrapped {_ROUNDS} times, and something undid it each time (reboots?)",
        subject=step.node,
        next_step="See what it says: etcd-dr doctor; talosctl dmesg | tail -50. Let it settle, then resume.",
    )


def _standing(sight: NodeSight) -> Standing | None:
    """Return where the node stands, None while it boots or its directory could not be looked at."""
    told = talos_of(sight)
    if sight.data is None or not told.service_state:
        return None
    if has_no_data(sight):
        return None if told.service_state in ("Waiting", "Starting", "Initialized") else Standing.EMPTY
    if told.service_state == "Running" and told.is_healthy:
        return Standing.HEALTHY
    if told.service_state == "Failed" and _STOPPED_FIRST not in told.service_text:
        return Standing.REMAINS
    return Standing.UNDER_WAY


def _check_others(step: TalosBootstrap, work: Work) -> None:
    for name in step.others:
        sight = look_at_node(work, name)
        if not has_no_data(sight):
            raise NodeFault(
                "has data in its data directory: no other node may be bootstrapped beside it",
                subject=name,
                next_step="Somebody bootstrapped it, or it was not wiped. Look at it: etcd-dr doctor; then make a new plan.",
                context={"service": service_words(sight)},
            )


def _upload(step: TalosBootstrap, work: Work) -> int:
    """Upload, and again where it breaks off; return how many times it took."""
    database = built_directory(work, step.member) / "member" / "snap" / "db"
    size = work.place.size_bytes(database)
    if size is None:
        raise RecoveryError("the snapshot to upload was not prepared here", subject=work.recovery_id)

    def send() -> None:
        with talos_node(work, step.node) as node:
            node.upload_snapshot(_pieces(database, work), deadline=work.ports.limits.copy_deadline(size))

    for attempt in range(1, _UPLOADS + 1):
        raise_if_cancelled(work.ports.cancellation)
        try:
            _while_not_ready(send, work)
        except (StreamBroken, MemberUnreachable, MemberTimeout) as error:
            if attempt == _UPLOADS:
                raise
            work.warn("recovery.upload_broken", node=step.node, error=error)
            work.ports.pause(driver_of(work).limits.look_again)
        else:
            return attempt
    raise AssertionError("the last attempt returns or raises")


def _pieces(database: Path, work: Work) -> Iterator[bytes]:
    """Yield the prepared database, then the SHA-256 of it: the trailer that a restore asks for."""
    sha256 = hashlib.sha256()
    with database.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            raise_if_cancelled(work.ports.cancellation)
            sha256.update(piece)
            work.ports.progress.advance(len(piece))
            yield piece
    yield sha256.digest()


def _call(step: TalosBootstrap, work: Work) -> bool:
    """Call Bootstrap; return whether it was taken. Where that cannot be told, the node is looked at again."""

    def begin() -> None:
        with talos_node(work, step.node) as node:
            node.bootstrap(recover=True, deadline=driver_of(work).limits.change_deadline)

    try:
        _while_not_ready(begin, work)
    except (MemberUnreachable, MemberTimeout, StreamBroken) as error:
        work.warn("recovery.bootstrap_unanswered", node=step.node, error=error)
        work.ports.pause(driver_of(work).limits.look_again)
        return False
    except EtcdError as error:
        if error.context.get("reason") != "already-exists":
            raise
        work.ports.pause(driver_of(work).limits.look_again)
        return False
    return True


def _while_not_ready(act: Callable[[], None], work: Work) -> None:
    """Act, and again while the node says that it is not ready yet. Raises what it says in the end."""
    clock, limits = work.ports.clock, driver_of(work).limits
    ends_at = clock.monotonic() + limits.refused_for
    while True:
        try:
            return act()
        except EtcdError as error:
            if error.context.get("reason") != "not-ready" or clock.monotonic() >= ends_at:
                raise
        work.ports.pause(limits.look_again)


def _follow(step: TalosBootstrap, work: Work, *, boot: str) -> None:
    """Return when etcd is healthy, or when the node rebooted and has to be bootstrapped again."""
    problem = "nothing was seen yet"

    def look() -> bool | None:
        nonlocal problem
        sight = look_at_node(work, step.node)
        told = talos_of(sight)
        problem = f"{step.node}: {service_words(sight)}"
        if told.service_state == "Failed" and _STOPPED_FIRST not in told.service_text:
            raise NodeFault(
                f"etcd could not be restored: {told.service_text}",
                subject=step.node,
                next_step="Remove what it names (room, version, image). Resuming wipes what it left behind and tries again.",
                context={"service_state": told.service_state, "service_text": told.service_text},
            )
        if told.service_state == "Running" and told.is_healthy:
            return True
        has_forgotten = has_no_data(sight) and boot_id(work, step.node) not in ("", boot)
        return True if has_forgotten and _standing(sight) is Standing.EMPTY else None

    wait_for_nodes(work, look, seconds=step.deadline_seconds, problem=lambda: problem)


def _served(step: TalosBootstrap, work: Work) -> Facts:
    """Return what serves there. Raises VerificationFailed where it is not the member that the plan computed."""
    with talos_node(work, step.node) as node:
        status = node.etcd_status(deadline=driver_of(work).limits.call_deadline)
    member_id = id_text(status.member_id)
    expected = {each.id for each in work.plan.expected.members} if work.plan.expected is not None else set()
    if expected and member_id not in expected:
        raise VerificationFailed(
            f"serves as member {member_id}, the plan computed {', '.join(sorted(expected))}",
            subject=step.node,
            next_step="Another cluster runs there. Look before anything is wiped: etcd-dr doctor; then make a new plan.",
        )
    return {"member_id": member_id, "raft_term": status.raft_term, "database_bytes": status.db_size_bytes}
