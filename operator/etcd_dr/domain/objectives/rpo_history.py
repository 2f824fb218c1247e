"""How well the RPO was kept: the share of time in which less than the objective would have been lost.

- At any moment the loss would have been the time since the newest proven snapshot that was finished by then was taken.
  Time in which that was longer than the objective is missed.
- The catalogue is the witness, and retention thins it out. A gap between two snapshots that are left may have been
  filled by some that are not: in that part of the past, a short gap still proves that the objective was kept, and of a
  long one only what no rule can have removed is certain. Such time is *unknown*; it is neither kept nor missed, and it is said how much it is.
- A snapshot that turned out to be damaged counts as if it had never been: nobody could have restored it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.retention import RetentionPolicy

_NOTHING = timedelta(0)
_BucketStart = Callable[[datetime], datetime]


@dataclass(frozen=True, slots=True)
class RpoHistory:
    """How the window went, from `since` to the moment of asking. `worst` is the longest loss that is certain;
    `breaches` how often the objective was missed. `share_wanted` of the `window` it is meant to be kept."""

    objective: timedelta
    share_wanted: float
    window: timedelta
    since: datetime
    until: datetime
    kept: timedelta = _NOTHING
    missed: timedelta = _NOTHING
    unknown: timedelta = _NOTHING
    worst: timedelta = _NOTHING
    breaches: int = 0

    @property
    def share(self) -> float | None:
        """Share of the known time in which the objective was kept; None: nothing is known."""
        known = self.kept + self.missed
        return self.kept / known if known else None

    @property
    def known_share(self) -> float:
        """Share of the window of which anything is known."""
        whole = self.until - self.since
        return (self.kept + self.missed) / whole if whole else 0.0

    @property
    def allowed(self) -> timedelta:
        """How long the objective may be missed in a whole window, also where less of it is known.

        By the known time alone, a new installation would have overdrawn its budget with its first minute.
        """
        return (1.0 - self.share_wanted) * self.window

    @property
    def budget_left(self) -> float | None:
        """Share of the allowed misses that is left: 1 is all, 0 none, below 0 overdrawn; None: nothing is known."""
        if self.share is None:
            return None
        if not self.allowed:
            return 1.0 if not self.missed else -1.0
        return 1.0 - self.missed / self.allowed


def rpo_history(
    catalogue: Catalogue,
    *,
    objective: timedelta,
    share_wanted: float,
    now: datetime,
    window: timedelta,
    policy: RetentionPolicy,
    watching_since: datetime | None = None,
) -> RpoHistory | None:
    """Return how the objective was kept over `window`; None: there is nothing to tell it from.

    `policy` says what retention may have removed; `watching_since` when snapshots were first due.
    """
    usable = sorted(
        (_Usable(max(s.manifest.finished_at, s.taken_at), s.taken_at) for s in catalogue.snapshots if s.is_proven),
        key=lambda point: point.since,
    )
    usable = [point for point in usable if point.since <= now]
    begun = min([*([watching_since] if watching_since else []), *(point.since for point in usable)], default=None)
    if begun is None or begun >= now:
        return None
    since = max(begun, now - window)
    memory = _Memory.of(catalogue, policy)
    kept = missed = unknown = worst = _NOTHING
    breaches = 0
    for span in _spans(usable, begun=begun, until=now):
        start = max(span.start, since)
        if span.end <= start:
            continue
        limit = min(max(span.taken_at + objective, start), span.end)
        kept += limit - start
        sure_until, sure_from = memory.certain(span, since=limit)
        lost = (sure_until - limit) + (span.end - sure_from)
        missed += lost
        unknown += sure_from - sure_until
        breaches += lost > _NOTHING
        if sure_from < span.end or limit == span.end:
            worst = max(worst, span.end - span.taken_at)
        elif sure_until > limit:
            worst = max(worst, sure_until - span.taken_at)
    return RpoHistory(objective, share_wanted, window, since, now, kept, missed, unknown, worst, breaches)


@dataclass(frozen=True, slots=True)
class _Memory:
    """Of what time the catalogue is a whole witness.

    From `complete_from` on nothing was removed: rules that keep each snapshot reach so far, and the newest proven one
    always stays. A rule that keeps the newest of each hour or day tells something too: within its `buckets`, nothing
    was taken between a snapshot and the beginning of the bucket of the next one.
    """

    complete_from: datetime
    buckets: tuple[tuple[datetime, _BucketStart], ...] = ()

    @classmethod
    def of(cls, catalogue: Catalogue, policy: RetentionPolicy) -> _Memory:
        newest_first = [s for s in reversed(catalogue.snapshots) if s.is_proven]
        if policy.is_empty or not newest_first:  # without a proven snapshot nothing is removed at all
            return cls(datetime.min.replace(tzinfo=UTC))
        last = max(policy.keep_last, policy.min_restore_points, 1)
        marks = [_finished(newest_first[min(last, len(newest_first)) - 1])]
        if policy.keep_within is not None:
            kept_since = newest_first[0].taken_at - policy.keep_within
            marks.append(_finished([s for s in newest_first if s.taken_at >= kept_since][-1]))
        rules = ((policy.keep_hourly, _hour_of), (policy.keep_daily, _day_of))
        buckets = []
        for count, start_of in rules:
            in_zone = partial(start_of, zone=policy.time_zone)
            starts = list(dict.fromkeys(in_zone(s.taken_at) for s in newest_first))[:count]
            if starts:
                buckets.append((starts[-1], in_zone))
        return cls(min(marks), tuple(buckets))

    def certain(self, span: _Span, *, since: datetime) -> tuple[datetime, datetime]:
        """Return until when, and from when again, the span is certain; `since` is where the asking begins."""
        if span.next_taken_at is None:
            return since, since
        ends = [start_of(span.next_taken_at) for first, start_of in self.buckets if start_of(span.taken_at) >= first]
        sure_until = min(max([since, *ends]), span.end)
        return sure_until, min(max(self.complete_from, sure_until), span.end)


@dataclass(frozen=True, slots=True)
class _Usable:
    since: datetime
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class _Span:
    """From `start` to `end` the best that could have been restored was taken at `taken_at`. The one that ends it was
    taken at `next_taken_at`; None: nothing ends it yet."""

    start: datetime
    end: datetime
    taken_at: datetime
    next_taken_at: datetime | None = None


def _spans(usable: Sequence[_Usable], *, begun: datetime, until: datetime) -> Iterator[_Span]:
    """Yield the spans in order. Before the first snapshot all that is lost is what came since it was first due."""
    start, best = begun, min([begun, *(point.taken_at for point in usable[:1])])
    for point in usable:
        yield _Span(start, point.since, best, point.taken_at)
        start, best = point.since, max(best, point.taken_at)
    yield _Span(start, until, best)


def _finished(snapshot: Snapshot) -> datetime:
    return max(snapshot.manifest.finished_at, snapshot.taken_at)


def _hour_of(moment: datetime, *, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def _day_of(moment: datetime, *, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
