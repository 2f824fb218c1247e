"""Health rounds: observe, compare with earlier rounds, judge, and say it once.

Each round emits one canonical event `health.checked`. Findings are told as events of their own only when they appear
(`health.raised`) and when they are gone (`health.cleared`), so that a log is not a repetition of itself. For the same
reason a round has the level of its severity only where it found something else than the round before it; one that
finds the same again is told at info.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from etcd_dr.domain.health import Finding, HealthReport, Severity
from etcd_dr.domain.health_history import remember
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.observation import Observation, PeerCertificate
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.ports.events import EventSink, Level
from etcd_dr.workflows.observe_cluster import ClusterObserver

_LEVELS: Mapping[Severity, Level] = {
    Severity.OK: "info",
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.UNKNOWN: "error",
    Severity.CRITICAL: "error",
}


class HealthWatch:
    """Checks one cluster again and again; one round at a time.

    Peer ports are looked at once in `peers_every`, because a visit that a member does not like ends up in its log;
    between the looks the last certificates are carried along. `platform` chooses the commands of next steps.
    """

    def __init__(
        self,
        *,
        cluster: str,
        observer: ClusterObserver,
        events: EventSink,
        thresholds: Thresholds | None = None,
        peers_every: timedelta = timedelta(hours=1),
        platform: str = "",
    ) -> None:
        self._cluster = cluster
        self._observer = observer
        self._events = events
        self._thresholds = thresholds or Thresholds()
        self._peers_every = peers_every
        self._platform = platform
        self._history: tuple[Observation, ...] = ()
        self._peers: tuple[PeerCertificate, ...] = ()
        self._peers_at: datetime | None = None
        self._raised: dict[tuple[str, str | None, str], Finding] = {}

    def round(self, snapshots: SnapshotFacts | None = None) -> HealthReport:
        """Return the report of a new round. `snapshots`: what the store says, None where it was not asked."""
        observation = self._observe()
        report = evaluate(
            observation,
            cluster=self._cluster,
            history=self._history,
            thresholds=self._thresholds,
            snapshots=snapshots,
            platform=self._platform,
        )
        self._history = remember(self._history, observation)
        self._tell(report)
        return report

    def _observe(self) -> Observation:
        is_due = self._peers_at is None or self._observer.clock.now() - self._peers_at >= self._peers_every
        observation = self._observer.observe(looks_at_peers=is_due)
        if not is_due:
            return replace(observation, peer_certificates=self._peers)
        if observation.peer_certificates:
            self._peers, self._peers_at = observation.peer_certificates, observation.taken_at
        return observation

    def _tell(self, report: HealthReport) -> None:
        now = {finding.identity: finding for finding in report.findings}
        is_news = {i: f.severity for i, f in now.items()} != {i: f.severity for i, f in self._raised.items()}
        for identity, finding in now.items():
            known = self._raised.get(identity)
            if known is None or known.severity is not finding.severity:
                self._emit("health.raised", finding)
        for identity, finding in self._raised.items():
            if identity not in now:
                self._emit("health.cleared", finding)
        self._raised = now
        self._events.emit(
            "health.checked", level=_LEVELS[report.severity] if is_news else "info", **report.log_fields()
        )

    def _emit(self, event: str, finding: Finding) -> None:
        is_cleared = event == "health.cleared"
        self._events.emit(
            event,
            level="info" if is_cleared else _LEVELS[finding.severity],
            cluster=self._cluster,
            code=finding.code,
            severity=finding.severity.value,
            member=finding.member,
            summary=finding.summary,
            next_step="" if is_cleared else finding.next_step,
        )
