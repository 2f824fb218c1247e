"""Read etcd's database file from every node that can be reached, and keep the copy that has come furthest.

For the hour in which etcd does not answer any more, so that no snapshot can be asked of it.

1. One node after the other, so that no more than two copies need room at a time.
2. A running member writes to its file while it is read: a copy that is not whole is read again, a few times.
3. Each copy is examined page by page. A node tells no failure of reading: what is missing, the examination finds.
4. The best one stays until the context is left; the others are removed at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.disaster_copy import DatabaseCopy
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.domain.talos import DATABASE_FILE
from etcd_dr.errors import AccessDenied, EtcdError, NoUsableMember
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.events import EventSink, Progress
from etcd_dr.ports.local_files import ScratchSpace
from etcd_dr.ports.talos import TalosFleet
from etcd_dr.workflows.receive_stream import raise_if_cancelled

_TRIES = 3


@dataclass(frozen=True, slots=True)
class CopyPorts:
    """Everything that copying talks to."""

    fleet: TalosFleet
    scratch: ScratchSpace
    cancellation: Cancellation
    progress: Progress
    events: EventSink


@dataclass(frozen=True, slots=True)
class BestCopy:
    """The copy that is kept, where it lies, and what became of the others."""

    path: Path
    chosen: DatabaseCopy
    copies: tuple[DatabaseCopy, ...]


@contextmanager
def best_copy(addresses: Sequence[str], *, ports: CopyPorts, limits: SnapshotLimits) -> Iterator[BestCopy]:
    """Yield the best intact copy. Raises AccessDenied where all nodes refuse, NoUsableMember where none gave one."""
    copies: list[DatabaseCopy] = []
    refusals: list[AccessDenied] = []
    best: tuple[DatabaseCopy, Path] | None = None
    with ExitStack() as kept:
        for address in addresses:
            raise_if_cancelled(ports.cancellation)
            with ExitStack() as tried:
                try:
                    copy, path = _whole_copy(address, tried, ports=ports, limits=limits)
                except EtcdError as error:
                    refusals += [error] if isinstance(error, AccessDenied) else []
                    copies.append(DatabaseCopy(address, problem=error.message))
                    continue
                copies.append(copy)
                if copy.is_better_than(best[0] if best else None):
                    kept.close()
                    kept.push(tried.pop_all())
                    best = (copy, path)
        if best is None:
            raise _nothing(copies, refusals)
        for copy in copies:
            ports.events.emit("database.copied", node=copy.address, bytes=copy.size_bytes, reason=copy.problem or None)
        yield BestCopy(best[1], best[0], tuple(copies))


def _whole_copy(
    address: str, opened: ExitStack, *, ports: CopyPorts, limits: SnapshotLimits
) -> tuple[DatabaseCopy, Path]:
    copy, path = DatabaseCopy(address, problem="was not read"), Path()
    for _ in range(_TRIES):
        opened.close()
        copy, path = _one_copy(address, opened, ports=ports, limits=limits)
        if copy.status is not None:
            break
    return copy, path


def _one_copy(
    address: str, opened: ExitStack, *, ports: CopyPorts, limits: SnapshotLimits
) -> tuple[DatabaseCopy, Path]:
    scratch = opened.enter_context(ports.scratch.create(expected_bytes=0))
    size = 0
    ports.progress.begin(f"copying from {address}", total_bytes=None)
    try:
        with (
            closing(ports.fleet.open(address)) as node,
            node.read_stream(
                DATABASE_FILE, stall_deadline=limits.stall_deadline, total_deadline=limits.stream_deadline(8 << 30)
            ) as stream,
            ports.cancellation.on_cancel(stream.cancel),
        ):
            for chunk in stream:
                scratch.append(chunk.blob)
                size += len(chunk.blob)
                ports.progress.advance(len(chunk.blob))
    finally:
        ports.progress.finish()
    if not size:
        return DatabaseCopy(address, problem="the file is empty"), scratch.path
    examination = boltdb.examine(scratch.path, workers=1)
    if not examination.is_intact or examination.status is None:
        first = next(iter(examination.errors), None)
        damage = f"{first.code} at {first.where}" if first else "it could not be read to its end"
        return DatabaseCopy(address, size, problem=f"is not whole: {damage}"), scratch.path
    return DatabaseCopy(address, size, examination.status), scratch.path


def _nothing(copies: Sequence[DatabaseCopy], refusals: Sequence[AccessDenied]) -> EtcdError:
    told = "; ".join(f"{copy.address}: {copy.problem}" for copy in copies)
    if refusals and len(refusals) == len(copies):
        return refusals[0]
    return NoUsableMember(
        f"none of {len(copies)} nodes gave a whole database ({told})",
        next_step="See how the nodes are: etcd-dr doctor. What is stored already: etcd-dr snapshot list --verified",
        context={copy.address: copy.problem for copy in copies},
    )
