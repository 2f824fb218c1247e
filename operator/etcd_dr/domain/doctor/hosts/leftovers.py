"""Rules on what recoveries left behind: fences that are still on, data that was set aside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etcd_dr.domain.doctor.hosts.observation import HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity

_ID = re.compile(r"etcd-dr-(?:join-)?([A-Za-z0-9][A-Za-z0-9_-]*)")


def fences(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        for path in node.fences:
            found = _ID.search(path)
            recovery = found[1] if found else "ID"
            yield Finding(
                "recovery.fence",
                Severity.CRITICAL,
                f"a recovery keeps something stopped: {path}",
                f"If that recovery is under way, let it end: etcd-dr recover status {recovery}. If it was left: "
                f"etcd-dr recover resume {recovery}, or take it back with: etcd-dr recover abort {recovery}",
                member=node.name,
                evidence={"recovery": recovery},
                about=path,
            )


def set_aside(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        if node.data is not None and node.data.aside:
            yield Finding(
                "recovery.set_aside",
                Severity.INFO,
                f"{len(node.data.aside)} old data directories of recoveries lie beside the data",
                "They take room and hold every Secret of their time. Once nobody needs them: "
                f"{node.command('rm -rf ' + ' '.join(node.data.aside))}",
                member=node.name,
                evidence={"directories": ", ".join(node.data.aside)},
            )


RULES = (
    HostRule(fences, ("recovery.fence",)),
    HostRule(set_aside, ("recovery.set_aside",)),
)
