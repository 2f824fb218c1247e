"""The words of a health report: severity, finding, and the report that people and monitoring systems read.

- A finding has a stable `code` (docs/health.md lists all), says what it saw as evidence, and what to do next.
- The report's severity is that of its worst finding, and its exit status is what Nagios expects of a check.
- Nothing here decides anything: rules do (domain/health_rules).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.certificate import Certificate
from etcd_dr.domain.member_health import MemberHealth
from etcd_dr.domain.quorum import Quorum

EvidenceValue = str | int | float | bool | None


class Severity(StrEnum):
    """How bad it is. `info` is worth reading and no reason to act; `unknown` means that nobody can tell."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    UNKNOWN = "unknown"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place from best (0) to worst; critical is worse than unknown, unknown worse than a warning."""
        return list(Severity).index(self)

    @property
    def exit_status(self) -> int:
        """What a Nagios plugin would end with: 0 ok (info too), 1 warning, 2 critical, 3 unknown."""
        return _NAGIOS[self]


_NAGIOS = {Severity.OK: 0, Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2, Severity.UNKNOWN: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found. `member` is the member's label or an endpoint; None: the cluster as a whole.

    `summary` is lowercase without a full stop; `next_step` is full sentences with a command that can be pasted.
    `about` tells findings of one code and member apart: the peer, the certificate's role, the fault.
    """

    code: str
    severity: Severity
    summary: str
    next_step: str
    member: str | None = None
    evidence: Mapping[str, EvidenceValue] = field(default_factory=dict)
    about: str = ""

    @property
    def identity(self) -> tuple[str, str | None, str]:
        """What makes it the same finding in the next round."""
        return (self.code, self.member, self.about)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """All that one round says. `findings` go from worst to least, then in the order of the rules."""

    cluster: str
    taken_at: datetime
    seconds: float
    cluster_id: int | None
    quorum: Quorum
    members: tuple[MemberHealth, ...]
    findings: tuple[Finding, ...]
    certificates: tuple[Certificate, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst severity of all findings; `ok` where nothing was found."""
        return max((f.severity for f in self.findings), key=lambda s: s.rank, default=Severity.OK)

    @property
    def exit_status(self) -> int:
        """0 ok, 1 warning, 2 critical, 3 unknown, as Nagios has it."""
        return self.severity.exit_status

    @property
    def is_silent(self) -> bool:
        """Whether not one member answered: whatever asks them next will wait for nothing."""
        return not any(member.answers for member in self.members)

    def by_code(self, code: str) -> tuple[Finding, ...]:
        """Return the findings of one rule."""
        return tuple(f for f in self.findings if f.code == code)

    @property
    def summary(self) -> str:
        """The report in one line, for people, a Nagios plugin's output and a log message."""
        worst = [f for f in self.findings if f.severity.rank > Severity.INFO.rank and not f.code.startswith("quorum.")]
        texts = [f"{f.member}: {f.summary}" if f.member else f.summary for f in worst[:3]]
        more = [f"and {len(worst) - 3} more"] if len(worst) > 3 else []
        told = "; ".join([f"quorum {self.quorum.verdict} ({self.quorum.reason})", *texts, *more])
        return f"{self.severity.upper()} {self.cluster}: {told}"

    def log_fields(self) -> dict[str, str | int | float | bool | None]:
        """Return the fields of the round's canonical log line."""
        answering = [m for m in self.members if m.answers]
        return {
            "cluster": self.cluster,
            "severity": self.severity.value,
            "quorum": self.quorum.verdict.value,
            "voters": self.quorum.voters,
            "voters_answering": self.quorum.answering,
            "tolerance": self.quorum.tolerance,
            "members": len(self.members),
            "members_answering": len(answering),
            "revision": max((m.revision for m in answering if m.revision is not None), default=None),
            "findings": ",".join(sorted({f.code for f in self.findings if f.severity is not Severity.INFO})),
            "duration_seconds": round(self.seconds, 3),
        }
