"""Rules on reaching the nodes at all: connections, certificates, roles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from etcd_dr.domain.doctor.observation import TalosObservation
from etcd_dr.domain.doctor.rules.rule import DoctorRule
from etcd_dr.domain.health import Finding, Severity

_SOON = timedelta(days=14)


def unreachable(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        failure = node.version.failure or node.status.failure
        if node.answers or failure is None:
            continue
        is_tls = failure.code == "etcd.tls"
        yield Finding(
            "talos.tls" if is_tls else "talos.unreachable",
            Severity.CRITICAL if is_tls or not seen.answering else Severity.WARNING,
            f"the API does not answer: {failure.message}",
            failure.next_step or f"See whether the node is up and port 50000 reachable: nc -vz {node.host} 50000",
            member=node.address,
            evidence={"error_code": failure.code},
        )


def certificate_ends(seen: TalosObservation) -> Iterator[Finding]:
    ends = seen.certificate_ends_at
    if ends is None:
        return
    left = ends - seen.taken_at
    if left < timedelta(0):
        severity, said = Severity.CRITICAL, f"our client certificate has expired at {ends:%Y-%m-%d %H:%M} UTC"
    elif timedelta(hours=12) < left < _SOON:
        # Those in a pod live for six hours and are renewed all the time: a few hours left are no warning.
        severity, said = Severity.WARNING, f"our client certificate ends at {ends:%Y-%m-%d %H:%M} UTC"
    else:
        return
    yield Finding(
        "talos.certificate",
        severity,
        said,
        "Make a new talosconfig while this one works: talosctl config new --roles os:admin talosconfig. Keep one with "
        "os:admin outside of the cluster: a recovery needs it.",
        evidence={"ends_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "roles": ", ".join(seen.roles)},
    )


def role_missing(seen: TalosObservation) -> Iterator[Finding]:
    """Told once: what could not be looked at is listed at the end of the report."""
    for node in seen.nodes:
        failure = node.services.failure
        if failure is not None and failure.code == "etcd.denied":
            yield Finding(
                "talos.role",
                Severity.INFO,
                f"little can be looked at with this role: {failure.message}",
                "Run it with os:reader: talosctl config new --roles os:reader talosconfig. For a snapshot alone, "
                "os:etcd:backup is enough.",
                evidence={"roles": ", ".join(seen.roles)},
            )
            return


RULES = (
    DoctorRule(unreachable, ("talos.unreachable", "talos.tls")),
    DoctorRule(certificate_ends, ("talos.certificate",)),
    DoctorRule(role_missing, ("talos.role",)),
)
