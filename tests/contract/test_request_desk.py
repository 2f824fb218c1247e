"""Every desk keeps the contract of the port: the Kubernetes API and the fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from etcd_dr.adapters.kubernetes.request_desk import KubernetesRequestDesk
from etcd_dr.domain.answer import Failure
from etcd_dr.domain.drill import DrillCheck, DrillRecord
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.request import Request, RequestKind, RequestPhase, Wish
from etcd_dr.domain.request_status import (
    drill_completed,
    failed,
    recorded,
    refused,
    running,
    snapshot_answer,
    snapshot_completed,
)
from etcd_dr.errors import KubernetesError, ResourceConflict, ResourceMissing
from etcd_dr.ports.request_desk import Record, RequestDesk
from fakes.catalogue import snapshot
from fakes.clock import MORNING, FakeClock
from fakes.request_desk import FakeRequestDesk
from real.kube_site import make_site

Leave = Callable[..., Request]
SNAPSHOT = snapshot("2026-08-20 03:00")
SECONDS = 5
"""For a server on a busy machine to tell what it knows already; it ends the listening after them."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk, and how a person leaves a request on it."""

    desk: RequestDesk
    leave: Leave


@pytest.fixture(
    params=[pytest.param("fake"), pytest.param("kubernetes", marks=pytest.mark.matrix)],
)
def place(request: pytest.FixtureRequest) -> Iterator[Desk]:
    if request.param == "fake":
        fake = FakeRequestDesk(FakeClock())
        yield Desk(fake, _leaver(fake))
        return
    site = make_site(
        request.getfixturevalue("kube_apiserver"),
        request.getfixturevalue("kube_namespace"),
        stock_program=request.getfixturevalue("stock_program"),
    )
    # As the operator would: under the account that the chart makes.
    desk = KubernetesRequestDesk(site.account, now=lambda: MORNING, holder="here")
    by_hand = KubernetesRequestDesk(site.admin, now=lambda: MORNING, holder="somebody")
    yield Desk(desk, _leaver(by_hand))
    site.admin.close()
    site.account.close()


def test_a_request_is_seen_as_it_was_left(place: Desk) -> None:
    """Nothing of a wish is lost on the way."""
    left = place.leave(RequestKind.SNAPSHOT, "now", note="before the upgrade", wants_pin=True, ttl=timedelta(hours=1))
    [seen] = place.desk.list(RequestKind.SNAPSHOT).requests

    assert seen == left
    assert (seen.cluster, seen.note, seen.wants_pin, seen.ttl) == (
        "prod",
        "before the upgrade",
        True,
        timedelta(hours=1),
    )
    assert seen.phase is None
    assert not seen.is_record
    assert not seen.malformed
    assert place.desk.list(RequestKind.DRILL).requests == ()


def test_a_name_is_found_for_a_request_without_one_and_none_is_given_twice(place: Desk) -> None:
    """Two people who ask at once get two answers; one who names what is there is told."""
    first, second = place.leave(RequestKind.SNAPSHOT, ""), place.leave(RequestKind.SNAPSHOT, "")

    assert first.name != second.name
    with pytest.raises(ResourceConflict):
        place.leave(RequestKind.SNAPSHOT, first.name)


def test_who_comes_second_with_a_claim_is_told(place: Desk) -> None:
    """Two processes that saw the same request do not both carry it out."""
    left = place.leave(RequestKind.SNAPSHOT, "now")
    claimed = place.desk.write_status(left, running(claimed_by="first", at=MORNING))

    with pytest.raises(ResourceConflict):
        place.desk.write_status(left, running(claimed_by="second", at=MORNING))

    assert (claimed.phase, claimed.claimed_by, claimed.started_at) == (RequestPhase.RUNNING, "first", MORNING)
    assert place.desk.look(left) == claimed


def test_an_answer_is_read_back_as_it_was_written(place: Desk) -> None:
    """What is shown can be compared with what should be shown."""
    left = place.leave(RequestKind.SNAPSHOT, "now")
    claimed = place.desk.write_status(left, running(claimed_by="here", at=MORNING))
    done = place.desk.write_status(claimed, snapshot_completed(claimed, SNAPSHOT, store="main", at=MORNING))

    assert done.phase is RequestPhase.COMPLETED
    assert done.answer == snapshot_answer(SNAPSHOT, store="main")
    assert done.finished_at == MORNING
    assert done.claimed_by == "here"


