"""What a recovery may cost: the objectives that everything measured is judged by."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import Section


class ObjectivesSection(Section):
    """What a recovery may lose and how long it may take (docs/objectives.md)."""

    rpo: PositiveDuration | None = None
    """The most that may be lost: the time since the newest proven snapshot was taken. Unset: not judged."""
    rto: PositiveDuration | None = None
    """The longest that a restore may take, as drills measure it; a slower drill says so. Unset: not judged."""
    rpo_share: float = Field(default=0.99, gt=0, le=1)
    """Share of the time in which the RPO is meant to be kept; the rest is the budget that may be missed."""
    window: PositiveDuration = timedelta(days=30)
    """The time over which that share is counted."""
