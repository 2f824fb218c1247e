"""How much room a recovery needs, on each node and here.

A built data directory is the database and one WAL file, which etcd allocates at once (server/storage/wal,
SegmentSizeBytes). The old directory stays beside it, and so takes nothing more; the stream that arrives beside it
takes the new one's size once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment
from etcd_dr.domain.recovery.seats import Seating

WAL_BYTES = 64 << 20
_COPIED_WAL_BYTES = 2 * WAL_BYTES  # a member keeps a few, and the last one is allocated ahead
_SLACK = 1.05  # the snapshot file of raft, directories, and what the file system takes for itself


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that must be free. `short` are sentences on nodes that have less."""

    on_nodes: dict[str, int] = field(default_factory=dict)
    here: int = 0
    short: tuple[str, ...] = ()


def room_for(
    assessment: Assessment, seating: Seating, *, source_bytes: int, copied: tuple[MemberAssessment, ...]
) -> Room:
    """Return what a new cluster from a source of this size needs; `copied` are the members copied here first."""
    built = int((source_bytes + WAL_BYTES) * _SLACK)
    on_nodes = {seat.node: built for seat in seating.seats}
    copies = sum((member.database_bytes or 0) + _COPIED_WAL_BYTES for member in copied)
    return Room(on_nodes, source_bytes + built * len(seating.seats) + copies, short_of(assessment, on_nodes))


def short_of(assessment: Assessment, needed: dict[str, int]) -> tuple[str, ...]:
    """Return a sentence for each node that was seen to have less room than it needs."""
    found = []
    for member in assessment.members:
        sight = member.sight.value
        wanted = needed.get(member.node, 0)
        if sight is not None and sight.free_bytes is not None and sight.free_bytes < wanted:
            found.append(f"{member.node} has {megabytes(sight.free_bytes)} free and needs {megabytes(wanted)}")
    return tuple(found)


def megabytes(size: int) -> str:
    """Return a size for people, in MB of a million bytes; below ten of them with a tenth, and never 0 for something."""
    mega = size / 1e6
    return f"{mega:,.0f} MB" if mega >= 10 or not size else f"{max(mega, 0.1):.1f} MB"
