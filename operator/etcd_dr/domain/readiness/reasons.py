"""The rules of readiness: each looks at the facts for one thing, and says it with its weight and what to do next.

They are kept in the order in which a person would ask: is there anything to recover from, is that still so, has anybody
ever tried, will there be a newer one, is all there that a recovery needs beside the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.kit import hours_text
from etcd_dr.domain.objectives.rpo import RpoStanding
from etcd_dr.domain.objectives.rto import RtoStanding
from etcd_dr.domain.objectives.status import ObjectiveStatus
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.domain.quorum import QuorumVerdict
from etcd_dr.domain.readiness.facts import ReadinessFacts
from etcd_dr.domain.readiness.verdict import Reason, Weight
from etcd_dr.domain.tripwire import open_trip

_DRILL_MAX_AGE = timedelta(days=90)  # as a kit is judged (domain/kit.py)
_STALE_INTERVALS = Thresholds().snapshot_stale_warning_intervals
_SEE = "See each with its proofs: etcd-dr snapshot list"
_REHEARSE = "Rehearse a recovery where the key is: etcd-dr drill run"

Rule = Callable[[ReadinessFacts], Iterator[Reason]]


def reasons_for(facts: ReadinessFacts, rpo: RpoStanding | None, rto: RtoStanding | None) -> tuple[Reason, ...]:
    """Return all reasons, the weightiest first, then in the order of the rules."""
    found = [reason for rule in _RULES for reason in rule(facts)]
    found += _objectives(rpo, rto)
    return tuple(sorted(found, key=lambda reason: -reason.weight.rank))


def _store(facts: ReadinessFacts) -> Iterator[Reason]:
    failure = facts.store_failure
    if failure is not None:
        since = f" since {facts.read_at:%Y-%m-%d %H:%M:%S} UTC" if facts.read_at else ""
        yield Reason(
            "store.unreachable",
            Weight.DOUBT,
            f"the store has not been read{since}: {failure.message}",
            failure.next_step or _SEE,
        )
    elif facts.read_at is None:
        yield Reason("store.not_asked", Weight.DOUBT, "the store has not been read yet", "Look again in a moment.")
    elif facts.now - facts.read_at > facts.terms.reading_max_age:
        yield Reason(
            "store.reading_old",
            Weight.DOUBT,
            f"the store was last read {hours_text(facts.now - facts.read_at)} ago, so nobody knows what it holds now",
            f"{_SEE}; and see in its log what the operator does.",
        )


def _nothing_proven(facts: ReadinessFacts) -> Iterator[Reason]:
    if facts.catalogue is None or facts.source is not None:
        return
    count = len(facts.snapshots)
    if not count:
        yield Reason("snapshot.none", Weight.OBSTACLE, "there is no snapshot", "Take one now: etcd-dr snapshot save")
        return
    damaged = sum(s.is_damaged for s in facts.snapshots)
    told = f"all {count} snapshots are damaged" if damaged == count else f"none of {count} snapshots is proven"
    if count == 1:
        told = "the only snapshot is damaged" if damaged else "the only snapshot is not proven"
    yield Reason(
        "snapshot.none_proven",
        Weight.OBSTACLE,
        told,
        "Take one now: etcd-dr snapshot save; then see what happened to the others: etcd-dr snapshot list",
    )


def _newest(facts: ReadinessFacts) -> Iterator[Reason]:
    newest = facts.catalogue.newest if facts.catalogue is not None else None
    if newest is None or facts.source is None or newest.is_proven:
        return
    behind = hours_text(newest.taken_at - facts.source.taken_at)
    if newest.is_damaged:
        yield Reason(
            "snapshot.newest_damaged",
            Weight.RESERVATION,
            f"the newest snapshot is damaged ({newest.damage}); a recovery would begin with one {behind} older",
            f"Take another: etcd-dr snapshot save; then look at the damage: etcd-dr snapshot show {newest.id}",
        )
    else:
        yield Reason(
            "snapshot.newest_unproven",
            Weight.RESERVATION,
            f"the newest snapshot is not proven; a recovery would begin with one {behind} older",
            f"Prove it: etcd-dr snapshot verify {newest.id}",
        )


def _mass_deletion(facts: ReadinessFacts) -> Iterator[Reason]:
    if facts.catalogue is None:
        return
    trip = open_trip(facts.catalogue, hold=facts.terms.mass_deletion_hold, now=facts.now)
    if trip is None:
        return
    yield Reason(
        "data.mass_deletion",
        Weight.RESERVATION,
        f"{trip.fall.percent:.0f} % of all keys vanished at {trip.fall.at:%Y-%m-%d %H:%M} UTC, so the newest snapshot may "
        f"lack them; {trip.snapshot_id} has them",
        f"Compare before anything is restored: etcd-dr snapshot show {trip.snapshot_id}",
    )


def _stale(facts: ReadinessFacts) -> Iterator[Reason]:
    source, gap = facts.source, facts.schedule_gap
    if source is None:
        return
    age = facts.now - source.taken_at
    if gap is None:
        yield Reason(
            "schedule.none",
            Weight.RESERVATION,
            f"no schedule takes snapshots: what would be lost grows, {hours_text(age)} so far",
            "Give the cluster a schedule in etcd-dr.yaml, or take one: etcd-dr snapshot save",
        )
    elif age > gap * _STALE_INTERVALS:
        yield Reason(
            "snapshot.stale",
            Weight.RESERVATION,
            f"the newest proven snapshot is {hours_text(age)} old; one is due every {hours_text(gap)}",
            "See why: etcd-dr snapshot list; then take one: etcd-dr snapshot save",
        )


def _failing(facts: ReadinessFacts) -> Iterator[Reason]:
    if facts.failures:
        runs = "run" if facts.failures == 1 else f"{facts.failures} runs"
        yield Reason(
            "snapshot.failing",
            Weight.RESERVATION,
            f"the last {runs} of the schedule failed, so the next snapshot may not come",
            "See what fails by taking one by hand: etcd-dr snapshot save",
        )


def _quorum(facts: ReadinessFacts) -> Iterator[Reason]:
    if facts.quorum is not None and facts.quorum.verdict is QuorumVerdict.LOST_MAY_RETURN:
        yield Reason(
            "quorum.lost",
            Weight.RESERVATION,
            f"quorum is lost now: {facts.quorum.reason}",
            "See every way back with its loss; a survivor may have more than the store: etcd-dr recover assess",
        )


def _never_drilled(facts: ReadinessFacts) -> Iterator[Reason]:
    if facts.source is None:
        return
    last, good = facts.last_drill, facts.last_good_drill
    limit = facts.terms.drill_max_age or _DRILL_MAX_AGE
    if last is not None and last.result is ProofResult.FAILED:
        yield Reason(
            "drill.failed",
            Weight.RESERVATION,
            f"the last drill failed: {last.detail}",
            "See what it compared: etcd-dr drill list; then rehearse again: etcd-dr drill run",
        )
    elif good is None:
        yield Reason("drill.never", Weight.RESERVATION, "nobody has ever restored one: no drill has passed", _REHEARSE)
    elif facts.now - good.at > limit:
        told = f"the last good drill was {hours_text(facts.now - good.at)} ago; one is wanted every {hours_text(limit)}"
        yield Reason("drill.stale", Weight.RESERVATION, told, _REHEARSE)


def _key_never_tried(facts: ReadinessFacts) -> Iterator[Reason]:
    source = facts.source
    if source is not None and source.manifest.is_encrypted and not facts.was_opened:
        yield Reason(
            "key.never_tried",
            Weight.RESERVATION,
            "no stored snapshot under these keys was ever opened, so nobody knows whether the private key is at hand",
            "Where the private key is kept: etcd-dr snapshot verify --identity KEYFILE",
        )


def _companions(facts: ReadinessFacts) -> Iterator[Reason]:
    source = facts.source
    if source is None:
        return
    kept = source.manifest.companions
    if kept is not None and kept.missing:
        names = ", ".join(entry.name for entry in kept.missing[:3])
        more = f" and {len(kept.missing) - 3} more" if len(kept.missing) > 3 else ""
        yield Reason(
            "companions.missing",
            Weight.RESERVATION,
            f"files that a recovery needs beside the database are missing: {names}{more}",
            f"See which and why: etcd-dr snapshot show {source.id}",
        )
    elif kept is None and facts.terms.keeps_companions:
        yield Reason(
            "companions.missing",
            Weight.RESERVATION,
            "the snapshot holds none of the files beside the database that the configuration asks for",
            "Take one that does: etcd-dr snapshot save",
        )
    elif kept is None:
        yield Reason(
            "companions.not_kept",
            Weight.NOTE,
            "certificates and manifests of the nodes are not kept with the snapshots; a recovery on new machines "
            "needs them from elsewhere",
            "Keep them too: companions in etcd-dr.yaml",
        )


def _level(facts: ReadinessFacts) -> Iterator[Reason]:
    source = facts.source
    if source is None or source.level is None or source.level.rank >= ProofLevel.CONSISTENT.rank:
        return
    yield Reason(
        "snapshot.not_compared",
        Weight.NOTE,
        "its pages are whole, but its content was not compared with live members",
        "Compare it while they still hold that revision: etcd-dr snapshot verify --level consistent",
    )


def _few(facts: ReadinessFacts) -> Iterator[Reason]:
    if facts.source is not None and sum(s.is_proven for s in facts.snapshots) == 1:
        yield Reason("snapshot.only_one", Weight.NOTE, "it is the only proven one: there is no second choice", "")


def _objectives(rpo: RpoStanding | None, rto: RtoStanding | None) -> Iterator[Reason]:
    for code, standing in (("objective.rpo", rpo), ("objective.rto", rto)):
        if standing is not None and standing.status in _OBJECTIVE_WEIGHTS:
            yield Reason(code, _OBJECTIVE_WEIGHTS[standing.status], standing.reason, standing.next_step)


_OBJECTIVE_WEIGHTS = {ObjectiveStatus.BROKEN: Weight.RESERVATION, ObjectiveStatus.AT_RISK: Weight.NOTE}

_RULES: tuple[Rule, ...] = (
    _store,
    _nothing_proven,
    _quorum,
    _newest,
    _mass_deletion,
    _stale,
    _failing,
    _never_drilled,
    _key_never_tried,
    _companions,
    _level,
    _few,
)
