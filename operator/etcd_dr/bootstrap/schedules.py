"""What is due and what is kept, as one cluster's configuration has it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from etcd_dr.config.cluster_model import RetentionSection, ScheduleSection
from etcd_dr.domain.retention import RetentionPolicy
from etcd_dr.domain.schedule import CronSchedule


def cron_schedule(section: ScheduleSection, *, cluster: str) -> CronSchedule:
    """Return when snapshots of this cluster are due."""
    return CronSchedule(fields=section.cron, time_zone=section.time_zone, name=cluster, jitter=section.jitter)


def retention_policy(section: RetentionSection) -> RetentionPolicy:
    """Return what is kept."""
    return RetentionPolicy(
        keep_last=section.keep_last,
        keep_hourly=section.keep_hourly,
        keep_daily=section.keep_daily,
        keep_weekly=section.keep_weekly,
        keep_monthly=section.keep_monthly,
        keep_yearly=section.keep_yearly,
        keep_within=section.keep_within,
        min_restore_points=section.min_restore_points,
        time_zone=ZoneInfo(section.time_zone),
    )
