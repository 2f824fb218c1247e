"""What a verdict on readiness asks of a cluster, as its configuration has it."""

from __future__ import annotations

from datetime import datetime, timedelta

from etcd_dr.bootstrap.drill import drill_max_age
from etcd_dr.config import Target
from etcd_dr.domain.readiness.facts import ReadinessTerms

_MISSED_READINGS = 4  # so many readings of the store that did not come say that the last one is no news any more
_SOONEST = timedelta(minutes=2)  # a reading takes its time, however often one is asked for


def readiness_terms(
    target: Target, *, now: datetime, reading_interval: timedelta = timedelta(minutes=5)
) -> ReadinessTerms:
    """Return the terms of one cluster. `reading_interval` is the time between two readings of its catalogue."""
    return ReadinessTerms(
        platform=target.control_plane.platform if target.control_plane is not None else target.platform,
        drill_max_age=drill_max_age(target, now=now),
        rto_objective=target.objectives.rto,
        rpo_objective=target.objectives.rpo,
        keeps_companions=target.companions.is_asked_for,
        mass_deletion_hold=target.tripwire.hold,
        reading_max_age=max(_MISSED_READINGS * reading_interval, _SOONEST),
    )
