"""Stories of requests: each is carried out once or not at all, and its answer arrives in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.domain.proof import ProofOrigin
from etcd_dr.domain.request import DrillAnswer, RequestKind, RequestPhase, SnapshotAnswer
from etcd_dr.domain.request_status import running
from etcd_dr.errors import ApiDenied, ApiUnreachable, ResourceMissing
from fakes.codec import FakeDecoder
from scenarios.request_world import TTL, RequestWorld

NOW = RequestKind.SNAPSHOT
GONE = ApiUnreachable("connection refused", subject="https://api")


@pytest.fixture
def world(tmp_path: Path) -> RequestWorld:
    return RequestWorld(tmp_path)


def test_a_request_is_a_snapshot_now(world: RequestWorld) -> None:
    """It is claimed, taken, proven and answered, with a word beside it for each."""
    request = world.ask(NOW, "before-upgrade", note="upgrade to 1.34")

    world.go_on()

    [snapshot] = world.catalogue.snapshots
    status = world.desk.statuses["before-upgrade"]
    assert world.phase(request) is RequestPhase.COMPLETED
    assert isinstance(status.answer, SnapshotAnswer)
    assert status.answer.snapshot_id == str(snapshot.id)
    assert status.answer.revision == world.database.revision
    assert status.answer.proven == "consistent"
    assert {each.name: each.holds for each in status.conditions} == {
        "Accepted": True,
        "Stored": True,
        "Proven": True,
        "Failed": False,
    }
    assert status.claimed_by == world.holder
    assert snapshot.manifest.labels["note"] == "upgrade to 1.34"
    assert snapshot.manifest.reason == "on-demand"
    assert [word.reason for word in world.desk.words] == ["Started", "Completed"]


def test_a_request_is_carried_out_once(world: RequestWorld) -> None:
    """Old news, touched objects and further looks begin nothing again."""
    request = world.ask(NOW, "now")
    world.hear()
    world.clerk.look()
    world.clerk.look()
    world.clerk.wait_for_work()
    world.desk.touch(request)

    world.go_on(rounds=4)

    assert len(world.catalogue.snapshots) == 1


def test_whoever_sees_old_news_after_the_answer_leaves_it(world: RequestWorld) -> None:
    """A watch that lags behind shows the request as it was before the claim: it was answered all the same."""
    world.ask(NOW, "now")
    world.hear()
    world.clerk.look()
    world.clerk.wait_for_work()

    world.clerk.look()
    world.clerk.wait_for_work()

    assert len(world.catalogue.snapshots) == 1


def test_another_process_that_claims_first_has_it(world: RequestWorld) -> None:
    """The second one learns it from the write that is refused, and does nothing."""
    request = world.ask(NOW, "now")
    world.hear()
    world.desk.write_status(request, running(claimed_by="process-0", at=world.clock.now()))

    world.clerk.look()
    world.clerk.wait_for_work()

    assert world.catalogue.snapshots == ()
    assert world.now(request).claimed_by == "process-0"


def test_a_snapshot_that_is_asked_to_be_kept_is_pinned(world: RequestWorld) -> None:
    """The pin is in the store, with the note as its reason."""
    world.ask(NOW, "keep", wants_pin=True, note="before the upgrade")

    world.go_on()

    [snapshot] = world.catalogue.snapshots
    assert snapshot.pin is not None
    assert snapshot.pin.reason == "before the upgrade"


def test_a_cluster_that_nobody_protects_is_refused_with_its_reason(world: RequestWorld) -> None:
    """It is told at once, with what could be asked for instead."""
    request = world.ask(NOW, "wrong", cluster="staging")

    world.go_on()

    status = world.desk.statuses["wrong"]
    assert world.phase(request) is RequestPhase.REFUSED
    assert [(each.name, each.holds, each.reason) for each in status.conditions] == [
        ("Accepted", False, "UnknownCluster"),
        ("Failed", True, "UnknownCluster"),
    ]
    assert "prod" in status.conditions[0].message
    assert world.desk.words[-1].severity == "Warning"


def test_a_failure_carries_its_code_and_what_to_do(world: RequestWorld) -> None:
    """Nobody has to look into the operator's log to learn why there is no snapshot."""
    for member in world.cluster.members:
        member.stop()
    request = world.ask(NOW, "now")

    world.go_on()

    failure = world.desk.statuses["now"].failure
    assert world.phase(request) is RequestPhase.FAILED
    assert failure is not None
    assert failure.code == "etcd.no_usable_member"
    assert failure.next_step
    assert world.value("etcd_dr_snapshot_total", cluster="prod", store="main", result="failure") == 1


