"""Rehearsing a recovery: what passes, what fails, what is no answer, and that nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_files import DirectoryRooms, PartFiles
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.proof import ProofLevel, ProofOrigin, ProofResult
from etcd_dr.errors import (
    Cancelled,
    EtcdDrError,
    IdentityMissing,
    SnapshotDamaged,
    StoreDenied,
    ToolFailed,
    ToolMissing,
)
from etcd_dr.workflows.drill_restore import DrillOptions, DrillOutcome, DrillPorts, drill_restore
from fakes.codec import FakeDecoder
from fakes.restorer import FakeRestorer
from fakes.throwaway_member import FakeMemberHost
from scenarios.snapshot_world import SnapshotWorld


class DrillWorld:
    """A snapshot in a store, and everything that a drill of it needs."""

    def __init__(self, directory: Path) -> None:
        self.world = SnapshotWorld(directory, keys=500)
        self.world.database.delete(b"/registry/pods/default/pod-000007")
        self.world.share(self.world.database)
        self.snapshot = self.world.take().snapshot
        self.restorer = FakeRestorer()
        self.host = FakeMemberHost()
        self.rooms = directory / "rooms"
        self.rooms.mkdir()

    def drill(
        self, *, snapshot: Snapshot | None = None, objective: timedelta | None = None, scratch: Path | None = None
    ) -> DrillOutcome:
        world = self.world
        ports = DrillPorts(
            store=world.store,
            decoder=world.decoder,
            files=PartFiles(),
            rooms=DirectoryRooms(self.rooms),
            restorer=self.restorer,
            host=self.host,
            clock=world.clock,
            tokens=world.tokens,
            events=world.events,
            progress=world.progress,
            cancellation=world.cancellation,
        )
        options = DrillOptions(sample_keys=50, objective=objective)
        return drill_restore(snapshot or self.snapshot, world.layout, ports=ports, options=options, scratch=scratch)

    @property
    def left(self) -> list[Path]:
        return [*self.rooms.iterdir(), *self.host.running]

    @property
    def kept(self) -> ProofResult | None:
        """What the store remembers of drills."""
        proof = self.world.catalogue.snapshots[-1].newest_proofs.get(ProofLevel.RESTORABLE)
        return proof.result if proof else None


@pytest.fixture
def drills(tmp_path: Path) -> Iterator[DrillWorld]:
    made = DrillWorld(tmp_path)
    yield made
    assert made.left == []


def failed_checks(outcome: DrillOutcome) -> list[str]:
    return [check.name for check in outcome.checks if check.passed is False]


def test_sound_snapshot_is_proven_restorable(drills: DrillWorld) -> None:
    """The proof is kept beside the snapshot, with what was measured, and lifts its level."""
    outcome = drills.drill()

    [found] = drills.world.catalogue.snapshots
    assert outcome.is_restorable
    assert [check.name for check in outcome.checks] == [
        "stored",
        "intact",
        "restored",
        "started",
        "manifest",
        "revision",
        "hash",
        "keys",
        "sample",
    ]
    assert found.level is ProofLevel.RESTORABLE
    assert found.newest_proofs[ProofLevel.RESTORABLE] == outcome.proof
    assert outcome.record.keys_compared > 30
    assert set(outcome.record.phases) == {"fetching", "verifying", "restoring", "starting", "comparing"}


def test_restored_member_is_alone_and_its_token_is_new_each_time(drills: DrillWorld) -> None:
    """With the old token a member of the lost cluster could find it."""
    drills.drill()
    drills.drill()

    first, second = drills.restorer.orders
    assert first.token != second.token
    assert list(first.initial_cluster) == ["drill"]
    assert first.bump_revision == 0


@pytest.mark.parametrize(
    ("bend", "check"),
    [
        (lambda d: setattr(d.host, "hash_flaw", 1), "hash"),
        (lambda d: d.host.missing_keys.update(b"/registry/pods/default/pod-%06d" % n for n in range(500)), "keys"),
        (lambda d: d.host.changed_keys.update(b"/registry/pods/default/pod-%06d" % n for n in range(500)), "sample"),
        (lambda d: setattr(d.host, "dies", True), "started"),
        (lambda d: d.restorer.failures.append(SnapshotDamaged("checksum error")), "restored"),
    ],
    ids=["hash", "count", "bytes", "start", "tool"],
)
def test_what_etcd_holds_against_it_fails_the_proof(drills: DrillWorld, bend: object, check: str) -> None:
    """Each comparison alone is enough, and the failed proof is kept: it is evidence."""
    bend(drills)  # type: ignore[operator]

    outcome = drills.drill()

    assert outcome.proof.result is ProofResult.FAILED
    assert check in failed_checks(outcome)
    assert any(finding.startswith(f"drill.{check}") for finding in outcome.proof.findings)
    assert drills.kept is ProofResult.FAILED
    assert drills.world.catalogue.snapshots[-1].is_damaged


def test_damaged_object_fails_without_any_etcd(drills: DrillWorld) -> None:
    """Nothing is restored from bytes that are not those that were written."""
    key = drills.world.layout.data(drills.snapshot.id)
    body = bytearray(drills.world.store.body(key))
    body[len(body) // 2] ^= 1
    drills.world.store.plant(key, bytes(body))

    outcome = drills.drill()

    assert failed_checks(outcome) == ["stored"]
    assert drills.restorer.orders == []


@pytest.mark.parametrize(
    ("bend", "kind"),
    [
        (lambda d: setattr(d.restorer, "versions", []), ToolMissing),
        (lambda d: setattr(d.host, "versions", []), ToolMissing),
        (lambda d: d.restorer.failures.append(ToolFailed("no idea")), ToolFailed),
        (lambda d: setattr(d.world, "decoder", FakeDecoder()), IdentityMissing),
        (lambda d: d.world.cancellation.cancel("SIGTERM"), Cancelled),
    ],
    ids=["no etcdutl", "no etcd", "tool fails", "no identity", "stopped"],
)
def test_what_is_not_the_snapshots_fault_is_an_error_and_no_proof(
    drills: DrillWorld, bend: object, kind: type[EtcdDrError]
) -> None:
    """A missing tool must never make a good snapshot look damaged."""
    bend(drills)  # type: ignore[operator]

    with pytest.raises(kind):
        drills.drill()

    assert drills.kept is None


def test_hash_that_may_not_be_asked_for_is_asked_as_of_now(drills: DrillWorld) -> None:
    """etcd before 3.5.10 refuses the very revision it was compacted at."""
    drills.host.refuses_hash_at_revision = True

    assert drills.drill().is_restorable


def test_slow_drill_is_told_against_the_objective(drills: DrillWorld) -> None:
    """The proof passes; the record says that it took too long."""
    drills.restorer.restore = slowed(drills)  # type: ignore[method-assign]

    outcome = drills.drill(objective=timedelta(seconds=30))

    assert outcome.is_restorable
    assert outcome.record.rto_seconds == 45.0
    assert outcome.record.meets_objective is False


def slowed(drills: DrillWorld) -> object:
    restore = drills.restorer.restore

    def slow(*arguments: object, **named: object) -> None:
        drills.world.clock.advance(45)
        restore(*arguments, **named)  # type: ignore[arg-type]

    return slow


def test_scratch_copy_is_drilled_without_fetching(drills: DrillWorld, tmp_path: Path) -> None:
    """An operator without an identity drills what it has just saved; such a drill measures no RTO."""
    plain = drills.world.fetch(drills.snapshot, tmp_path / "plain.db").path
    drills.world.decoder = FakeDecoder()

    outcome = drills.drill(scratch=plain)

    assert outcome.is_restorable
    assert outcome.proof.made_from is ProofOrigin.SCRATCH
    assert outcome.record.rto_seconds is None
    assert plain.exists()


def test_store_that_keeps_no_proof_is_a_word_in_the_outcome(drills: DrillWorld) -> None:
    """Who may only read still learns the verdict."""
    drills.world.store.fail("put", StoreDenied("not allowed", subject="s3://bucket"))

    outcome = drills.drill()

    assert outcome.is_restorable
    assert "not allowed" in (outcome.not_recorded or "")


def test_remains_of_a_killed_drill_are_swept(drills: DrillWorld) -> None:
    """They are databases in clear."""
    remains = drills.rooms / "etcd-dr-room-0123456789abcdef"
    (remains / "drill.etcd" / "member").mkdir(parents=True)

    drills.drill()

    assert not remains.exists()
