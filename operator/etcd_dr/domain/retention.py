"""Which snapshots stay and which may go: a decision for each, with all of its reasons.

What is never removed, whatever the policy says:
- the newest proven snapshot, and the newest `min_restore_points` proven ones;
- anything newer than the newest proven one: until a newer one is proven nobody knows what it is worth. Where nothing
  is proven, nothing goes;
- the one whose drill passed last, the one that was drilled all the way last, and the encrypted one that was opened last:
  they are the proof that a recovery works, and nobody else remembers it;
- a pinned snapshot, and one whose manifest names another cluster than its place;
- one taken in the future: a clock was wrong, and neither its age nor its order can be believed. It stands for no
  bucket and protects nothing else;
- one with a higher revision than the newest proven one of the same etcd cluster, although it says that it is older:
  the clock was behind when it was taken.

What a policy keeps: the newest snapshots (`last`), the newest of each hour, day, week (ISO), month and year in the
policy's time zone, newest buckets first, and everything `within` a duration. An empty policy keeps everything.
- Only proven snapshots count. A bucket is represented by its newest proven snapshot; where it has none, by its newest
  unproven one, else by its newest damaged one, and then it does not use up the number. So a row of failed or
  half-done snapshots never displaces good ones, and a damaged one goes when a good one stands in for it.
- Durations count back from the newest proven snapshot, not from now: when nothing new arrives, because the cluster
  is down or the operator is, the history does not melt away.
- Nothing depends on the present time except what "the future" is, so a wrong clock here cannot remove anything either.

`decide_retention` is pure and idempotent: applied to what it kept, it removes nothing more; a larger policy never
removes more. Entries that could not be read are no part of it and are never touched. Idea: restic's ApplyPolicy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby

from etcd_dr.domain.catalogue import Catalogue, Snapshot, UnreadableEntry
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.snapshot import SnapshotId

CLOCK_TOLERANCE = timedelta(minutes=10)
"""A snapshot that is further ahead of the clock than this was taken in the future."""


class ReasonCode(StrEnum):
    """Why a snapshot stays or goes. The first group keeps, the second one removes."""

    EVERYTHING = "policy.empty"
    NOTHING_PROVEN = "safety.nothing_proven"
    NEWEST_PROVEN = "safety.newest_proven"
    RESTORE_POINT = "safety.restore_point"
    UNPROVEN_GAP = "safety.newer_than_proven"
    EVIDENCE = "safety.evidence"
    PINNED = "safety.pinned"
    OTHER_CLUSTER = "safety.other_cluster"
    FUTURE = "safety.future"
    CLOCK_BEHIND = "safety.clock_behind"
    LAST = "keep.last"
    HOURLY = "keep.hourly"
    DAILY = "keep.daily"
    WEEKLY = "keep.weekly"
    MONTHLY = "keep.monthly"
    YEARLY = "keep.yearly"
    WITHIN = "keep.within"

    REPRESENTED = "remove.represented"
    BEYOND = "remove.beyond"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason; `detail` is a phrase for people."""

    code: ReasonCode
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How much is kept. Counts of 0 and None switch a rule off; with all of them off everything is kept.

    `min_restore_points` (at least 1) is how many of the newest proven snapshots stay in any case.
    """

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_within: timedelta | None = None
    min_restore_points: int = 1
    time_zone: tzinfo = UTC

    @property
    def is_empty(self) -> bool:
        return not any(rule.count for rule in _counted_rules(self)) and self.keep_within is None


@dataclass(frozen=True, slots=True)
class RetentionDecision:
    """What happens to one snapshot, and every reason for it."""

    snapshot: Snapshot
    is_kept: bool
    reasons: tuple[Reason, ...]

    @property
    def id(self) -> SnapshotId:
        return self.snapshot.id


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """A decision for every readable snapshot, oldest first. `unreadable` entries are left alone, and said."""

    cluster: str
    decisions: tuple[RetentionDecision, ...]
    unreadable: tuple[UnreadableEntry, ...] = ()

    @property
    def kept(self) -> tuple[RetentionDecision, ...]:
        return tuple(decision for decision in self.decisions if decision.is_kept)

    @property
    def removed(self) -> tuple[RetentionDecision, ...]:
        """Those to be removed, oldest first."""
        return tuple(decision for decision in self.decisions if not decision.is_kept)

    @property
    def freed_bytes(self) -> int:
        """The stored size of what is to be removed, with its companions."""
        return sum(decision.snapshot.stored_bytes for decision in self.removed)


def decide_retention(catalogue: Catalogue, policy: RetentionPolicy, *, now: datetime) -> RetentionPlan:
    """Return the plan for a catalogue. `now` is aware and only decides what lies in the future."""
    snapshots = sorted(catalogue.snapshots, key=lambda s: s.order, reverse=True)
    found: dict[str, list[Reason]] = {snapshot.manifest.id: [] for snapshot in snapshots}
    judged = []
    for snapshot in snapshots:
        peculiar = list(_peculiarities(snapshot, cluster=catalogue.cluster, now=now))
        found[snapshot.manifest.id] += peculiar
        if not any(reason.code is not ReasonCode.PINNED for reason in peculiar):
            judged.append(snapshot)
    rules = [*_safety_rules(judged, policy), *_policy_rules(judged, policy)]
    for snapshot in judged:
        found[snapshot.manifest.id] += [reason for rule in rules if (reason := rule(snapshot))]
    return RetentionPlan(
        cluster=catalogue.cluster,
        decisions=tuple(_decision(snapshot, found[snapshot.manifest.id]) for snapshot in reversed(snapshots)),
        unreadable=catalogue.unreadable,
    )


_REMOVING = (ReasonCode.REPRESENTED, ReasonCode.BEYOND)
_Rule = Callable[[Snapshot], Reason | None]
_BucketOf = Callable[[Snapshot], str]


def _decision(snapshot: Snapshot, reasons: Sequence[Reason]) -> RetentionDecision:
    keeping = tuple(reason for reason in reasons if reason.code not in _REMOVING)
    return RetentionDecision(snapshot, is_kept=bool(keeping), reasons=keeping or tuple(reasons))


def _peculiarities(snapshot: Snapshot, *, cluster: str, now: datetime) -> Iterator[Reason]:
    """Yield what takes one snapshot out of the policy's reach, whatever else there is."""
    if snapshot.pin is not None:
        why = f": {snapshot.pin.reason}" if snapshot.pin.reason else ""
        yield Reason(ReasonCode.PINNED, f"pinned by {snapshot.pin.by}{why}")
    if snapshot.manifest.cluster != cluster:
        yield Reason(ReasonCode.OTHER_CLUSTER, f"its manifest says that it belongs to {snapshot.manifest.cluster!r}")
    if snapshot.taken_at > now + CLOCK_TOLERANCE:
        yield Reason(ReasonCode.FUTURE, f"taken at {_text(snapshot.taken_at)}, which has not come yet")


