"""The health report as a plain document: the stable shape of `health -o json` (docs/health.md, "JSON").

Ids are lowercase hex text, because JSON numbers lose bits past 2^53; times are ISO 8601 in UTC; a fact that is not
known is null, never left out.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from etcd_dr.domain.certificate import Certificate
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.health import Finding, HealthReport
from etcd_dr.domain.member_health import MemberHealth

_IDS = frozenset({"member_id", "cluster_id"})


def health_document(report: HealthReport) -> dict[str, Any]:
    """Return the whole report, ready for JSON or YAML."""
    return {
        "version": 1,
        "cluster": report.cluster,
        "cluster_id": None if report.cluster_id is None else id_text(report.cluster_id),
        "taken_at": _plain(report.taken_at),
        "duration_seconds": round(report.seconds, 3),
        "severity": report.severity.value,
        "exit_status": report.exit_status,
        "summary": report.summary,
        "quorum": {field.name: _plain(getattr(report.quorum, field.name)) for field in fields(report.quorum)},
        "members": [member_document(member) for member in report.members],
        "findings": [finding_document(finding) for finding in report.findings],
        "certificates": [certificate_document(certificate) for certificate in report.certificates],
    }


def member_document(member: MemberHealth) -> dict[str, Any]:
    """Return one row of `members -o json`."""
    values = ((field.name, getattr(member, field.name)) for field in fields(member))
    return {name: _id(value) if name in _IDS else _plain(value) for name, value in values}


def finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "member": finding.member,
        "summary": finding.summary,
        "next_step": finding.next_step,
        "evidence": dict(finding.evidence),
    }


def certificate_document(certificate: Certificate) -> dict[str, Any]:
    return {field.name: _plain(getattr(certificate, field.name)) for field in fields(certificate)}


def _id(value: int | None) -> str | None:
    return None if value is None else id_text(value)


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value
