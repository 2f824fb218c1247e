"""Prometheus metrics of the operator (docs/metrics.md lists them; prefix `etcd_dr_`).

Gauges are made at each scrape from the board, so that a member or a finding that is gone leaves no stale series, and
so that they say what the *store* holds and not what a job believes it did. Counters count what this process did.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etcd_dr import __version__
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.proof import ProofLevel, ProofResult
from etcd_dr.domain.quorum import QuorumVerdict
from etcd_dr.domain.snapshot_facts import last_good_drill_at
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard

_PHASE_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class OperatorMetrics:
    """The registry, with counters for jobs to count on."""

    def __init__(self, board: StatusBoard) -> None:
        self.registry = CollectorRegistry()
        self._make_counters()
        Info("etcd_dr_build", "Version of etcd-dr", registry=self.registry).info({"version": __version__})
        self.registry.register(_BoardCollector(board))

    def _make_counters(self) -> None:
        place = ("cluster", "store")
        self.snapshots = Counter(
            "etcd_dr_snapshot",
            "Snapshot runs by result: success, unproven, failure",
            (*place, "result"),
            registry=self.registry,
        )
        self.snapshot_seconds = Histogram(
            "etcd_dr_snapshot_duration_seconds",
            "Duration of committed snapshots",
            place,
            buckets=_PHASE_BUCKETS,
            registry=self.registry,
        )
        self.phase_seconds = Counter(
            "etcd_dr_snapshot_phase_seconds",
            "Time spent in the phases of committed snapshots; phases overlap",
            (*place, "phase"),
            registry=self.registry,
        )
        self.stored_bytes = Counter(
            "etcd_dr_snapshot_stored_bytes",
            "Bytes of committed snapshots as they are stored",
            place,
            registry=self.registry,
        )
        self.verifications = Counter(
            "etcd_dr_verification",
            "Re-verifications of stored snapshots by result",
            (*place, "result"),
            registry=self.registry,
        )
        self.drills = Counter(
            "etcd_dr_drill",
            "Drills of this process by result: passed, failed, inconclusive",
            (*place, "result"),
            registry=self.registry,
        )
        self.removals = Counter(
            "etcd_dr_retention",
            "Snapshots that retention removed, or could not remove",
            (*place, "result"),
            registry=self.registry,
        )
        self.errors = Counter(
            "etcd_dr_job_errors",
            "Jobs that ended with an error, by task and error code",
            ("cluster", "task", "code"),  # not "job": that is Prometheus' own label of a target
            registry=self.registry,
        )
        self.notifications = Counter(
            "etcd_dr_notifications",
            "Messages to receivers by result: delivered, failed, dropped",
            ("receiver", "result"),
            registry=self.registry,
        )
        self.failing = Gauge(
            "etcd_dr_job_failing",
            "Whether the last run of a task in this process ended with an error",
            ("cluster", "task"),
            registry=self.registry,
        )


class _BoardCollector(Collector):
    def __init__(self, board: StatusBoard) -> None:
        self._board = board

    def describe(self) -> Sequence[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        states = self._board.all()
        families = _Families()
        for state in states:
            _schedule(families, state)
            _store(families, state)
            if state.catalogue is not None:
                _catalogue(families, state, state.catalogue)
            if state.report is not None:
                _quorum(families, state.report)
                _members(families, state.report)
        yield from families.all()


class _Families:
    """Gauge families by name, each made when its first sample comes."""

    def __init__(self) -> None:
        self._families: dict[str, GaugeMetricFamily] = {}

    def set(self, name: str, text: str, value: float | None, **labels: str) -> None:
        """Add one sample; None adds nothing, because "not known" is the absence of a series."""
        if value is None:
            return
        family = self._families.get(name)
        if family is None:
            family = GaugeMetricFamily(f"etcd_dr_{name}", text, labels=tuple(labels))
            self._families[name] = family
        family.add_metric(tuple(labels.values()), float(value))

    def all(self) -> Iterator[GaugeMetricFamily]:
        return iter(self._families.values())


def _schedule(families: _Families, state: ClusterState) -> None:
    place = {"cluster": state.cluster, "store": state.store}
    families.set("schedule_enabled", "Whether a schedule is configured", state.schedule_gap is not None, **place)
    gap = state.schedule_gap.total_seconds() if state.schedule_gap else None
    families.set("schedule_interval_seconds", "Longest time between two runs of the schedule", gap, **place)
    families.set("next_run_timestamp_seconds", "When the next run begins", _unix(state.next_start_at), **place)
    drilled_within = state.drill_max_age.total_seconds() if state.drill_max_age else None
    families.set("drill_max_age_seconds", "How old the last good drill may be", drilled_within, **place)
    families.set("snapshot_failures_in_a_row", "Failed runs since the last good one", state.failures, **place)


def _store(families: _Families, state: ClusterState) -> None:
    place = {"cluster": state.cluster, "store": state.store}
    if state.store_was_asked:
        text = "Whether the last reading of the store succeeded"
        families.set("store_probe_success", text, state.store_failure is None, **place)
    if state.guarantees is not None:
        text = "Whether the store keeps two writers of one key apart"
        families.set("store_put_if_absent", text, state.guarantees.put_if_absent, **place)
    text = "When the store was last read successfully"
    families.set("catalogue_timestamp_seconds", text, _unix(state.catalogue_read_at), **place)


def _catalogue(families: _Families, state: ClusterState, catalogue: Catalogue) -> None:
    place = {"cluster": state.cluster, "store": state.store}
    proven = [s for s in catalogue.snapshots if s.is_proven]
    damaged = sum(s.is_damaged for s in catalogue.snapshots)
    families.set("restorable_points", "Snapshots in the store that are proven", len(proven), **place)
    text = "Snapshots in the store with a failed proof, or a manifest that does not parse"
    families.set("catalog_corrupt_objects", text, damaged + len(catalogue.unreadable), **place)
    families.set("catalog_uncommitted", "Folders without a manifest", len(catalogue.uncommitted), **place)
    levels = Tally(s.level.value if s.level else "none" for s in catalogue.snapshots)
    for level in [*ProofLevel, "none"]:
        families.set(
            "snapshots", "Snapshots in the store by proven level", levels[str(level)], level=str(level), **place
        )
    families.set(
        "newest_restorable_timestamp_seconds",
        "When the newest proven snapshot was taken",
        _unix(proven[-1].taken_at if proven else None),
        **place,
    )
    _drills(families, catalogue, place)
    _newest(families, catalogue, place)


def _drills(families: _Families, catalogue: Catalogue, place: dict[str, str]) -> None:
    """Whoever drilled, the store remembers it: a Job, a person, this process."""
    proofs = [
        s.newest_proofs[ProofLevel.RESTORABLE] for s in catalogue.snapshots if ProofLevel.RESTORABLE in s.newest_proofs
    ]
    text = "When a drill last passed; 0: never"
    good_at = last_good_drill_at(catalogue)
    families.set("drill_last_success_timestamp_seconds", text, _unix(good_at) if good_at else 0, **place)
    last = max(proofs, key=lambda proof: proof.at, default=None)
    if last is None:
        return
    families.set("drill_last_result", "Whether the last drill passed", last.passed, **place)
    for phase, seconds in last.drill.phases.items() if last.drill else ():
        families.set("drill_phase_seconds", "Phases of the last drill", seconds, **place, phase=phase)
    measured = max((p for p in proofs if p.drill and p.drill.rto_seconds is not None), key=lambda p: p.at, default=None)
    if measured is not None and measured.drill is not None:
        families.set(
            "drill_rto_seconds", "RTO of the last drill that measured one", measured.drill.rto_seconds, **place
        )
        text = "RTO that was hoped for then"
        families.set("drill_rto_objective_seconds", text, measured.drill.objective_seconds, **place)


def _newest(families: _Families, catalogue: Catalogue, place: dict[str, str]) -> None:
    newest = catalogue.newest
    text = "When the newest snapshot in the store was taken; 0: there is none"
    taken_at = _unix(newest.taken_at) if newest else 0
    families.set("last_success_timestamp_seconds", text, taken_at, kind="full", **place)
    if newest is None:
        return
    database = newest.manifest.database
    families.set("snapshot_revision", "Revision of the newest snapshot", database.revision, **place)
    families.set("live_keys", "Live keys in the newest snapshot", database.live_keys, **place)
    families.set("snapshot_size_bytes", "Size of the newest snapshot, plain", database.size_bytes, **place)
    text = "Size of the newest snapshot as it is stored"
    families.set("snapshot_stored_size_bytes", text, newest.manifest.stored_size_bytes, **place)
    compared = newest.newest_proofs.get(ProofLevel.CONSISTENT)
    if compared is not None and compared.result is not ProofResult.INCONCLUSIVE:
        text = "Whether the newest snapshot's HashKV is that of live members"
        families.set("hashkv_match", text, compared.passed, **place)
    for level, proof in newest.newest_proofs.items():
        if proof.passed:
            text = "When the newest snapshot was last proven at this level"
            families.set("proof_timestamp_seconds", text, _unix(proof.at), level=level.value, **place)


def _quorum(families: _Families, report: HealthReport) -> None:
    cluster = report.cluster
    quorum = report.quorum
    for verdict in QuorumVerdict:
        text = "The verdict on quorum: 1 for the one that holds"
        families.set("quorum_verdict", text, quorum.verdict is verdict, cluster=cluster, verdict=verdict.value)
    families.set("voters", "Voting members of the newest member list", quorum.voters, cluster=cluster)
    families.set("healthy_voters", "Voting members that answer and follow a leader", quorum.agreeing, cluster=cluster)
    text = "How many more voters may fail before quorum is lost"
    families.set("fault_tolerance", text, quorum.tolerance, cluster=cluster)
    families.set("health_severity", "Worst finding: 0 ok to 4 critical", report.severity.rank, cluster=cluster)
    text = "When the last health round began"
    families.set("health_round_timestamp_seconds", text, _unix(report.taken_at), cluster=cluster)
    families.set("health_round_duration_seconds", "Duration of the last health round", report.seconds, cluster=cluster)
    found = Tally((f.code, f.severity.value, f.member or "") for f in report.findings)
    for (code, severity, member), count in found.items():
        text = "Findings of the last health round (docs/health.md)"
        families.set("finding", text, count, cluster=cluster, code=code, severity=severity, member=member)


def _members(families: _Families, report: HealthReport) -> None:
    for row in report.members:
        label = {"cluster": report.cluster, "member": row.label}
        families.set("member_up", "Whether the member answers", row.answers, **label, role=row.role.value)
        families.set("member_revision", "Revision that the member has applied", row.revision, **label)
        families.set("member_applied_lag", "Raft entries committed and not applied", row.applied_lag, **label)
        families.set("member_db_size_bytes", "Size of the member's database file", row.db_size_bytes, **label)
        families.set("member_db_in_use_bytes", "Part of that file that is in use", row.db_in_use_bytes, **label)
        families.set("member_db_quota_bytes", "Quota of that file", row.db_quota_bytes, **label)
        families.set("member_round_trip_seconds", "Duration of the status call", row.round_trip_seconds, **label)
        families.set(
            "member_clock_offset_seconds", "The member's clock ahead of ours", row.clock_offset_seconds, **label
        )
        for kind in row.alarms:
            families.set("alarm", "Active alarms", 1, **label, type=kind)
    for certificate in report.certificates:
        text = "When a certificate ends"
        labels = {"cluster": report.cluster, "role": certificate.role.value, "source": certificate.source}
        expiry = _unix(certificate.not_after)
        families.set("cert_not_after_seconds", text, expiry, **labels, subject=certificate.subject)
        lifetime = (certificate.not_after - certificate.not_before).total_seconds()
        text = "How long a certificate is valid from its first day to its last"
        families.set("cert_lifetime_seconds", text, lifetime, **labels, subject=certificate.subject)


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