def _safety_rules(judged: Sequence[Snapshot], policy: RetentionPolicy) -> Iterator[_Rule]:
    """Yield the rules that protect what a recovery would use. `judged` is newest first."""
    proven = [snapshot for snapshot in judged if snapshot.is_proven]
    if not proven:
        yield lambda _: Reason(ReasonCode.NOTHING_PROVEN, "no snapshot is proven, so none is removed")
        return
    newest = proven[0]
    spared = {
        snapshot.manifest.id: place for place, snapshot in enumerate(proven[: max(policy.min_restore_points, 1)], 1)
    }

    def restore_point(snapshot: Snapshot) -> Reason | None:
        if snapshot.manifest.id == newest.manifest.id:
            return Reason(ReasonCode.NEWEST_PROVEN, "the newest proven snapshot")
        place = spared.get(snapshot.manifest.id)
        return Reason(ReasonCode.RESTORE_POINT, f"proven restore point {place} of {len(spared)}") if place else None

    def unproven_gap(snapshot: Snapshot) -> Reason | None:
        if snapshot.order <= newest.order:
            return None
        return Reason(ReasonCode.UNPROVEN_GAP, f"newer than the newest proven one, {newest.manifest.id}")

    def clock_behind(snapshot: Snapshot) -> Reason | None:
        mine, theirs = snapshot.manifest, newest.manifest
        if mine.source.cluster_id is None or mine.source.cluster_id != theirs.source.cluster_id:
            return None
        if mine.database.revision <= theirs.database.revision or snapshot.order > newest.order:
            return None
        return Reason(
            ReasonCode.CLOCK_BEHIND,
            f"its revision {mine.database.revision} is above that of the newest proven one, so a clock was wrong",
        )

    yield from (restore_point, unproven_gap, clock_behind, _evidence(judged))