def test_an_answer_waits_for_an_api_that_is_gone(world: RequestWorld) -> None:
    """The API vanishes in the middle of the work: the snapshot is stored, and the answer comes when it is back."""
    request = world.ask(NOW, "now")
    world.meanwhile = lambda: world.desk.go(GONE)

    world.hear()
    world.clerk.look()
    world.clerk.wait_for_work()
    world.clerk.look()
    phase_while_gone = world.phase(request)
    waiting = world.counted("etcd_dr_requests_unreported")
    world.desk.failure = None
    world.go_on()

    assert len(world.catalogue.snapshots) == 1
    assert phase_while_gone is RequestPhase.RUNNING
    assert waiting == 1
    assert world.phase(request) is RequestPhase.COMPLETED
    assert world.counted("etcd_dr_requests_unreported") == 0


@pytest.mark.parametrize("when", ["claiming", "answering"])
def test_what_nobody_foresaw_costs_no_request_its_answer(world: RequestWorld, when: str) -> None:
    """A request that is held by a thread which has ended would say `Running` until the next start."""
    bug = ZeroDivisionError("not ours")
    request = world.ask(NOW, "now")
    world.hear()
    if when == "claiming":
        world.desk.failure = bug  # type: ignore[assignment]  # on purpose
        world.clerk._runs.begin(request)
    else:
        world.meanwhile = lambda: world.desk.go(bug)  # type: ignore[arg-type]  # on purpose
        world.clerk.look()
    world.clerk.wait_for_work()

    world.desk.failure = None
    world.meanwhile = lambda: None
    world.go_on()

    assert world.phase(request) is RequestPhase.COMPLETED
    assert len(world.catalogue.snapshots) == 1
    assert "bug" in str(world.events.of("request.waits")[0].fields["next_step"])


def test_an_answer_is_written_over_a_request_that_was_touched_meanwhile(world: RequestWorld) -> None:
    """Somebody who adds a label does not cost the answer."""
    request = world.ask(NOW, "now")
    world.meanwhile = lambda: world.desk.touch(request)

    world.go_on()

    assert world.phase(request) is RequestPhase.COMPLETED


def test_an_answer_for_a_request_that_was_deleted_is_dropped(world: RequestWorld) -> None:
    """The snapshot stays in the store; another request of the same name is a wish of its own."""
    request = world.ask(NOW, "now")
    world.meanwhile = lambda: world.desk.remove(world.now(request))
    world.hear()
    world.clerk.look()
    world.clerk.wait_for_work()
    world.meanwhile = lambda: None
    again = world.ask(NOW, "now")
    world.clock.advance(60)

    world.go_on()

    assert world.phase(again) is RequestPhase.COMPLETED
    assert len(world.catalogue.snapshots) == 2


def test_a_process_that_died_after_the_commit_is_settled_from_the_store(world: RequestWorld) -> None:
    """The next one finds the snapshot that was taken for the request, and does not take another."""
    request = world.ask(NOW, "now")
    world.meanwhile = lambda: world.desk.go(GONE)
    world.hear()
    world.clerk.look()
    world.clerk.wait_for_work()
    world.desk.failure = None
    world.meanwhile = lambda: None

    world.new_process()
    world.go_on()

    [snapshot] = world.catalogue.snapshots
    answer = world.desk.statuses["now"].answer
    assert world.phase(request) is RequestPhase.COMPLETED
    assert answer is not None
    assert answer.snapshot_id == str(snapshot.id)


