"""What a cluster's objectives are, and what is known of its runs to come, as its configuration has them."""

from __future__ import annotations

from datetime import datetime

from etcd_dr.bootstrap.schedules import cron_schedule, retention_policy
from etcd_dr.config import Target
from etcd_dr.domain.catalogue import Catalogue
from etcd_dr.domain.objectives import Objectives, ObjectivesReport, judge_objectives
from etcd_dr.domain.objectives.rpo import Outlook
from etcd_dr.domain.schedule import next_run


def objectives_of(target: Target) -> Objectives:
    """Return what a recovery of this cluster may cost."""
    said = target.objectives
    return Objectives(rpo=said.rpo, rto=said.rto, rpo_share=said.rpo_share, window=said.window)


def stored_objectives(
    target: Target, catalogue: Catalogue, *, now: datetime, watching_since: datetime | None
) -> ObjectivesReport:
    """Return how the objectives stand, for whoever is not the operator and knows nothing of failed runs."""
    return judge_objectives(
        catalogue,
        objectives_of(target),
        now=now,
        outlook=_outlook(target, catalogue, now=now),
        policy=retention_policy(target.retention),
        watching_since=watching_since,
    )


def _outlook(target: Target, catalogue: Catalogue, *, now: datetime) -> Outlook:
    if target.schedule is None:
        return Outlook()
    schedule = cron_schedule(target.schedule, cluster=catalogue.cluster)
    newest = catalogue.newest.taken_at if catalogue.newest else None
    run = next_run(schedule, newest_taken_at=newest, now=now)
    return Outlook(next_start_at=run.start_at, longest_gap=schedule.longest_gap(now) + schedule.jitter)
