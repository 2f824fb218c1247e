"""Settle which replica works on a slot of the schedule, and which snapshot is the slot's: one, whatever happens.

1. A claim is put if absent before the work begins, so that the others leave the slot alone (domain/slot.py).
2. When everything but the manifest is stored, the decision is put if absent. Whoever loses removes what it stored.
3. The winner puts the manifest. Should it die in between, another replica finds the decision and puts the very same
   manifest; should it only have been asleep, putting it again changes nothing.

So two replicas may both *work* on a slot (the first was paused, and its lease went on to the second), but one snapshot
comes of it. This needs nothing but put-if-absent. Where a store does not keep writers apart, every step looks before it
writes, and a second snapshot of a slot is unlikely instead of impossible.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.manifest import Manifest, canonical_json
from etcd_dr.domain.slot import (
    MAX_CLAIM_BYTES,
    MAX_DECISION_BYTES,
    SlotClaim,
    SlotDecision,
    claim_name,
    claim_number,
    parse_claim,
    parse_decision,
)
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import Busy, ManifestInvalid, ObjectExists, ObjectMissing, StoreError
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.leadership import Term
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.commit_snapshot import put_manifest

KEPT_FOR = timedelta(days=7)
"""How long claims and decisions are kept; work that was begun half of that ago is not committed any more."""

_FINISH_AFTER_SECONDS = 60.0
_SHORTEST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Entered:
    """The slot is ours to work on. `begun_at` is of the arbiter's steady clock."""

    slot: datetime
    key: str
    term: Term
    begun_at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another replica works on it, or has decided it: look again after so many seconds."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The slot has had its snapshot, which may have been removed since: the next one is the next slot's."""

    reason: str


