"""Runs every rule over an observation of nodes, and puts the findings of a health round behind them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from etcd_dr.domain.doctor.hosts import (
    access,
    certificates,
    data,
    leftovers,
    log_causes,
    machines,
    manifests,
    membership,
    services,
)
from etcd_dr.domain.doctor.hosts.observation import HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.doctor.rules import backups
from etcd_dr.domain.health import Finding

RULES: tuple[HostRule, ...] = tuple(
    chain(
        leftovers.RULES,
        log_causes.RULES,
        manifests.RULES,
        services.RULES,
        data.RULES,
        certificates.RULES,
        membership.RULES,
        access.RULES,
        machines.RULES,
        (HostRule(backups.posture, ("backup.store", "backup.none", "backup.old")),),
    )
)

HOST_CODES: tuple[str, ...] = tuple(dict.fromkeys(code for rule in RULES for code in rule.codes))


def diagnose_hosts(seen: HostsObservation, *, health: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """Return the findings from worst to least; where they are equal, causes before what follows from them.

    `health` are the findings of a health round at the same time; they come after the nodes' own of the same severity.
    """
    found = chain(chain.from_iterable(rule.judge(seen) for rule in RULES), health)
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))
