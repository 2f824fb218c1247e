"""The ways back, most gentle first, with at most one recommended; and the choice among them.

- All ways are told, those that are not possible with their reason.
- Recommended is the gentlest one that ends in a quorum without harm. While it is disputed whose data is right, or
  unknown whether the quorum is lost, nothing is: then a person decides, or finds out.
- A survivor goes before a snapshot unless the snapshot has more. While a member's data is there and could not be read,
  no new cluster is recommended: it may have more than any source. Nor while all data that is left is of a cluster that
  the store does not know: it may be the wrong store.
"""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import Assessment, MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.clues import Cause
from etcd_dr.domain.recovery.gentle_candidates import nothing, repairs, start
from etcd_dr.domain.recovery.new_cluster_candidates import NewClusterWays, new_cluster_ways
from etcd_dr.domain.recovery.rates import Rates
from etcd_dr.domain.recovery.replacement import replacements
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.errors import NothingPossible

_ALARM_CAUSES = (Cause.NO_SPACE.value, Cause.FALSE_CORRUPT.value)


def propose(
    assessment: Assessment,
    catalogue: Answer[Catalogue],
    *,
    rates: Rates | None = None,
    wishes: Wishes = NO_WISHES,
    tools: Sequence[EtcdVersion] | None = None,
) -> tuple[Candidate, ...]:
    """Return every way, gentlest first. `tools` are the versions of etcdutl at hand, None: not looked for.

    Raises SnapshotNotFound, SnapshotAmbiguous where a wish names no snapshot.
    """
    snapshots = catalogue.value.snapshots if catalogue.value else ()
    measured = rates or Rates.observed(snapshots, platform=assessment.platform)
    ways = new_cluster_ways(assessment, catalogue, rates=measured, wishes=wishes, tools=tools)
    found = [
        nothing(assessment),
        start(assessment, measured),
        *repairs(assessment, measured),
        *replacements(assessment, measured),
        ways.rebuild,
        ways.restore,
    ]
    best = _recommended(assessment, found, ways)
    return tuple(c.model_copy(update={"is_recommended": True}) if c is best else c for c in found)


def choose(candidates: Sequence[Candidate], wishes: Wishes, *, cluster: str) -> Candidate:
    """Return the way that was wished for, else the recommended one. A wish for a snapshot is one for a restore.

    Raises NothingPossible, which says of each way what it lacks.
    """
    way = wishes.way or (Way.RESTORE if wishes.selector is not None else None)
    asked = [c for c in candidates if way in (None, c.way) and wishes.member in ("", c.target)]
    is_wished = way is not None or bool(wishes.member)
    fitting = [c for c in asked if (c.is_possible if is_wished else c.is_recommended)]
    if fitting:
        return next((c for c in fitting if c.is_recommended), fitting[0])
    if not asked and wishes.member:
        _refuse_unfit_member(candidates, way, wishes.member, cluster=cluster)
    told = asked or [c for c in candidates if way in (None, c.way)]
    lacking = "; ".join(f"{c.way}{f' {c.target}' if c.target else ''}: {c.obstacle or _NOT_BY_ITSELF}" for c in told)
    possible = [c.way.value for c in candidates if c.is_possible]
    hands = [need for c in candidates if way in (None, c.way) for need in c.needs_hands]
    by_hand = f"By hand: {'; '.join(hands)}\n" if hands else ""
    hint = f"Possible, where you say so with --way: {', '.join(dict.fromkeys(possible))}.\n" if possible else ""
    raise NothingPossible(
        f"no way back can be taken as things are: {lacking}",
        subject=cluster,
        next_step=f"{by_hand}{hint}See what would tell more, and say what only you know: etcd-dr recover plan --cluster {cluster} "
        f"--lost MEMBER | --intact MEMBER.",
    )


def _refuse_unfit_member(candidates: Sequence[Candidate], way: Way | None, member: str, *, cluster: str) -> None:
    """Raise NothingPossible that names what the way can be taken for, where it is one that names members."""
    fitting = [c for c in candidates if c.way is way and c.target]
    if way is None or (fitting and way not in (Way.REPLACE, Way.REBUILD)):
        return
    told = "; ".join(f"{c.target}{f' (not possible: {c.obstacle})' if c.obstacle else ''}" for c in fitting)
    raise NothingPossible(
        f"{member} cannot be what to {way} {'from' if way is Way.REBUILD else ''}".rstrip()
        + (f"; there is: {told}" if told else "; nobody is, as things stand"),
        subject=cluster,
        next_step=f"See where each member stands: etcd-dr recover assess --cluster {cluster}",
    )


_NOT_BY_ITSELF = "possible, and not recommended by itself"


def _recommended(assessment: Assessment, candidates: Sequence[Candidate], ways: NewClusterWays) -> Candidate | None:
    possible = [c for c in candidates if c.is_possible]
    match assessment.standing:
        case QuorumStanding.HELD:
            return None if assessment.dispute else _while_held(assessment, possible)
        case QuorumStanding.MAY_RETURN:
            return _first(possible, Way.START) or _first(possible, Way.REPAIR)
        case QuorumStanding.LOST_FOR_GOOD:
            if ways.has_unread or assessment.dispute or assessment.strangers:
                return None
            order = (Way.REBUILD, Way.RESTORE) if ways.is_survivor_newer else (Way.RESTORE, Way.REBUILD)
            return _first(possible, order[0]) or _first(possible, order[1])
        case QuorumStanding.CANNOT_TELL:
            return None


def _while_held(assessment: Assessment, possible: Sequence[Candidate]) -> Candidate | None:
    """Alarms first, since they stop writes; then what is down; then what must be replaced and can be from here."""
    alarms = [c for c in possible if c.way is Way.REPAIR and c.target in _ALARM_CAUSES]
    by_itself = [c for c in possible if c.way is Way.REPLACE and _must_be_replaced(assessment, c)]
    ordered = [
        _first(possible, Way.NOTHING),
        *alarms[:1],
        _first(possible, Way.START),
        _first(possible, Way.REPAIR),
        *by_itself[:1],
    ]
    return next((c for c in ordered if c is not None), None)


def _must_be_replaced(assessment: Assessment, candidate: Candidate) -> bool:
    """A learner that merely lags may catch up; it is replaced where somebody says so."""
    member = assessment.member(candidate.target)
    return member.cause is not Cause.LEARNER_BEHIND or member.verdict is not MemberVerdict.LEARNER


def _first(candidates: Sequence[Candidate], way: Way) -> Candidate | None:
    return next((c for c in candidates if c.way is way), None)
