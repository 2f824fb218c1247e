"""Every health rule, in one list, and the evaluation that runs them.

A rule is a pure function from a `Situation` to findings; its file is its family. To add one: write the function, put
it into its file's RULES with its codes, describe the codes in docs/health.md (a test compares the two).

- A rule looks at facts only: no clock, no I/O, no other rule's findings.
- A fact that is missing keeps a rule silent, unless its absence is the finding.
- A summary says what was seen, evidence holds the numbers, the next step ends in a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from etcd_dr.domain.cluster_view import ClusterView
from etcd_dr.domain.health import Finding, HealthReport
from etcd_dr.domain.health_rules import (
    alarms,
    certificates,
    clock,
    database,
    disk,
    divergence,
    identity,
    leader,
    membership,
    objectives,
    progress,
    quorum,
    reachability,
    snapshots,
    tripwire,
    versions,
)
from etcd_dr.domain.health_rules.commands import Commands
from etcd_dr.domain.health_rules.rule import Rule, Situation
from etcd_dr.domain.health_thresholds import Thresholds
from etcd_dr.domain.local_faults import is_all_ours
from etcd_dr.domain.member_health import member_rows
from etcd_dr.domain.observation import Observation
from etcd_dr.domain.quorum import judge_quorum
from etcd_dr.domain.snapshot_facts import SnapshotFacts

RULES: tuple[Rule, ...] = tuple(
    chain(
        quorum.RULES,
        leader.RULES,
        identity.RULES,
        alarms.RULES,
        divergence.RULES,
        membership.RULES,
        reachability.RULES,
        progress.RULES,
        certificates.RULES,
        snapshots.RULES,
        objectives.RULES,
        tripwire.RULES,
        database.RULES,
        disk.RULES,
        clock.RULES,
        versions.RULES,
    )
)

CODES: tuple[str, ...] = tuple(dict.fromkeys(code for rule in RULES for code in rule.codes))


def evaluate(
    observation: Observation,
    *,
    cluster: str,
    history: Sequence[Observation] = (),
    thresholds: Thresholds | None = None,
    snapshots: SnapshotFacts | None = None,
    platform: str = "",
) -> HealthReport:
    """Return the report on one round.

    `history` are earlier rounds, oldest first; without it, rules that need one stay silent. `snapshots` None: the
    store was not asked, and its rules stay silent as well. `platform` chooses the commands that next steps offer.
    """
    view = ClusterView.of(observation, expected_cluster_ids=snapshots.marker_cluster_ids if snapshots else ())
    situation = Situation(
        observation=observation,
        view=view,
        quorum=judge_quorum(
            view, is_our_fault=is_all_ours(observation), ask_the_nodes=Commands(platform).see_the_nodes()
        ),
        history=tuple(history),
        thresholds=thresholds or Thresholds(),
        snapshots=snapshots,
        platform=platform,
    )
    return HealthReport(
        cluster=cluster,
        taken_at=observation.taken_at,
        seconds=observation.seconds,
        cluster_id=view.cluster_id,
        quorum=situation.quorum,
        members=member_rows(observation, view, alarms=alarms.alarm_kinds(view)),
        findings=judge_all(situation),
        certificates=certificates.all_certificates(observation, view),
    )


def judge_all(situation: Situation) -> tuple[Finding, ...]:
    """Return what all rules find, worst first, then in the order of the rules."""
    found = [finding for rule in RULES for finding in rule.judge(situation)]
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))
