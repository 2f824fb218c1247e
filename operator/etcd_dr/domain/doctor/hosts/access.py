"""Rules on reaching the nodes: no way there, no right there, no answer to the end."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.doctor.hosts.observation import HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.errors import NodeDenied


def unreachable(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        failure = node.failure
        if failure is None:
            continue
        if node.answers:
            yield Finding(
                "host.incomplete",
                Severity.WARNING,
                f"the node stopped answering{f' when asked for {node.silent_at}' if node.silent_at else ''}: "
                f"{failure.message}",
                f"Something hangs there, usually a disk or the container runtime. Look: "
                f"{node.command('uptime; ps -eo stat,pid,args | grep ^D')}. Then with more time: etcd-dr doctor "
                f"--timeout 30s --node {node.name}",
                member=node.name,
                evidence={"silent_at": node.silent_at or None},
            )
        elif failure.code == NodeDenied.code:
            yield Finding(
                "host.denied",
                Severity.WARNING,
                f"the node refuses us: {failure.message}",
                failure.next_step,
                member=node.name,
                evidence={"place": node.place},
            )
        else:
            nobody = not seen.answering
            yield Finding(
                "host.unreachable",
                Severity.CRITICAL if nobody else Severity.WARNING,
                f"the node does not answer: {failure.message}",
                f"See whether it is up, by its console if need be. {failure.next_step}".strip(),
                member=node.name,
                evidence={"place": node.place, "error_code": failure.code},
            )


RULES = (HostRule(unreachable, ("host.incomplete", "host.denied", "host.unreachable")),)
