"""Rehearsals of recovery: when, how fast they should be, how old one may get."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from etcd_dr.config.cron import check_cron
from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import Section, TimeZoneName


class DrillSection(Section):
    """Restores the newest proven snapshot into a throw-away etcd and compares it (docs/drills.md)."""

    cron: str | None = None
    """When the operator drills; written as in `schedule`. Unset: only by hand, with `etcd-dr drill run`."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which the fields are read."""
    objective: PositiveDuration | None = None
    """The RTO that is hoped for: a slower drill is said to be one."""
    max_age: PositiveDuration | None = None
    """Health warns when the last good drill is older than this; unset: it does not ask."""
    sample_keys: int = Field(default=200, ge=0, le=100_000)
    """How many keys, chosen by chance, are compared byte for byte."""
    start_timeout: PositiveDuration = timedelta(minutes=10)
    """Longest wait for etcd to serve the restored data."""

    @field_validator("cron")
    @classmethod
    def _valid(cls, text: str | None) -> str | None:
        return None if text is None else check_cron(text)
