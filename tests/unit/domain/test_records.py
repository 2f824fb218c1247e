"""Which snapshots are shown, and what is written for that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.records import RecordChanges, plan_records
from etcd_dr.domain.request import UID_LABEL, Request, RequestKind, RequestPhase
from etcd_dr.domain.request_status import snapshot_answer
from fakes.catalogue import catalogue_of, snapshot
from fakes.clock import MORNING

OLD, MIDDLE, NEW = (snapshot(f"2026-08-20 0{hour}:00") for hour in (1, 2, 3))


def record_of(shown: Snapshot, *, cluster: str = "prod", uid: str = "") -> Request:
    return Request(
        RequestKind.SNAPSHOT,
        f"{cluster}-{shown.id}",
        uid or f"uid-{shown.id}",
        "1",
        cluster,
        created_at=MORNING,
        phase=RequestPhase.COMPLETED,
        answer=snapshot_answer(shown, store="main"),
        is_record=True,
    )


def planned(*seen: Request, limit: int = 2, snapshots: tuple[Snapshot, ...] = (OLD, MIDDLE, NEW)) -> RecordChanges:
    return plan_records(catalogue_of(*snapshots), seen, store="main", limit=limit, now=MORNING + timedelta(minutes=10))


def test_the_newest_come_first_and_the_rest_not_at_all() -> None:
    """The number of objects in the API is bounded, whatever the store holds."""
    assert planned().to_put == (NEW, MIDDLE)


def test_what_is_right_already_is_left_alone() -> None:
    """Nothing is written that says what is said already."""
    assert planned(record_of(NEW), record_of(MIDDLE)) == RecordChanges((), ())


def test_what_fell_out_of_the_limit_or_the_store_goes() -> None:
    """A record never outlives its reason."""
    gone = record_of(snapshot("2026-08-19 01:00"))

    changes = planned(record_of(NEW), record_of(MIDDLE), record_of(OLD), gone)

    assert changes == RecordChanges((), (record_of(OLD), gone))


def test_a_snapshot_that_turned_out_damaged_is_shown_so() -> None:
    """The record follows the proofs."""
    damaged = snapshot("2026-08-20 03:00", state="damaged")

    assert planned(record_of(NEW), record_of(MIDDLE), snapshots=(OLD, MIDDLE, damaged)).to_put == (damaged,)


def test_a_snapshot_that_was_taken_for_a_request_is_shown_by_that() -> None:
    """Also while its answer is not written yet; when the request has gone, the record comes."""
    asking = Request(RequestKind.SNAPSHOT, "now", "uid-asking", "1", "prod", created_at=MORNING)
    taken = replace(NEW, manifest=NEW.manifest.model_copy(update={"labels": {UID_LABEL: "uid-asking"}}))

    with_request = planned(asking, record_of(MIDDLE), snapshots=(OLD, MIDDLE, taken))
    without = planned(record_of(MIDDLE), snapshots=(OLD, MIDDLE, taken))

    assert with_request == RecordChanges()
    assert without.to_put == (taken,)


def test_an_answer_that_says_less_than_is_known_is_written_anew() -> None:
    """A request that showed a proven snapshot does not hide that it was found damaged."""
    done = replace(record_of(NEW), is_record=False)
    damaged = snapshot("2026-08-20 03:00", state="damaged")
    damaged = replace(damaged, manifest=damaged.manifest.model_copy(update={"labels": {UID_LABEL: done.uid}}))

    before = planned(done, record_of(MIDDLE), snapshots=(OLD, MIDDLE, replace(damaged, proofs=NEW.proofs)))
    after = planned(done, record_of(MIDDLE), snapshots=(OLD, MIDDLE, damaged))

    assert before == RecordChanges()
    assert after == RecordChanges(to_refresh=((done, damaged),))


def test_records_of_other_clusters_are_not_touched() -> None:
    """Each cluster has its own leader, which alone writes its records."""
    other = record_of(snapshot("2026-08-19 01:00"), cluster="edge")

    assert planned(record_of(NEW), record_of(MIDDLE), other) == RecordChanges((), ())


def test_a_twin_of_a_record_goes() -> None:
    """Two objects that show one snapshot, as after a change of names: one is enough."""
    changes = planned(record_of(NEW, uid="twin"), record_of(NEW), record_of(MIDDLE))

    assert [each.uid for each in changes.to_remove] == ["twin"]


def test_a_record_that_says_nothing_goes_after_a_moment() -> None:
    """It is written in two calls; whoever died between them leaves a shell."""
    fresh = replace(record_of(OLD), answer=None, created_at=MORNING + timedelta(minutes=9, seconds=50))
    stale = replace(fresh, uid="stale", created_at=MORNING)

    assert planned(record_of(NEW), record_of(MIDDLE), fresh, stale).to_remove == (stale,)


def test_without_a_limit_of_its_own_nothing_is_shown() -> None:
    """`records: 0` takes away what an earlier configuration showed."""
    assert planned(record_of(NEW), limit=0) == RecordChanges((), (record_of(NEW),))
