"""Objectives of recovery: how much may be lost (RPO), how long it may take (RTO), and how both stand.

    status        the words for how an objective stands
    rpo           what would be lost now, and before the next snapshot is proven
    rto           how long a recovery would take
    rpo_history   how well the RPO was kept, as far as the store remembers
    document      all of it as JSON

Pure: a catalogue, a moment and what is planned come in, standings with their reasons go out. When a snapshot is due is
the matter of domain/schedule.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.objectives.rpo import Outlook, RpoStanding, judge_rpo
from etcd_dr.domain.objectives.rpo_history import RpoHistory, rpo_history
from etcd_dr.domain.objectives.rto import RtoStanding, judge_rto
from etcd_dr.domain.objectives.status import ObjectiveStatus
from etcd_dr.domain.retention import RetentionPolicy


@dataclass(frozen=True, slots=True)
class Objectives:
    """What a recovery may cost. None: no such objective. `rpo_share` of `window` the RPO is meant to be kept."""

    rpo: timedelta | None = None
    rto: timedelta | None = None
    rpo_share: float = 0.99
    window: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ObjectivesReport:
    """How both objectives of a cluster stand at a moment. `history` None: no RPO, or nothing to tell it from."""

    cluster: str
    at: datetime
    objectives: Objectives
    rpo: RpoStanding
    rto: RtoStanding
    history: RpoHistory | None = None

    @property
    def status(self) -> ObjectiveStatus:
        """The worse of the two."""
        return ObjectiveStatus.worst(self.rpo.status, self.rto.status)


def judge_objectives(
    catalogue: Catalogue,
    objectives: Objectives,
    *,
    now: datetime,
    outlook: Outlook | None = None,
    policy: RetentionPolicy | None = None,
    watching_since: datetime | None = None,
) -> ObjectivesReport:
    """Return how the objectives stand.

    `outlook` tells of the runs to come, `policy` what retention may have removed (None: nothing), `watching_since`
    since when snapshots were due. Without objectives the figures are there all the same, with the status `unset`.
    """
    history = None
    if objectives.rpo is not None:
        history = rpo_history(
            catalogue,
            objective=objectives.rpo,
            share_wanted=objectives.rpo_share,
            now=now,
            window=objectives.window,
            policy=policy or RetentionPolicy(),
            watching_since=watching_since,
        )
    return ObjectivesReport(
        cluster=catalogue.cluster,
        at=now,
        objectives=objectives,
        rpo=judge_rpo(catalogue, objectives.rpo, now=now, outlook=outlook, watching_since=watching_since),
        rto=judge_rto(catalogue, objectives.rto),
        history=history,
    )
