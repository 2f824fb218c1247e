"""From a survey to ways back, and from a way back to a plan; and whether a plan still fits what is seen.

Everything here is read-only. Time and randomness come from the ports: each plan has an id and a token of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.candidate import Candidate, Way
from etcd_dr.domain.recovery.facts import facts_of
from etcd_dr.domain.recovery.lost_files import NOTHING_LOST, LostFiles
from etcd_dr.domain.recovery.plan import Plan, PlanFacts
from etcd_dr.domain.recovery.plan_making import make_plan
from etcd_dr.domain.recovery.plan_stamp import Stamp
from etcd_dr.domain.recovery.proposal import choose, propose
from etcd_dr.domain.recovery.talos_candidates import propose_on_talos
from etcd_dr.domain.recovery.talos_plan import make_talos_plan
from etcd_dr.domain.recovery.wishes import NO_WISHES, Wishes
from etcd_dr.domain.snapshot import time_text
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.workflows.recovery.assess_cluster import Survey
from etcd_dr.workflows.recovery.talos_look import PLATFORM

FindLost = Callable[[Snapshot], LostFiles]
_NEEDS_ITS_FILES = (Way.RESTORE, Way.REBUILD, Way.REPLACE)


@dataclass(frozen=True, slots=True)
class PlanAuthor:
    """Who makes plans, with what: `made_by` is `user@host`."""

    made_by: str
    tool_version: str
    clock: Clock
    tokens: TokenSource

    def stamp(self) -> Stamp:
        """Return a new id and a new token."""
        now = self.clock.now()
        recovery_id = f"{time_text(now)}-{self.tokens.token()}"
        return Stamp(recovery_id, f"etcd-dr-{self.tokens.token()}", now, self.made_by, self.tool_version)


def propose_recovery(
    survey: Survey, *, wishes: Wishes = NO_WISHES, tools: Sequence[EtcdVersion] | None = None
) -> tuple[Candidate, ...]:
    """Return every way back, most gentle first. Raises SnapshotNotFound, SnapshotAmbiguous."""
    if survey.assessment.platform == PLATFORM:
        return propose_on_talos(survey.assessment, survey.catalogue, wishes=wishes, tools=tools)
    return propose(survey.assessment, survey.catalogue, wishes=wishes, tools=tools)


def plan_recovery(
    survey: Survey,
    candidates: Sequence[Candidate],
    *,
    author: PlanAuthor,
    chosen: Candidate | None = None,
    wishes: Wishes = NO_WISHES,
    find_lost: FindLost | None = None,
) -> Plan:
    """Return the plan of `chosen`, else of what was wished for or is recommended.

    `find_lost` asks the nodes which files they lack of a snapshot's companions. Raises NothingPossible, which says what each way lacks, and UsageError where there is nothing to recover.
    """
    taken = chosen or choose(candidates, wishes, cluster=survey.assessment.cluster)
    refused = [candidate for candidate in candidates if candidate is not taken]
    if survey.assessment.platform == PLATFORM:
        catalogue, stamp = survey.catalogue.value, author.stamp()
        return make_talos_plan(
            survey.assessment, taken, catalogue=catalogue, stamp=stamp, refused=refused, wishes=wishes
        )
    companions = _snapshot_with_companions(survey, taken) if taken.way in _NEEDS_ITS_FILES else None
    return make_plan(
        survey.assessment,
        taken,
        catalogue=survey.catalogue.value,
        stamp=author.stamp(),
        refused=refused,
        wishes=wishes,
        lost_files=find_lost(companions) if find_lost and companions else NOTHING_LOST,
    )


def _snapshot_with_companions(survey: Survey, taken: Candidate) -> Snapshot | None:
    """Return the snapshot that the plan uses, else the newest that has companions, if it has any."""
    catalogue = survey.catalogue.value
    for snapshot in reversed(catalogue.snapshots if catalogue else ()):
        is_meant = taken.way is not Way.RESTORE or str(snapshot.id) == taken.target
        if is_meant and snapshot.manifest.companions is not None:
            return snapshot
    return None


def facts_for(plan: Plan, survey: Survey) -> PlanFacts:
    """Return the plan's facts as they are now; the survey rests on the plan's own statements (`plan.statements`).

    The plan's snapshot counts as gone when the store says so, or says that it is damaged. A store that cannot be asked
    says neither.
    """
    snapshot_id, catalogue = plan.facts.snapshot_id, survey.catalogue.value
    if catalogue is not None and snapshot_id:
        usable = {str(s.id) for s in catalogue.snapshots if not s.is_damaged}
        snapshot_id = snapshot_id if snapshot_id in usable else ""
    return facts_of(survey.assessment, snapshot_id=snapshot_id)
