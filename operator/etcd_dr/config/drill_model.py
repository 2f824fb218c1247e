"""Rehearsals of recovery: when, and how old one may get. How fast is an objective (objective_model)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field, field_validator, model_validator

from etcd_dr.config.cron import check_cron
from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import Section, TimeZoneName


class DrillSection(Section):
    """Restores the newest proven snapshot into a throw-away etcd and compares it (docs/drills.md)."""

    cron: str | None = None
    """When the operator drills; written as in `schedule`. Unset: only by hand, with `etcd-dr drill run`."""
    time_zone: TimeZoneName = "UTC"
    """The zone in which the fields are read."""
    max_age: PositiveDuration | None = None
    """Health warns when the last good drill is older than this; unset: two intervals of `cron`, and without one it does not ask."""
    sample_keys: int = Field(default=200, ge=0, le=100_000)
    """How many keys, chosen by chance, are compared byte for byte."""
    start_timeout: PositiveDuration = timedelta(minutes=10)
    """Longest wait for etcd to serve the restored data."""

    @model_validator(mode="before")
    @classmethod
    def _objective_has_moved(cls, said: object) -> object:
        if isinstance(said, Mapping) and "objective" in said:
            raise ValueError("drill.objective has moved; write it beside drill, as objectives.rto")
        return said

    @field_validator("cron")
    @classmethod
    def _valid(cls, text: str | None) -> str | None:
        return None if text is None else check_cron(text)
