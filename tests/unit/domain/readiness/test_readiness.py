"""Could this cluster be recovered right now? Each reason alone, over a cluster about which nothing else is to be said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import DataState, Pin, Snapshot
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.drill import DrillRecord
from etcd_dr.domain.key_count import KeyFall
from etcd_dr.domain.manifest import CompanionsFacts, MissingCompanion, StageFacts, TopologyMember
from etcd_dr.domain.objectives.rto import RtoBasis
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.quorum import Quorum, QuorumVerdict
from etcd_dr.domain.readiness.document import readiness_document
from etcd_dr.domain.readiness.facts import ReadinessFacts, ReadinessTerms
from etcd_dr.domain.readiness.judging import judge_readiness
from etcd_dr.domain.readiness.verdict import Readiness, Recoverable, Weight
from etcd_dr.domain.tripwire import PINNED_BY
from fakes.catalogue import catalogue_of, moment, snapshot

NOW = moment("2026-08-20 03:30")
AGE = (StageFacts(name="zstd"), StageFacts(name="age", parameters={"recipients": ("age1alice", "age1bob")}))
DIGEST = Digest.of_sha256(b"0" * 32)
PHASES = {"fetching": 10.0, "verifying": 5.0, "restoring": 5.0, "starting": 10.0, "comparing": 99.0}


def proof(level: ProofLevel, result: ProofResult = ProofResult.PASSED, *, days_ago: float = 0, **more: object) -> Proof:
    origin = ProofOrigin.STORED_OBJECT
    at = NOW - timedelta(days=days_ago)
    return Proof(level=level, result=result, at=at, made_from=origin, detail="said so", tool_version="0").model_copy(
        update=more
    )


def drill(*, days_ago: float = 0, result: ProofResult = ProofResult.PASSED) -> Proof:
    record = DrillRecord(phases=PHASES, rto_seconds=30.0)
    return proof(ProofLevel.RESTORABLE, result, days_ago=days_ago, drill=record)


def with_proofs(one: Snapshot, *proofs: Proof) -> Snapshot:
    return replace(one, proofs=(*one.proofs, *proofs))


def bent(one: Snapshot, **changes: object) -> Snapshot:
    return replace(one, manifest=one.manifest.model_copy(update=changes))


def companions(*missing: str) -> CompanionsFacts:
    return CompanionsFacts(
        plain_digest=DIGEST,
        plain_size_bytes=1,
        stored_digest=DIGEST,
        stored_size_bytes=1,
        stages=(),
        files=(),
        missing=tuple(MissingCompanion(name=name, reason="not there") for name in missing),
    )


def sound(at: str = "2026-08-20 03:00", *, stages: tuple[StageFacts, ...] = ()) -> Snapshot:
    """A snapshot about which there is nothing to say."""
    one = bent(snapshot(at, stages=stages), companions=companions())
    return with_proofs(one, proof(ProofLevel.CONSISTENT), drill())


def facts(*snapshots: Snapshot, **more: object) -> ReadinessFacts:
    """An hourly schedule, a store that was just read, and these snapshots; else two sound ones."""
    kept = snapshots or (sound("2026-08-20 02:00"), sound())
    known = ReadinessFacts(
        cluster="prod",
        now=NOW,
        catalogue=catalogue_of(*kept),
        read_at=NOW - timedelta(seconds=30),
        schedule_gap=timedelta(hours=1),
        next_start_at=moment("2026-08-20 04:00"),
    )
    return replace(known, **more)


def codes(readiness: Readiness, *, beside_notes: bool = True) -> list[str]:
    return [r.code for r in readiness.reasons if not beside_notes or r.weight is not Weight.NOTE]


def test_a_sound_cluster_could_be_recovered() -> None:
    """Yes, and nothing that would have to be read."""
    readiness = judge_readiness(facts())

    assert (readiness.answer, readiness.reasons) == (Recoverable.YES, ())
    assert readiness.summary == "yes"


def test_the_loss_grows_until_the_next_snapshot() -> None:
    """Half an hour now, an hour just before the next one is there."""
    readiness = judge_readiness(facts())

    assert readiness.rpo is not None
    assert (readiness.rpo.age, readiness.rpo.projected) == (timedelta(minutes=30), timedelta(hours=1))


def test_without_a_next_snapshot_nobody_says_the_worst() -> None:
    """A number that nothing will keep is worse than none."""
    readiness = judge_readiness(facts(schedule_gap=None, next_start_at=None))

    assert readiness.rpo is not None
    assert readiness.rpo.projected is None
    assert codes(readiness) == ["schedule.none"]
    assert readiness.answer is Recoverable.YES_BUT


def test_no_snapshot_is_a_no() -> None:
    """The plainest case."""
    readiness = judge_readiness(replace(facts(), catalogue=catalogue_of()))

    assert (readiness.answer, codes(readiness)) == (Recoverable.NO, ["snapshot.none"])
    assert (readiness.source, readiness.rpo, readiness.estimate) == (None, None, None)


@pytest.mark.parametrize("state", ["unproven", "stored", "damaged", "diverged", "inconclusive"])
def test_what_is_not_proven_does_not_count(state: str) -> None:
    """Only `stored` and `intact` together, with nothing newer against them, are something to rely on."""
    readiness = judge_readiness(facts(snapshot("2026-08-20 03:00", state=state)))  # type: ignore[arg-type] # its literals

    assert (readiness.answer, codes(readiness)) == (Recoverable.NO, ["snapshot.none_proven"])


def test_data_that_are_gone_are_no_restore_point() -> None:
    """Proofs of last week do not bring back an object that somebody deleted."""
    readiness = judge_readiness(facts(replace(sound(), data=DataState.MISSING)))

    assert readiness.answer is Recoverable.NO


def test_a_damaged_newest_leaves_an_older_one() -> None:
    """Yes, but: it says from which, and what that costs."""
    older = sound("2026-08-20 02:00")
    readiness = judge_readiness(facts(older, snapshot("2026-08-20 03:00", state="damaged")))

    assert (readiness.answer, codes(readiness)) == (Recoverable.YES_BUT, ["snapshot.newest_damaged"])
    assert readiness.source == older
    assert readiness.rpo is not None
    assert readiness.rpo.age == timedelta(minutes=90)


def test_an_unproven_newest_is_said() -> None:
    """A save whose proofs did not all come."""
    readiness = judge_readiness(facts(sound("2026-08-20 02:00"), snapshot("2026-08-20 03:00", state="stored")))

    assert codes(readiness) == ["snapshot.newest_unproven"]


def test_an_old_one_is_judged_by_the_schedule() -> None:
    """Ninety minutes are late for an hourly schedule, and early for a daily one."""
    late = facts(sound("2026-08-20 01:30"), sound("2026-08-20 01:59"))

    assert codes(judge_readiness(late)) == ["snapshot.stale"]
    assert codes(judge_readiness(replace(late, schedule_gap=timedelta(days=1)))) == []


def test_failed_runs_are_a_reservation() -> None:
    """The next snapshot may not come."""
    assert codes(judge_readiness(facts(failures=3))) == ["snapshot.failing"]


def test_a_store_that_does_not_answer_makes_it_unknown() -> None:
    """What was there at the last reading is told, and nothing is promised."""
    refused = Failure("store.unreachable", "connection refused", "See: etcd-dr snapshot list")
    readiness = judge_readiness(facts(store_failure=refused))

    assert (readiness.answer, codes(readiness)) == (Recoverable.UNKNOWN, ["store.unreachable"])
    assert readiness.source is not None
    assert "since 2026-08-20 03:29:30 UTC" in readiness.reasons[0].summary


def test_before_the_first_reading_nobody_knows() -> None:
    """A process that has just started says so."""
    readiness = judge_readiness(replace(facts(), catalogue=None, read_at=None))

    assert (readiness.answer, codes(readiness)) == (Recoverable.UNKNOWN, ["store.not_asked"])


def test_an_old_reading_says_nothing_about_now() -> None:
    """A reader that hangs must not keep a green light on."""
    readiness = judge_readiness(facts(read_at=NOW - timedelta(hours=1)))

    assert (readiness.answer, codes(readiness)) == (Recoverable.UNKNOWN, ["store.reading_old"])


def test_nothing_to_recover_from_outweighs_a_store_that_is_silent() -> None:
    """An empty store that went away is no reason to hope."""
    empty = replace(facts(), catalogue=catalogue_of(), store_failure=Failure("store.unreachable", "refused"))

    assert judge_readiness(empty).answer is Recoverable.NO


def test_a_lost_quorum_is_the_moment() -> None:
    """The way back is still there; the page says that it is needed now."""
    lost = Quorum(QuorumVerdict.LOST_MAY_RETURN, "1 of 3 voters answer")

    assert codes(judge_readiness(facts(quorum=lost))) == ["quorum.lost"]
    assert codes(judge_readiness(facts(quorum=Quorum(QuorumVerdict.HELD, "3 of 3")))) == []


def test_what_nobody_ever_restored_is_only_a_hope() -> None:
    """Intact bytes are not yet a cluster."""
    one = with_proofs(bent(snapshot("2026-08-20 03:00"), companions=companions()), proof(ProofLevel.CONSISTENT))

    assert codes(judge_readiness(facts(one))) == ["drill.never"]


def test_a_drill_grows_old() -> None:
    """Ninety days, unless the configuration says otherwise."""
    one = with_proofs(bent(snapshot("2026-08-20 03:00"), companions=companions()), drill(days_ago=10))

    assert codes(judge_readiness(facts(one))) == []
    assert codes(judge_readiness(facts(one, terms=ReadinessTerms(drill_max_age=timedelta(days=8))))) == ["drill.stale"]


def test_a_failed_drill_counts_also_where_an_older_one_passed() -> None:
    """The newest word on restoring is the one that holds."""
    failed = with_proofs(sound("2026-08-20 02:00"), drill(result=ProofResult.FAILED))
    passed = with_proofs(bent(snapshot("2026-08-20 03:00"), companions=companions()), drill(days_ago=3))

    assert codes(judge_readiness(facts(failed, passed))) == ["drill.failed"]


def test_an_inconclusive_drill_is_none() -> None:
    """A drill that could not start etcd says nothing about the snapshot."""
    one = with_proofs(
        bent(snapshot("2026-08-20 03:00"), companions=companions()), drill(result=ProofResult.INCONCLUSIVE)
    )

    assert codes(judge_readiness(facts(one))) == ["drill.never"]


def test_a_key_that_nobody_tried_is_said() -> None:
    """The operator proves on its scratch copy; that somebody holds the private key shows only when one is opened."""
    scratch = drill().model_copy(update={"made_from": ProofOrigin.SCRATCH})
    plain = bent(snapshot("2026-08-20 03:00", stages=AGE), companions=companions())
    never = with_proofs(plain, scratch)
    opened = with_proofs(plain, scratch, proof(ProofLevel.INTACT))

    assert codes(judge_readiness(facts(never))) == ["key.never_tried"]
    assert codes(judge_readiness(facts(opened))) == []


@pytest.mark.parametrize(
    ("then", "is_enough"),
    [(("age1alice",), True), (("age1alice", "age1bob"), True), (("age1bob", "age1carol"), False)],
)
def test_a_key_was_tried_when_it_opens_this_one_too(then: tuple[str, ...], is_enough: bool) -> None:
    """Nobody knows which of several keys opened the other one, so all of them must fit."""
    stages = (StageFacts(name="age", parameters={"recipients": then}),)
    newest = with_proofs(
        bent(snapshot("2026-08-20 03:00", stages=AGE), companions=companions()),
        drill().model_copy(update={"made_from": ProofOrigin.SCRATCH}),
    )

    readiness = judge_readiness(facts(sound("2026-08-19 03:00", stages=stages), newest))

    assert ("key.never_tried" not in codes(readiness)) is is_enough


def test_missing_companions_are_named() -> None:
    """A recovery on new machines would stop at the first of them."""
    one = bent(sound(), companions=companions("cp1/etc/kubernetes/pki/sa.key"))
    readiness = judge_readiness(facts(one))

    assert codes(readiness) == ["companions.missing"]
    assert "cp1/etc/kubernetes/pki/sa.key" in readiness.reasons[0].summary


def test_companions_are_missed_only_where_they_are_wanted() -> None:
    """Else it is a note: they may be kept elsewhere."""
    one = bent(sound(), companions=None)

    assert codes(judge_readiness(facts(one, sound("2026-08-20 02:00")))) == []
    assert codes(judge_readiness(facts(one, terms=ReadinessTerms(keeps_companions=True)))) == ["companions.missing"]


def test_notes_change_nothing() -> None:
    """Worth reading, no reason to doubt: an only snapshot, not compared, without companions."""
    one = with_proofs(snapshot("2026-08-20 03:00"), drill().model_copy(update={"level": ProofLevel.RESTORABLE}))
    failed_nothing = replace(one, proofs=tuple(p for p in one.proofs if p.level is not ProofLevel.RESTORABLE))
    older = with_proofs(snapshot("2026-08-19 03:00", state="stored"), drill())

    readiness = judge_readiness(facts(older, failed_nothing))

    assert readiness.answer is Recoverable.YES
    assert codes(readiness, beside_notes=False) == ["companions.not_kept", "snapshot.not_compared", "snapshot.only_one"]


def test_the_estimate_is_what_a_drill_measured_and_what_the_nodes_add() -> None:
    """No drill stops a member or places its data, so that part is typical, and told apart."""
    readiness = judge_readiness(facts())

    assert readiness.estimate is not None
    assert readiness.estimate.basis is RtoBasis.DRILL
    assert readiness.estimate.restore_seconds == 30.0
    assert readiness.estimate.nodes_seconds == 20.0
    assert readiness.estimate.seconds == 50.0


def test_without_a_drill_typical_rates_are_taken_and_named() -> None:
    """A guess is told apart from a measurement."""
    readiness = judge_readiness(facts(snapshot("2026-08-20 03:00")))

    assert readiness.estimate is not None
    assert readiness.estimate.basis is RtoBasis.ESTIMATE
    assert readiness.estimate.drilled_at is None


def test_three_members_take_longer_than_one() -> None:
    """Data directories are built and placed two at a time."""
    one = bent(sound(), database=sound().manifest.database.model_copy(update={"size_bytes": 1_000_000_000}))
    rows = tuple(TopologyMember(id=str(n), name=f"m{n}", peer_urls=(), client_urls=()) for n in range(3))

    alone, three = (judge_readiness(facts(each)).estimate for each in (one, bent(one, topology=rows)))

    assert alone is not None
    assert three is not None
    assert three.nodes_seconds > alone.nodes_seconds


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        (ReadinessTerms(rto_objective=timedelta(seconds=29)), [("objective.rto", Weight.RESERVATION)]),
        (ReadinessTerms(rto_objective=timedelta(seconds=31)), [("objective.rto", Weight.NOTE)]),
        (ReadinessTerms(rto_objective=timedelta(hours=1)), []),
        (ReadinessTerms(rpo_objective=timedelta(minutes=15)), [("objective.rpo", Weight.RESERVATION)]),
        (ReadinessTerms(rpo_objective=timedelta(minutes=45)), [("objective.rpo", Weight.NOTE)]),
        (ReadinessTerms(rpo_objective=timedelta(hours=2)), []),
    ],
)
def test_an_objective_that_is_broken_is_a_reservation(terms: ReadinessTerms, found: list[tuple[str, Weight]]) -> None:
    """And one that is at risk a note."""
    assert [(r.code, r.weight) for r in judge_readiness(facts(terms=terms)).reasons] == found


def test_the_weightiest_reason_comes_first_and_is_the_summary() -> None:
    """Whoever reads one line reads that one."""
    readiness = judge_readiness(
        facts(
            sound("2026-08-20 02:00"),
            snapshot("2026-08-20 03:00", state="damaged"),
            failures=1,
            store_failure=Failure("store.unreachable", "connection refused"),
        )
    )

    assert codes(readiness) == ["store.unreachable", "snapshot.newest_damaged", "snapshot.failing"]
    assert readiness.summary.startswith("unknown: the store has not been read")


def test_the_document_keeps_what_is_not_known_as_null() -> None:
    """A key is never left out."""
    whole = readiness_document(judge_readiness(facts()))
    empty = readiness_document(judge_readiness(replace(facts(), catalogue=None, read_at=None)))

    assert set(whole) == set(empty)
    assert (whole["recoverable"], whole["exit_status"], whole["as_of"]) == ("yes", 0, "2026-08-20T03:29:30Z")
    assert (empty["recoverable"], empty["exit_status"], empty["loss_seconds"]) == ("unknown", 3, None)


def test_no_unconditional_yes_while_the_newest_snapshot_is_of_what_a_mass_deletion_left() -> None:
    """Whoever reads "yes" at night restores the newest one; taking the pin away acknowledges it, and it ends by itself."""
    at = moment("2026-08-20 02:10")
    fall = KeyFall(keys_before=2000, before_at=at, keys_after=500, at=at)
    good = sound("2026-08-20 02:00")
    pinned = replace(good, pin=Pin(at=at, by=PINNED_BY, reason="mass deletion", fall=fall))

    told = judge_readiness(facts(pinned, sound()))
    acknowledged = judge_readiness(facts(good, sound()))
    long_ago = judge_readiness(facts(pinned, sound(), terms=ReadinessTerms(mass_deletion_hold=timedelta(minutes=5))))

    assert (told.answer, codes(told)) == (Recoverable.YES_BUT, ["data.mass_deletion"])
    assert str(good.id) in told.reasons[0].summary
    assert (codes(acknowledged), codes(long_ago)) == ([], [])
