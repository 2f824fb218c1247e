"""Runs every rule over an observation."""

from __future__ import annotations

from itertools import chain

from etcd_dr.domain.doctor.observation import TalosObservation
from etcd_dr.domain.doctor.report import DoctorReport
from etcd_dr.domain.doctor.rules import access, backups, etcd_service, kubernetes, membership, nodes, quorum
from etcd_dr.domain.doctor.rules.rule import DoctorRule

RULES: tuple[DoctorRule, ...] = tuple(
    chain(
        access.RULES,
        quorum.RULES,
        membership.RULES,
        etcd_service.RULES,
        nodes.RULES,
        kubernetes.RULES,
        backups.RULES,
    )
)

CODES: tuple[str, ...] = tuple(dict.fromkeys(code for rule in RULES for code in rule.codes))


def diagnose(observation: TalosObservation, *, cluster: str, seconds: float = 0.0) -> DoctorReport:
    """Return the report: findings from worst to least, then in the order of the rules."""
    found = chain.from_iterable(rule.judge(observation) for rule in RULES)
    findings = tuple(sorted(found, key=lambda finding: -finding.severity.rank))
    return DoctorReport(cluster, observation, findings, seconds, unseen=_unseen(observation))


def _unseen(observation: TalosObservation) -> tuple[str, ...]:
    """Return which questions our role kept from being answered, once for all nodes."""
    names = ("version", "services", "machine_type", "status", "members", "alarms", "data_directory", "mounts")
    found = {
        name: answer.failure.message
        for node in observation.nodes
        for name in names
        if (answer := getattr(node, name)).failure is not None and answer.failure_code == "etcd.denied"
    }
    return tuple(f"{name}: {why}" for name, why in found.items())
