"""A board about a made-up site, for the status page: four clusters, each with another answer.

board, clock = made_up_board()
board.update("prod", report=...)          # bend it as a job would
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.catalogue import Catalogue, Snapshot
from etcd_dr.domain.drill import DrillRecord
from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.manifest import StageFacts, TopologyMember
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.domain.readiness.facts import ReadinessTerms
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.ports.object_store import StoreGuarantees
from fakes.catalogue import catalogue_of, snapshot
from fakes.clock import MORNING, FakeClock
from fakes.observations import all_bent, healthy, silent, without_quorum

NOW = MORNING + timedelta(minutes=12, seconds=40)
HOUR = timedelta(hours=1)
_AGE = (StageFacts(name="zstd"), StageFacts(name="age", parameters={"recipients": ("age1alice",)}))
_MEMBERS = tuple(TopologyMember(id=f"10{n}", name=f"m{n}", peer_urls=(), client_urls=()) for n in (1, 2, 3))


def made_up_board() -> tuple[StatusBoard, FakeClock]:
    """Return the board and the clock that its page is seen by."""
    clock = FakeClock(NOW)
    prod = _state("prod", kept(), busy())
    drilled = replace(prod, catalogue=_never_drilled(kept()), cluster="staging")
    lost = replace(_state("edge-berlin", kept(), without_quorum(silent(busy(), "m2", "m3"))), store="offsite")
    refused = Failure("store.unreachable", "connection refused by s3.example.net:443", "Look at the network.")
    silent_store = replace(_state("lab", kept(), busy(1)), store_failure=refused, store="offsite")
    empty = replace(_state("edge-oslo", catalogue_of(), healthy(3)), next_start_at=NOW + timedelta(minutes=1))
    return StatusBoard([prod, drilled, lost, silent_store, empty]), clock


def busy(voters: int = 3) -> Observation:
    """Return a healthy cluster whose database is that of `kept`."""
    status = {"revision": 29_786_931, "db_size_bytes": 1_310 << 20, "db_in_use_bytes": 1_180 << 20}
    return all_bent(healthy(voters), status=status)


def report_of(seen: Observation, cluster: str) -> HealthReport:
    """Return what the rules say of an observation, made half a minute ago."""
    return evaluate(replace(seen, taken_at=NOW - timedelta(seconds=24)), cluster=cluster)


def kept(*, newest: str = "consistent") -> Catalogue:
    """Return two days of hourly snapshots and two weeks of daily ones, drilled once a week.

    `newest`: what is proven of the last one, `consistent` or `stored`.
    """
    moments = [MORNING - n * HOUR for n in range(1, 40)] + [MORNING - timedelta(days=n) for n in range(2, 16)]
    older = [_proven(snapshot(at, stages=_AGE), size=1_180_000_000 + 40_000 * i) for i, at in enumerate(set(moments))]
    by_time = sorted(older, key=lambda s: s.taken_at)
    by_time[-6] = _with(
        by_time[-6], ProofLevel.STORED, ProofResult.FAILED, detail="41 bytes differ from what was written"
    )
    for place, seconds in ((-26, 74.2), (6, 69.8), (1, 101.5)):
        by_time[place] = _drilled(by_time[place], seconds)
    last = snapshot(MORNING, stages=_AGE, state="proven" if newest == "consistent" else "stored")
    return catalogue_of(*by_time, _proven(last, size=1_240_000_000) if newest == "consistent" else last)


def _state(cluster: str, catalogue: Catalogue, seen: Observation) -> ClusterState:
    return ClusterState(
        cluster=cluster,
        store="main",
        schedule_gap=HOUR,
        drill_max_age=timedelta(days=8),
        terms=ReadinessTerms(
            platform="static-pod",
            drill_max_age=timedelta(days=8),
            rto_objective=timedelta(minutes=5),
            rpo_objective=2 * HOUR,
        ),
        report=report_of(seen, cluster),
        catalogue=catalogue,
        catalogue_read_at=NOW - timedelta(seconds=95),
        store_was_asked=True,
        guarantees=StoreGuarantees(put_if_absent=True, object_lock=False, detail="probed"),
        next_start_at=MORNING + HOUR,
    )


def _proven(one: Snapshot, *, size: int) -> Snapshot:
    facts = one.manifest.database.model_copy(
        update={
            "size_bytes": size,
            "live_keys": 48_211,
            "all_records": 61_904,
            "revision": one.manifest.database.revision // 60,
        }
    )
    manifest = one.manifest.model_copy(
        update={"database": facts, "stored_size_bytes": size // 6, "topology": _MEMBERS, "duration_seconds": 21.0}
    )
    return _with(replace(one, manifest=manifest), ProofLevel.CONSISTENT, ProofResult.PASSED)


def _with(one: Snapshot, level: ProofLevel, result: ProofResult, *, detail: str = "", **more: object) -> Snapshot:
    proof = Proof(
        level=level,
        result=result,
        at=one.taken_at + timedelta(minutes=20),
        made_from=ProofOrigin.STORED_OBJECT,
        detail=detail,
        tool_version="0",
    ).model_copy(update=more)
    return replace(one, proofs=(*one.proofs, proof))


def _drilled(one: Snapshot, seconds: float) -> Snapshot:
    phases = {
        "fetching": seconds * 0.4,
        "verifying": seconds * 0.1,
        "restoring": seconds * 0.2,
        "starting": seconds * 0.3,
    }
    record = DrillRecord(phases=phases, rto_seconds=seconds, objective_seconds=300.0, keys_compared=200)
    told = "hash, revision and 200 keys are the same"
    return _with(one, ProofLevel.RESTORABLE, ProofResult.PASSED, detail=told, drill=record)


def _never_drilled(catalogue: Catalogue) -> Catalogue:
    def undrilled(one: Snapshot) -> Snapshot:
        return replace(one, proofs=tuple(p for p in one.proofs if p.level is not ProofLevel.RESTORABLE))

    return replace(catalogue, snapshots=tuple(undrilled(one) for one in catalogue.snapshots))