def test_a_process_that_died_before_the_commit_leaves_a_failed_request(world: RequestWorld) -> None:
    """What nobody carried out to its end is said to be interrupted, and is not begun again by itself."""
    request = world.ask(NOW, "now")
    world.desk.write_status(request, running(claimed_by="process-0", at=world.clock.now()))

    world.go_on()

    failure = world.desk.statuses["now"].failure
    assert failure is not None
    assert failure.code == "interrupted"
    assert world.phase(request) is RequestPhase.FAILED
    assert world.catalogue.snapshots == ()


def test_a_claim_whose_answer_was_lost_is_still_ours(world: RequestWorld) -> None:
    """The API took the claim and its answer never came: nothing was begun, so it is begun now."""
    request = world.ask(NOW, "now")
    world.desk.write_status(request, running(claimed_by=world.holder, at=world.clock.now()))

    world.go_on()

    assert world.phase(request) is RequestPhase.COMPLETED
    assert len(world.catalogue.snapshots) == 1


def test_a_stop_gives_a_request_back_and_the_next_process_takes_it(world: RequestWorld) -> None:
    """A rolling update costs nobody a snapshot."""
    request = world.ask(NOW, "now")
    world.meanwhile = lambda: world.cancellation.cancel("SIGTERM")
    world.hear()
    world.clerk.look()
    world.clerk.wait_for_work()
    phase_after_stop = world.phase(request)

    world.meanwhile = lambda: None
    world.forget_the_stop()
    world.new_process()
    world.go_on()

    assert phase_after_stop is RequestPhase.PENDING
    assert world.phase(request) is RequestPhase.COMPLETED
    assert len(world.catalogue.snapshots) == 1


def test_a_finished_request_goes_after_its_time_and_its_snapshot_stays(world: RequestWorld) -> None:
    """One that names a time of its own has that."""
    usual = world.ask(NOW, "usual")
    short = world.ask(NOW, "short", ttl=timedelta(seconds=5))
    world.go_on()

    world.clock.advance(10)
    world.go_on()
    with pytest.raises(ResourceMissing):
        world.desk.look(short)
    assert world.desk.look(usual)
    world.clock.advance(TTL.total_seconds())
    world.go_on()

    with pytest.raises(ResourceMissing):
        world.desk.look(usual)
    assert len(world.catalogue.snapshots) == 2


def test_an_answer_follows_what_is_learnt_later(world: RequestWorld) -> None:
    """The snapshot of a request is drilled afterwards: its status says restorable, and is otherwise the same."""
    request = world.ask(NOW, "now")
    world.go_on()
    before = world.now(request)

    world.ask(RequestKind.DRILL, "rehearsal")
    world.go_on(rounds=3)

    after = world.now(request)
    assert isinstance(after.answer, SnapshotAnswer)
    assert after.answer.proven == "restorable"
    assert (after.phase, after.finished_at, after.claimed_by) == (before.phase, before.finished_at, before.claimed_by)
    assert {each.name for each in world.desk.statuses["now"].conditions} == {"Accepted", "Stored", "Proven", "Failed"}


def test_the_newest_snapshots_are_shown_and_no_more(world: RequestWorld) -> None:
    """Records mirror the store up to their limit; one that a request shows already is not shown twice."""
    for _ in range(5):
        world.take()
    world.ask(NOW, "now")
    world.clock.advance(60)

    world.go_on(rounds=3)

    ids = [str(each.id) for each in world.catalogue.snapshots]
    assert world.record_names() == [f"prod-{each.lower()}" for each in ids[-3:-1]]


def test_records_that_were_deleted_are_made_anew_and_nothing_is_lost(world: RequestWorld) -> None:
    """They are a cache: the store is asked, and says the same again."""
    for _ in range(3):
        world.take()
    world.keeper.refresh()
    world.go_on()
    before = world.record_names()
    for record in world.desk.list(NOW).requests:
        world.desk.remove(record)

    world.go_on()

    assert world.record_names() == before
    assert len(before) == 3
    assert len(world.catalogue.snapshots) == 3