class SlotArbiter:
    """Settles the slots of one cluster; belongs to one thread at a time. `now` is a steady clock in seconds."""

    def __init__(
        self,
        store: ObjectStore,
        layout: ClusterLayout,
        *,
        clock: Clock,
        now: Callable[[], float],
        tokens: TokenSource,
        events: EventSink,
    ) -> None:
        self._store = store
        self._layout = layout
        self._clock = clock
        self._now = now
        self._tokens = tokens
        self._events = events
        self._slot: datetime | None = None
        self._first_seen: dict[str, float] = {}

    def enter(self, slot: datetime, term: Term, *, life: timedelta) -> Entered | Waiting | Settled:
        """Claim the slot for `life`, or say why not. Raises StoreError."""
        if slot != self._slot:
            self._slot, self._first_seen = slot, {}
        decision = self._decision(slot)
        if decision is not None:
            return self._finish(decision, term)
        number, claim = self._newest_claim(slot)
        key = f"{self._layout.claims_of(slot)}{claim_name(number)}"
        if claim is not None:
            watched = self._watched_seconds(f"{key} {claim.token}")
            if claim.holder == term.holder and claim.fencing == term.fencing:
                return Entered(slot, key, term, self._now())
            if not claim.gives_way_to(holder=term.holder, fencing=term.fencing, watched_seconds=watched):
                return _waiting(claim.life_seconds - watched, f"{claim.holder} works on it", of=claim.life_seconds)
        return self._claim(slot, term, number + 1, life)

    def decide(self, entered: Entered, manifest: Manifest) -> None:
        """Make this the snapshot of its slot. Raises Busy when it has another one, or when the work took days."""
        if self._now() - entered.begun_at > KEPT_FOR.total_seconds() / 2:
            raise Busy(
                "was worked on for so long that the slot may have been settled and forgotten",
                subject=self._layout.cluster,
                next_step="Nothing was kept. See what there is: etcd-dr snapshot list",
            )
        decision = SlotDecision(
            cluster=self._layout.cluster,
            slot=entered.slot,
            holder=entered.term.holder,
            fencing=entered.term.fencing,
            decided_at=self._clock.now(),
            manifest=manifest,
        )
        try:
            self._store.put(self._layout.decision(entered.slot), canonical_json(decision), if_absent=True)
        except ObjectExists as error:
            stands = self._decision(entered.slot)
            if stands is None or stands.manifest.id != manifest.id:
                raise _lost(self._layout.cluster, entered.slot, stands) from error

    def leave(self, entered: Entered) -> None:
        """Take the claim back after a run that failed, so that another replica may try at once."""
        with suppress(StoreError):
            self._store.delete(entered.key)

    def _decision(self, slot: datetime) -> SlotDecision | None:
        key = self._layout.decision(slot)
        try:
            body = self._store.get(key, limit_bytes=MAX_DECISION_BYTES)
        except ObjectMissing:
            return None
        return parse_decision(body, subject=self._store.url(key), cluster=self._layout.cluster, slot=slot)

    def _newest_claim(self, slot: datetime) -> tuple[int, SlotClaim | None]:
        """Return the last claim and its number; 0 and None where there is none."""
        folder = self._layout.claims_of(slot)
        found = [claim_number(stored.key.removeprefix(folder)) for stored in self._store.list(folder)]
        number = max((each for each in found if each is not None), default=0)
        if number == 0:
            return 0, None
        key = folder + claim_name(number)
        try:
            body = self._store.get(key, limit_bytes=MAX_CLAIM_BYTES)
            return number, parse_claim(body, subject=self._store.url(key))
        except ObjectMissing:
            return number - 1, None  # taken back just now
        except ManifestInvalid as error:
            self._events.emit("slot.claim_unreadable", level="warning", reason=str(error))
            return number, None  # whatever it was, it keeps nobody away: the decision does

    def _claim(self, slot: datetime, term: Term, number: int, life: timedelta) -> Entered | Waiting:
        key = f"{self._layout.claims_of(slot)}{claim_name(number)}"
        claim = SlotClaim(
            cluster=self._layout.cluster,
            slot=slot,
            holder=term.holder,
            fencing=term.fencing,
            life_seconds=life.total_seconds(),
            claimed_at=self._clock.now(),
            token=self._tokens.token(),
        )
        try:
            self._store.put(key, canonical_json(claim), if_absent=True)
        except ObjectExists:
            return Waiting(_SHORTEST_WAIT_SECONDS, "another replica was faster")
        self._events.emit(
            "slot.claimed",
            cluster=self._layout.cluster,
            slot=slot.isoformat(),
            claim=number,
            fencing=term.fencing,
            mode=term.mode.value,
        )
        return Entered(slot, key, term, self._now())

    def _finish(self, decision: SlotDecision, term: Term) -> Waiting | Settled:
        """See to it that the decided snapshot exists, if it still can.

        Another's decision is given a minute: its author is about to put the manifest, or somebody is just removing the
        snapshot, whose manifest goes first.
        """
        manifest, layout = decision.manifest, self._layout
        snapshot_id = manifest.snapshot_id
        if self._size(layout.manifest(snapshot_id)) is not None:
            return Settled(f"snapshot {manifest.id} of {decision.holder}")
        watched = self._watched_seconds(f"decision {manifest.id}")
        if decision.holder != term.holder and watched < _FINISH_AFTER_SECONDS:
            return _waiting(_FINISH_AFTER_SECONDS - watched, f"{decision.holder} is about to commit {manifest.id}")
        if self._size(layout.data(snapshot_id)) != manifest.stored_size_bytes:
            return Settled(f"snapshot {manifest.id} of {decision.holder}, whose data were removed")
        put_manifest(self._store, layout, manifest)
        self._events.emit(
            "slot.finished",
            level="warning",
            cluster=layout.cluster,
            snapshot_id=manifest.id,
            slot=decision.slot.isoformat(),
            begun_by=decision.holder,
        )
        return Settled(f"snapshot {manifest.id}, which {decision.holder} had decided and not committed")

    def _size(self, key: str) -> int | None:
        """Return the size of an object; None: it is not there."""
        try:
            return self._store.head(key).size_bytes
        except ObjectMissing:
            return None

    def _watched_seconds(self, what: str) -> float:
        return self._now() - self._first_seen.setdefault(what, self._now())


def sweep_claims(store: ObjectStore, layout: ClusterLayout, *, now: datetime) -> int:
    """Remove claims and decisions that are older than KEPT_FOR; return how many. Raises StoreError."""
    stale = [stored.key for stored in store.list(layout.claims) if now - stored.modified_at > KEPT_FOR]
    removed = 0
    for key in stale:
        with suppress(StoreError):  # locked by the bucket's own retention: it goes later
            store.delete(key)
            removed += 1
    return removed


def _waiting(seconds: float, reason: str, *, of: float = _LONGEST_WAIT_SECONDS) -> Waiting:
    """Return a wait that ends in time, and looks now and then whether it can end sooner."""
    return Waiting(max(_SHORTEST_WAIT_SECONDS, min(seconds, of / 4, _LONGEST_WAIT_SECONDS)), reason)


def _lost(cluster: str, slot: datetime, stands: SlotDecision | None) -> Busy:
    by = f"{stands.manifest.id} of {stands.holder}" if stands is not None else "another replica"
    return Busy(
        f"its slot {slot.isoformat()} already has the snapshot {by}",
        subject=cluster,
        next_step="Nothing needs doing: what this replica stored was removed. See etcd-dr snapshot list",
    )
