"""The tripwire for mass deletion: how far the number of keys may fall before it trips."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from etcd_dr.config.duration import PositiveDuration, duration_text
from etcd_dr.config.fields import Section


class TripwireSection(Section):
    """Pins the last good snapshot and takes another one when keys vanish (docs/objectives.md)."""

    enabled: bool = True
    """Whether the number of live keys is watched."""
    fall_percent: float = Field(default=30.0, gt=0, le=100)
    """It trips when so much of all keys is gone …"""
    min_keys: int = Field(default=500, ge=1)
    """… and at least so many."""
    within: PositiveDuration = timedelta(hours=1)
    """Only what goes within this time counts: what dwindles over weeks is no accident."""
    interval: PositiveDuration = timedelta(minutes=1)
    """Time between two counts; after a slow one at least two hundred times as long as it took."""
    timeout: PositiveDuration = timedelta(seconds=10)
    """Deadline of one count."""
    ignore_prefixes: tuple[Annotated[str, Field(min_length=1)], ...] = ("/registry/events/",)
    """Keys that come and go in numbers and are not counted, such as Kubernetes' events."""
    hold: PositiveDuration = timedelta(days=7)
    """How long a trip is told, unless the pin is taken away before; the pin itself stays."""

    @model_validator(mode="after")
    def _two_counts_within(self) -> Self:
        """One count alone is compared with nothing, so the wire would never trip."""
        if self.within < 2 * self.interval:
            raise ValueError(
                f"within ({duration_text(self.within)}) is shorter than two intervals of {duration_text(self.interval)}, "
                "so there would be nothing to compare"
            )
        return self
