"""The doctor's report: what was found, worst first, and what could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.doctor.hosts.observation import HostObservation, HostsObservation
from etcd_dr.domain.doctor.observation import NodeObservation, TalosObservation
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_document import finding_document


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """One round. `unseen` names the questions that nobody with our role may ask, with the role they need."""

    cluster: str
    observation: TalosObservation | HostsObservation
    findings: tuple[Finding, ...]
    seconds: float
    unseen: tuple[str, ...] = ()

    @property
    def platform(self) -> str:
        """`talos`, or what the configuration says: `static-pod`, `systemd`."""
        return self.observation.platform if isinstance(self.observation, HostsObservation) else "talos"

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
    """Return the whole report as plain values for JSON or YAML (docs/json-output.md)."""
    return {
        "version": 1,
        "cluster": report.cluster,
        "platform": report.platform,
        "taken_at": _stamp(report.observation.taken_at),
        "duration_seconds": round(report.seconds, 3),
        "severity": report.severity.value,
        "exit_status": report.exit_status,
        "summary": report.summary,
        "has_quorum": report.observation.has_quorum,
        "nodes": _nodes(report.observation),
        "findings": [finding_document(finding) for finding in report.findings],
        "not_looked_at": list(report.unseen),
    }


def _nodes(observation: TalosObservation | HostsObservation) -> list[dict[str, object]]:
    if isinstance(observation, HostsObservation):
        return [_host(observation, node) for node in observation.nodes]
    return [_talos_node(node) for node in observation.nodes]


def _talos_node(node: NodeObservation) -> dict[str, object]:
    service, status = node.service("etcd"), node.status.value
    return {
        "address": node.address,
        "answers": node.answers,
        "version": node.version.value.tag if node.version.value else None,
        "machine_type": node.machine_type.value,
        "etcd": service.state if service else None,
        "etcd_healthy": service.is_healthy if service else None,
        "member_id": id_text(status.member_id) if status else None,
        "is_leader": status.is_leader if status else None,
        "is_learner": status.is_learner if status else None,
        "db_size_bytes": status.db_size_bytes if status else None,
        "failure": str(node.version.failure) if node.version.failure and not node.answers else None,
    }


def _host(observation: HostsObservation, node: HostObservation) -> dict[str, object]:
    etcd, data, member = node.etcd, node.data, observation.member_of(node)
    database = data.database if data is not None else None
    return {
        "name": node.name,
        "place": node.place,
        "answers": node.answers,
        "hostname": node.hostname or None,
        "etcd_running": node.is_running,
        "etcd_version": etcd.version if etcd is not None else None,
        "member_name": etcd.name if etcd is not None and etcd.settings else None,
        "member_id": id_text(member.id) if member is not None else None,
        "data_dir": data.directory if data is not None else None,
        "db_size_bytes": database.size_bytes if database is not None else None,
        "failure": str(node.failure) if node.failure is not None else None,
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