def test_the_answer_of_a_drill_is_read_back_as_it_was_written(place: Desk) -> None:
    """Its checks and its RTO stand beside the result."""
    left = place.leave(RequestKind.DRILL, "rehearsal", selector="latest-verified")
    proof = Proof(
        level=ProofLevel.RESTORABLE,
        result=ProofResult.FAILED,
        at=MORNING,
        made_from=ProofOrigin.STORED_OBJECT,
        detail="hash differs",
        tool_version="0",
    )
    checks = (DrillCheck("hash", "1 is not 2", passed=False), DrillCheck("keys", "same", passed=True))
    status = drill_completed(
        left, SNAPSHOT, proof=proof, record=DrillRecord(phases={}, rto_seconds=12.5), checks=checks, at=MORNING
    )
    done = place.desk.write_status(left, status)

    assert left.selector == "latest-verified"
    assert done.answer == status.answer
    assert done.phase is RequestPhase.COMPLETED


def test_a_later_status_takes_the_earlier_away(place: Desk) -> None:
    """A failed request does not still say what a running one said, and its reasons are kept."""
    left = place.leave(RequestKind.SNAPSHOT, "now")
    first = place.desk.write_status(left, snapshot_completed(left, SNAPSHOT, store="main", at=MORNING))
    failure = Failure("etcd.no_usable_member", "none answers", "Look at them with: etcd-dr health")
    after = place.desk.write_status(first, failed(first, failure, at=MORNING))

    assert after.phase is RequestPhase.FAILED
    assert after.answer is None
    assert after.failure == failure


def test_only_the_object_that_was_seen_is_removed(place: Desk) -> None:
    """One that was deleted and left anew under the same name stays."""
    left = place.leave(RequestKind.SNAPSHOT, "now")
    place.desk.remove(left)
    again = place.leave(RequestKind.SNAPSHOT, "now")

    with pytest.raises(ResourceConflict):
        place.desk.remove(left)
    assert place.desk.look(again) == again
    place.desk.remove(again)
    with pytest.raises(ResourceMissing):
        place.desk.remove(again)
    with pytest.raises(ResourceMissing):
        place.desk.look(again)
    with pytest.raises(ResourceMissing):
        place.desk.write_status(again, running(claimed_by="here", at=MORNING))


def test_a_record_is_made_corrected_and_otherwise_left_alone(place: Desk) -> None:
    """The same record put twice is one record; what changed in the store is shown."""
    damaged = replace(SNAPSHOT, proofs=snapshot("2026-08-20 03:00", state="damaged").proofs)

    uids = set()
    for shown in (SNAPSHOT, SNAPSHOT, damaged):
        answer = snapshot_answer(shown, store="main")
        place.desk.put_record(Record("prod", recorded(shown, store="main"), answer))
        [record] = place.desk.list(RequestKind.SNAPSHOT).requests
        uids.add(record.uid)
        assert record.answer == answer

    assert record.is_record
    assert record.phase is RequestPhase.COMPLETED
    assert record.cluster == "prod"
    assert len(uids) == 1


def test_what_happens_is_told_in_order_from_a_version_on(place: Desk) -> None:
    """Nothing between a listing and its following is lost, and versions go on from there."""
    place.leave(RequestKind.SNAPSHOT, "before")
    since = place.desk.list(RequestKind.SNAPSHOT).version
    left = place.leave(RequestKind.SNAPSHOT, "now")
    written = place.desk.write_status(left, refused(reason="UnknownCluster", message="no", at=MORNING))
    place.leave(RequestKind.DRILL, "other-kind")
    place.desk.remove(written)

    with place.desk.follow(RequestKind.SNAPSHOT, since=since, seconds=SECONDS) as following:
        told = [each for each in following.happenings if each.request is not None]
    with place.desk.follow(RequestKind.SNAPSHOT, since=told[0].version, seconds=SECONDS) as following:
        rest = [each for each in following.happenings if each.request is not None]

    assert [(each.request.name, each.request.phase, each.is_gone) for each in told if each.request] == [
        ("now", None, False),
        ("now", RequestPhase.REFUSED, False),
        ("now", RequestPhase.REFUSED, True),
    ]
    assert rest == told[1:]


def test_words_beside_a_request_are_taken(place: Desk) -> None:
    """A long one is cut rather than refused."""
    left = place.leave(RequestKind.SNAPSHOT, "now")

    place.desk.tell(left, severity="Warning", reason="Failed", message="x" * 5000)


def test_a_fake_that_is_down_fails_every_call() -> None:
    """Tests that bend the fake see what the real one would raise."""
    fake = FakeRequestDesk(FakeClock(), failure=KubernetesError("gone"))

    with pytest.raises(KubernetesError):
        fake.list(RequestKind.DRILL)


def _leaver(desk: RequestDesk) -> Leave:
    def leave(kind: RequestKind, name: str, **wishes: Any) -> Request:
        return desk.leave(Wish(kind, "prod", name, **wishes))

    return leave
