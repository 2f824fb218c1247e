"""The doctor's report: what was found, worst first, and what could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.doctor.observation import TalosObservation
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_document import finding_document


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """One round. `unseen` names the questions that nobody with our role may ask, with the role they need."""

    cluster: str
    observation: TalosObservation
    findings: tuple[Finding, ...]
    seconds: float
    unseen: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        return max((f.severity for f in self.findings), key=lambda s: s.rank, default=Severity.OK)

    @property
    def exit_status(self) -> int:
        """0 ok, 1 warning, 2 critical, 3 unknown, as Nagios has it."""
        return self.severity.exit_status

    @property
    def summary(self) -> str:
        """The report in one line."""
        nodes = self.observation.control_planes
        answering = len(self.observation.answering)
        worst = [f for f in self.findings if f.severity.rank > Severity.INFO.rank]
        told = f"{answering} of {len(nodes)} control plane nodes answer"
        if worst:
            first = worst[0]
            about = f"{first.member}: " if first.member else ""
            more = f", and {len(worst) - 1} more" if len(worst) > 1 else ""
            told += f"; {about}{first.summary}{more}"
        return f"{self.severity.upper()} {self.cluster}: {told}"


def doctor_document(report: DoctorReport) -> dict[str, object]:
    """Return the whole report as plain values for JSON or YAML (docs/talos.md)."""
    return {
        "version": 1,
        "cluster": report.cluster,
        "taken_at": _stamp(report.observation.taken_at),
        "duration_seconds": round(report.seconds, 3),
        "severity": report.severity.value,
        "exit_status": report.exit_status,
        "summary": report.summary,
        "has_quorum": report.observation.has_quorum,
        "nodes": [
            {
                "address": node.address,
                "answers": node.answers,
                "version": node.version.value.tag if node.version.value else None,
                "machine_type": node.machine_type.value,
                "etcd": service.state if (service := node.service("etcd")) else None,
                "etcd_healthy": service.is_healthy if service else None,
                "member_id": id_text(node.status.value.member_id) if node.status.value else None,
                "is_leader": node.status.value.is_leader if node.status.value else None,
                "is_learner": node.status.value.is_learner if node.status.value else None,
                "db_size_bytes": node.status.value.db_size_bytes if node.status.value else None,
                "failure": str(node.version.failure) if node.version.failure and not node.answers else None,
            }
            for node in report.observation.nodes
        ],
        "findings": [finding_document(finding) for finding in report.findings],
        "not_looked_at": list(report.unseen),
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
