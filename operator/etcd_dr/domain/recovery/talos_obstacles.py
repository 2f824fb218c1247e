"""What stands against a recovery on Talos, and which node it begins on.

- Machines of type `init` are refused: Talos ignores a recovery there and makes an empty cluster. Workers have no etcd.
- Ids follow from peer URLs alone (Talos restores with an empty token), so no member's data may be left anywhere: a node
  that cannot be looked at stands against it until a person says that it is lost.
- Nodes whose member lists differ may be two clusters. Then nothing is wiped, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.recovery.assessment import Assessment, MemberAssessment, Statement
from etcd_dr.domain.recovery.room import WAL_BYTES, megabytes
from etcd_dr.domain.recovery.seats import Seat, Seating
from etcd_dr.domain.recovery.talos_sight import TalosSight

_SLACK = 1.05


def talos_of(member: MemberAssessment) -> TalosSight | None:
    """Return what Talos says of the member's node, None where it was not seen."""
    return member.sight.value.talos if member.sight.value is not None else None


def wrong_machines(assessment: Assessment) -> Iterator[str]:
    """Yield a sentence for each node that is no control plane machine, with what to do."""
    for member in assessment.members:
        told = talos_of(member)
        if told is not None and told.machine_type == "init":
            yield (
                f"{member.node} is of type init, where Talos ignores a recovery and makes an empty cluster: talosctl edit "
                f"machineconfig --mode=staged --nodes {member.node}, set machine.type to controlplane, then reboot it"
            )
        if told is not None and told.machine_type == "worker":
            yield f"{member.node} is a worker and has no etcd: leave it out of --nodes (talos.nodes)"


def two_clusters(assessment: Assessment) -> str:
    """Return why the nodes may be two clusters; empty: their member lists agree."""
    lists = {m.node: told.listed_ids for m in assessment.members if (told := talos_of(m)) and told.listed_ids}
    if len(set(lists.values())) < 2:
        return ""
    said = "; ".join(f"{node} lists {', '.join(map(id_text, ids))}" for node, ids in lists.items())
    return (
        f"the nodes' member lists differ: {said}. There may be two clusters: save both "
        "(etcd-dr snapshot save --endpoint NODE), decide which one lives, and wipe the other's nodes by hand"
    )


def unseen(assessment: Assessment) -> Iterator[str]:
    """Yield a sentence for each member whose data may still be somewhere."""
    for member in assessment.members:
        is_seen = member.sight.value is not None and member.data is not None
        if not is_seen and member.statement is not Statement.LOST:
            where = f"its node {member.node} could not be looked at" if member.node else "no configured node runs it"
            yield (
                f"{member.name}: {where}, and its data could make it part of the new cluster: bring it back, or say "
                f"that it is lost: --lost {member.name}"
            )


def target_seat(assessment: Assessment, seating: Seating, *, source_bytes: int) -> tuple[Seat | None, str]:
    """Return the seat to bootstrap, or why there is none: the first with room, on a release that can restore there."""
    problems = []
    for seat in seating.seats:
        problem = _why_not_target(_on(assessment, seat), seat, needed=bytes_on_target(source_bytes))
        if not problem:
            return seat, ""
        problems.append(problem)
    return None, "; ".join(problems) or "no node is left to begin on"


def bytes_on_target(source_bytes: int) -> int:
    """Return what must be free there: the uploaded file and what is restored from it lie on one partition together."""
    return int((2 * source_bytes + WAL_BYTES) * _SLACK)


def _on(assessment: Assessment, seat: Seat) -> MemberAssessment:
    return next(member for member in assessment.members if member.node == seat.node)


def _why_not_target(member: MemberAssessment, seat: Seat, *, needed: int) -> str:
    told, sight = talos_of(member), member.sight.value
    if told is not None and told.advertised > 1 and not told.restores_with_many_addresses:
        return (
            f"Talos {told.tag} on {seat.node} cannot restore with several advertised addresses (siderolabs/talos#11257): "
            "narrow cluster.etcd.advertisedSubnets to one, or upgrade"
        )
    free = sight.free_bytes if sight is not None else None
    if free is not None and free < needed:
        return f"{seat.node} has {megabytes(free)} free and needs {megabytes(needed)}"
    return ""
