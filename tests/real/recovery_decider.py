"""Looks at a rig's cluster as the command does, decides, and carries the decision out."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.local import open_local
from etcd_dr.adapters.pause import CancellablePause
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.domain.recovery.assessment import MemberVerdict, QuorumStanding
from etcd_dr.domain.recovery.plan import Plan
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.workflows.observe_cluster import ClusterObserver, ObserveOptions
from etcd_dr.workflows.recovery.assess_cluster import AssessPorts, Survey, assess_cluster
from etcd_dr.workflows.recovery.plan_recovery import PlanAuthor, facts_for, plan_recovery, propose_recovery
from etcd_dr.workflows.recovery.record_progress import OnEntry
from etcd_dr.workflows.recovery.run_plan import RecoveryOutcome, run_plan
from real.recovery_parts import CALL_SECONDS, LAYOUT
from real.recovery_rig import BY, RecoveryRig


class Decider:
    """Looks at a rig's cluster as the command does, and decides."""

    def __init__(self, rig: RecoveryRig) -> None:
        self._rig = rig

    def survey(self) -> Survey:
        parts, clock = self._rig.parts, SystemClock()
        connector = parts.connector()
        observer = ClusterObserver(connector, None, clock=clock, options=ObserveOptions(deadline_seconds=CALL_SECONDS))
        with contextlib.closing(open_local(Path(parts.nodes_dir), cancellation=CancellationSwitch())) as plane:
            ports = AssessPorts(
                clock=clock,
                observer=observer,
                connector=connector,
                control_plane=plane,
                store=self._rig.snapshots.store,
                pause=CancellablePause(CancellationSwitch()),
            )
            return assess_cluster(ports, LAYOUT)

    def survey_once_led(self) -> Survey:
        """Return a survey that no election disturbs: one with a quorum, or the last one within 30 seconds."""
        ends_at = time.monotonic() + 30
        while True:
            survey = self.survey()
            if survey.assessment.standing is QuorumStanding.HELD or time.monotonic() > ends_at:
                return survey

    def verdicts(self) -> dict[str, MemberVerdict]:
        return {member.name: member.verdict for member in self.survey().assessment.members}

    def settled_verdicts(self) -> set[MemberVerdict]:
        """Return the verdicts once all are healthy, which an election may put off, or the last ones within 30 seconds."""
        ends_at = time.monotonic() + 30
        while (found := set(self.verdicts().values())) != {MemberVerdict.HEALTHY} and time.monotonic() < ends_at:
            continue
        return found

    def plan(self, wishes: Wishes = NO_WISHES) -> Plan:
        survey = self.survey()
        author = PlanAuthor(BY, "0", SystemClock(), SystemTokens())
        return plan_recovery(survey, propose_recovery(survey, wishes=wishes), author=author, wishes=wishes)

    def carry_out(self, plan: Plan, *, on_entry: OnEntry = lambda _: None) -> RecoveryOutcome:
        return run_plan(
            plan, self._rig.ports(), by=BY, facts_now=lambda: facts_for(plan, self.survey()), on_entry=on_entry
        )