def test_records_go_when_nobody_wants_them_any_more(world: RequestWorld) -> None:
    """`records: 0` takes away what an earlier configuration showed."""
    world.take()
    world.keeper.refresh()
    world.go_on()
    shown = world.record_names()

    world.records = 0
    world.new_process()
    world.keeper.refresh()
    world.go_on()

    assert len(shown) == 1
    assert world.record_names() == []


def test_a_record_goes_with_its_snapshot(world: RequestWorld) -> None:
    """What the store no longer has is not shown."""
    for _ in range(2):
        world.take()
    world.keeper.refresh()
    world.go_on()
    gone, kept = world.catalogue.snapshots
    for key in [each.key for each in world.store.list(world.layout.folder(gone.id))]:
        world.store.delete(key)

    world.keeper.refresh()
    world.go_on()

    assert world.record_names() == [f"prod-{str(kept.id).lower()}"]


def test_records_are_written_only_when_something_changed(world: RequestWorld) -> None:
    """A cluster at rest costs the API nothing."""
    world.take()
    world.keeper.refresh()
    world.go_on()
    [before] = world.desk.list(NOW).requests

    world.keeper.refresh()
    world.go_on()

    assert world.desk.list(NOW).requests == (before,)


def test_a_drill_is_run_and_says_what_it_found(world: RequestWorld) -> None:
    """Where the stored one can be opened, it is drilled the whole way, with its RTO."""
    world.take()
    request = world.ask(RequestKind.DRILL, "rehearsal")

    world.go_on()

    answer = world.desk.statuses["rehearsal"].answer
    assert world.phase(request) is RequestPhase.COMPLETED
    assert isinstance(answer, DrillAnswer)
    assert answer.result == "passed"
    assert answer.rto_seconds is not None
    assert world.drilled == [ProofOrigin.STORED_OBJECT]


def test_a_drill_without_a_key_drills_a_fresh_snapshot(world: RequestWorld) -> None:
    """The operator normally holds no identity: then it takes one and drills its plain copy."""
    world.take()
    world.decoder = FakeDecoder(identities=())
    world.ask(RequestKind.DRILL, "rehearsal")
    world.clock.advance(60)

    world.go_on()

    answer = world.desk.statuses["rehearsal"].answer
    assert isinstance(answer, DrillAnswer)
    assert answer.snapshot_id == str(world.catalogue.snapshots[-1].id)
    assert len(world.catalogue.snapshots) == 2
    assert world.drilled == [ProofOrigin.SCRATCH]


def test_a_drill_of_something_unknown_fails_with_its_reason(world: RequestWorld) -> None:
    """A selector that matches nothing is answered, not guessed at."""
    world.take()
    request = world.ask(RequestKind.DRILL, "rehearsal", selector="deadbeef")

    world.go_on()

    failure = world.desk.statuses["rehearsal"].failure
    assert world.phase(request) is RequestPhase.FAILED
    assert failure is not None
    assert failure.code == "snapshot.not_found"


def test_rights_that_are_missing_are_told_and_end_nothing(world: RequestWorld) -> None:
    """A claim that RBAC refuses is an event and a counter; the request waits."""
    request = world.ask(NOW, "now")
    world.hear()
    world.desk.failure = ApiDenied("forbidden")

    world.clerk.look()
    world.clerk.wait_for_work()

    assert world.events.of("request.waits")[0].fields["error_code"] == "kubernetes.denied"
    world.desk.failure = None
    world.go_on()
    assert world.phase(request) is RequestPhase.COMPLETED


def test_a_malformed_request_is_refused_rather_than_guessed_at(world: RequestWorld) -> None:
    """A server without our schema lets anything in; nothing of it is carried out."""
    request = world.ask(NOW, "odd")
    world.desk.replace_as_it_is(replace(request, malformed="spec.pin is not a yes or no"))

    world.go_on()

    assert world.desk.statuses["odd"].conditions[0].reason == "InvalidSpec"
