"""A slot has one snapshot, whoever works on it, in whatever order, and whoever dies on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.slot import claim_number
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import Busy, ManifestInvalid, ManifestVersionUnknown
from etcd_dr.ports.leadership import LeadershipMode, Term
from etcd_dr.workflows.commit_snapshot import discard_folder, put_manifest
from etcd_dr.workflows.settle_slot import Entered, Settled, SlotArbiter, Waiting
from fakes.catalogue import snapshot
from fakes.clock import MORNING, CountingTokens, FakeClock
from fakes.events import RecordingEvents
from fakes.object_store import FakeObjectStore

LAYOUT = ClusterLayout("backups", "prod")
LIFE = timedelta(minutes=15)
DATA = b"data"


class Slots:
    """A store, a clock and arbiters of several replicas."""

    def __init__(self, *, put_if_absent: bool = True) -> None:
        self.clock = FakeClock()
        self.store = FakeObjectStore(now=self.clock.now, put_if_absent=put_if_absent)
        self.tokens = CountingTokens()
        self.events = RecordingEvents()

    def arbiter(self) -> SlotArbiter:
        return SlotArbiter(
            self.store, LAYOUT, clock=self.clock, now=self.clock.monotonic, tokens=self.tokens, events=self.events
        )

    def upload(self) -> Manifest:
        """Store everything of a snapshot but its manifest."""
        snapshot_id = SnapshotId.create(self.clock.now(), self.tokens.token())
        manifest = snapshot(MORNING).manifest.model_copy(
            update={"id": str(snapshot_id), "cluster": "prod", "stored_size_bytes": len(DATA)}
        )
        self.store.put(LAYOUT.data(snapshot_id), DATA, if_absent=True)
        return manifest

    @property
    def committed(self) -> list[str]:
        return [key for key in self.store.keys if key.endswith("/manifest.json")]


@pytest.fixture
def slots() -> Slots:
    return Slots()


def term(holder: str, *, fencing: int | None = None) -> Term:
    mode = LeadershipMode.SURVIVAL if fencing is None else LeadershipMode.LEASES
    switch = CancellationSwitch()
    return Term("prod", switch, switch, mode=mode, fencing=fencing, holder=holder)


def entered(arbiter: SlotArbiter, mine: Term) -> Entered:
    entry = arbiter.enter(MORNING, mine, life=LIFE)
    assert isinstance(entry, Entered)
    return entry


def test_a_claim_keeps_others_away_for_its_life(slots: Slots) -> None:
    """From when they first saw it."""
    one, other = slots.arbiter(), slots.arbiter()
    entered(one, term("a"))

    assert isinstance(other.enter(MORNING, term("b"), life=LIFE), Waiting)
    slots.clock.advance(LIFE.total_seconds() - 1)
    assert isinstance(other.enter(MORNING, term("b"), life=LIFE), Waiting)
    slots.clock.advance(1)
    assert isinstance(other.enter(MORNING, term("b"), life=LIFE), Entered)


def test_a_later_term_of_the_lease_need_not_wait(slots: Slots) -> None:
    """An earlier one, and one without a lease, do."""
    entered(slots.arbiter(), term("a", fencing=4))

    assert isinstance(slots.arbiter().enter(MORNING, term("b", fencing=3), life=LIFE), Waiting)
    assert isinstance(slots.arbiter().enter(MORNING, term("b"), life=LIFE), Waiting)
    assert isinstance(slots.arbiter().enter(MORNING, term("b", fencing=5), life=LIFE), Entered)


def test_a_wait_looks_now_and_then_whether_it_can_end(slots: Slots) -> None:
    """A quarter of a life, a minute at most, never less than a second."""
    entered(slots.arbiter(), term("a"))
    waiting = slots.arbiter().enter(MORNING, term("b"), life=LIFE)

    assert isinstance(waiting, Waiting)
    assert waiting.seconds == 60


def test_a_claim_that_cannot_be_read_keeps_nobody_away(slots: Slots) -> None:
    """It is told, and superseded by the next number."""
    slots.store.plant(f"{LAYOUT.claims_of(MORNING)}000007.json", b"{}")

    entry = entered(slots.arbiter(), term("a"))

    assert entry.key.endswith("/000008.json")
    assert slots.events.of("slot.claim_unreadable")


@pytest.mark.parametrize(
    "name", ["1.json", "000001.json/x", "decision.json", "../000001.json", "\u0660\u0660\u0660\u0660\u0660\u0661.json"]
)
def test_other_names_are_no_claims(name: str) -> None:
    """Names from a bucket are hostile input."""
    assert claim_number(name) is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"nonsense", ManifestInvalid, id="nonsense"),
        pytest.param(b'{"version": 2}', ManifestVersionUnknown, id="of a later version"),
    ],
)
def test_a_decision_that_cannot_be_read_is_an_error(slots: Slots, body: bytes, error: type[Exception]) -> None:
    """Guessing that there was none could make a second snapshot."""
    slots.store.plant(LAYOUT.decision(MORNING), body)

    with pytest.raises(error):
        slots.arbiter().enter(MORNING, term("a"), life=LIFE)


def test_a_decision_of_another_slot_is_refused(slots: Slots) -> None:
    """Somebody copied it."""
    arbiter = slots.arbiter()
    arbiter.decide(entered(arbiter, term("a")), slots.upload())
    later = MORNING + timedelta(hours=1)
    slots.store.plant(LAYOUT.decision(later), slots.store.body(LAYOUT.decision(MORNING)))

    with pytest.raises(ManifestInvalid):
        arbiter.enter(later, term("a"), life=LIFE)


def test_a_snapshot_under_removal_is_not_brought_back(slots: Slots) -> None:
    """Its manifest goes first; whoever looks between the two deletions waits, and then finds the data gone."""
    arbiter, other = slots.arbiter(), slots.arbiter()
    manifest = slots.upload()
    arbiter.decide(entered(arbiter, term("a")), manifest)

    in_between = other.enter(MORNING, term("b"), life=LIFE)
    slots.store.lose(LAYOUT.data(manifest.snapshot_id))
    slots.clock.advance(60)
    afterwards = other.enter(MORNING, term("b"), life=LIFE)

    assert isinstance(in_between, Waiting)
    assert isinstance(afterwards, Settled)
    assert slots.committed == []


def test_where_nothing_is_conditional_a_race_can_make_two() -> None:
    """Said in the documentation: two replicas in the same instant, on a store that ignores If-None-Match."""
    slots = Slots(put_if_absent=False)
    one, other = slots.arbiter(), slots.arbiter()
    mine, theirs = entered(one, term("a", fencing=1)), entered(other, term("b", fencing=2))
    first, second = slots.upload(), slots.upload()

    def race(key: str) -> None:
        slots.store.faults.between_look_and_put = None
        if key.endswith("decision.json"):
            other.decide(theirs, second)

    slots.store.faults.between_look_and_put = race
    one.decide(mine, first)  # nobody is refused: both go on to put their manifests
    for manifest in (first, second):
        put_manifest(slots.store, LAYOUT, manifest)

    assert len(slots.committed) == 2


def run(slots: Slots, holder: str, fencing: int | None) -> Iterator[str]:
    """One look at the slot, as the operator makes it, with a stop after each step that the store sees."""
    arbiter = slots.arbiter()
    mine = term(holder, fencing=fencing)
    while True:
        entry = arbiter.enter(MORNING, mine, life=LIFE)
        if isinstance(entry, Settled):
            return
        yield "looked"
        if isinstance(entry, Waiting):
            slots.clock.advance(entry.seconds)
            continue
        manifest = slots.upload()
        yield "uploaded"
        try:
            arbiter.decide(entry, manifest)
        except Busy:
            discard_folder(slots.store, LAYOUT, manifest.snapshot_id)
            return
        yield "decided"
        put_manifest(slots.store, LAYOUT, manifest)
        yield "committed"


@settings(max_examples=300, deadline=None)
@given(
    fencings=st.lists(st.none() | st.integers(1, 4), min_size=2, max_size=4),
    order=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["step", "step", "step", "die"])), max_size=40),
)
def test_one_snapshot_comes_of_a_slot(fencings: list[int | None], order: list[tuple[int, str]]) -> None:
    """With or without leases, in any order, with deaths anywhere; a survivor sees to it that there is one."""
    slots = Slots()
    runs = {number: run(slots, f"r{number}", fencing) for number, fencing in enumerate(fencings)}
    for number, action in order:
        if number not in runs:
            continue
        if action == "die" or next(runs[number], None) is None:
            del runs[number]
        assert len(slots.committed) <= 1

    for _ in run(slots, "survivor", None):
        pass
    for sleeper in runs.values():
        for _ in sleeper:
            pass
    assert len(slots.committed) == 1