def _evidence(judged: Sequence[Snapshot]) -> _Rule:
    """Keep what shows that a recovery works; what failed since shows nothing."""
    sound = [snapshot for snapshot in judged if not snapshot.is_damaged]
    drills = [(s, p) for s in sound if (p := s.newest_proofs.get(ProofLevel.RESTORABLE)) is not None and p.passed]
    opened = [(at, s) for s in sound if s.manifest.is_encrypted and (at := s.opened_at) is not None]
    found = {
        "the newest drill that passed": [(p.at, s) for s, p in drills],
        "the newest drill that measured an RTO": [(p.at, s) for s, p in drills if p.drill and p.drill.rto_seconds],
        "the newest that was opened with a key": opened,
    }
    shows: dict[str, str] = {}
    for what, dated in found.items():
        if dated:
            _, snapshot = max(dated, key=lambda pair: (pair[0], pair[1].order))
            shows.setdefault(snapshot.manifest.id, what)

    def evidence(snapshot: Snapshot) -> Reason | None:
        what = shows.get(snapshot.manifest.id)
        return Reason(ReasonCode.EVIDENCE, what) if what else None

    return evidence


def _policy_rules(judged: Sequence[Snapshot], policy: RetentionPolicy) -> Iterator[_Rule]:
    if policy.is_empty:
        yield lambda _: Reason(ReasonCode.EVERYTHING, "the policy is empty, so everything is kept")
        return
    for counted in _counted_rules(policy):
        if counted.count:
            yield counted.over(judged)
    if policy.keep_within is not None:
        yield _within(judged, policy.keep_within)


def _counted_rules(policy: RetentionPolicy) -> tuple[_CountedRule, ...]:
    def local(pattern: str) -> _BucketOf:
        return lambda snapshot: snapshot.taken_at.astimezone(policy.time_zone).strftime(pattern)

    return (
        _CountedRule(ReasonCode.LAST, policy.keep_last, lambda snapshot: snapshot.manifest.id),
        # With its offset, because the hour that a clock change repeats is two hours.
        _CountedRule(ReasonCode.HOURLY, policy.keep_hourly, local("%Y-%m-%d %H:00 %z")),
        _CountedRule(ReasonCode.DAILY, policy.keep_daily, local("%Y-%m-%d")),
        _CountedRule(ReasonCode.WEEKLY, policy.keep_weekly, local("%G-W%V")),
        _CountedRule(ReasonCode.MONTHLY, policy.keep_monthly, local("%Y-%m")),
        _CountedRule(ReasonCode.YEARLY, policy.keep_yearly, local("%Y")),
    )


@dataclass(frozen=True, slots=True)
class _CountedRule:
    """Keep the best snapshot of each of the newest buckets, until `count` of them are proven."""

    code: ReasonCode
    count: int
    bucket_of: _BucketOf

    def over(self, judged: Sequence[Snapshot]) -> _Rule:
        """Return the rule for these snapshots, which are newest first."""
        kept: dict[str, Reason] = {}
        stands_for: dict[str, str] = {}
        counted = 0
        for bucket, group in groupby(judged, key=self.bucket_of):
            if counted == self.count:
                break
            members = list(group)
            best = min(members, key=_worth)
            counted += best.is_proven
            kept[best.manifest.id] = self._keeping(best, bucket, counted)
            stands_for |= {snapshot.manifest.id: best.manifest.id for snapshot in members}
        return lambda snapshot: kept.get(snapshot.manifest.id) or self._removing(stands_for.get(snapshot.manifest.id))

    @property
    def _word(self) -> str:
        return self.code.removeprefix("keep.")

    def _keeping(self, best: Snapshot, bucket: str, counted: int) -> Reason:
        what = self._word if self.code is ReasonCode.LAST else f"{self._word} {bucket}"
        note = f"{counted} of {self.count}" if best.is_proven else f"{_state(best)}, so it does not count"
        return Reason(self.code, f"{what} ({note})")

    def _removing(self, representative: str | None) -> Reason:
        if representative is None:
            return Reason(ReasonCode.BEYOND, f"{self._word}: older than the {self.count} that are kept")
        return Reason(ReasonCode.REPRESENTED, f"{self._word}: {representative} stands for the same time")


def _within(judged: Sequence[Snapshot], duration: timedelta) -> _Rule:
    newest = next((s.taken_at for s in judged if s.is_proven), None)

    def rule(snapshot: Snapshot) -> Reason:
        if newest is None or snapshot.taken_at >= newest - duration:
            return Reason(ReasonCode.WITHIN, f"within {duration} of the newest proven one")
        return Reason(ReasonCode.BEYOND, f"within: more than {duration} before the newest proven one")

    return rule


def _worth(snapshot: Snapshot) -> int:
    """Order a bucket: proven, unproven, damaged; the newest first among equals, because `min` takes the first."""
    return 0 if snapshot.is_proven else 2 if snapshot.is_damaged else 1


def _state(snapshot: Snapshot) -> str:
    return "damaged" if snapshot.is_damaged else "not proven"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
