"""Leases, by which several replicas of the operator share the clusters."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from etcd_dr.config.duration import PositiveDuration, duration_text
from etcd_dr.config.fields import Section


class LeaseSection(Section):
    """One Lease for each cluster: whoever holds it takes its snapshots (docs/high-availability.md)."""

    enabled: bool = True
    """false: this process leads every cluster, always; say so only where it is the only replica."""
    name: str = Field(default="etcd-dr", pattern=r"^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$")
    """Begins the names of the Leases and groups replicas: those of one group share the clusters."""
    duration: PositiveDuration = timedelta(seconds=30)
    """How long a leader that fell silent is waited for before another one follows."""
    renew_deadline: PositiveDuration = timedelta(seconds=20)
    """How long a leader that cannot renew its lease goes on leading."""
    retry_period: PositiveDuration = timedelta(seconds=5)
    """Time between two rounds; each lists the leases and renews those that are held."""
    request_timeout: PositiveDuration = timedelta(seconds=4)
    """Longest silence of one call to the API."""
    claim_life: PositiveDuration = timedelta(minutes=15)
    """How long a slot is left to the replica that claimed it where no lease decides; above the time a snapshot takes."""

    @model_validator(mode="after")
    def _never_two_leaders(self) -> Self:
        """A leader stops before anybody follows, with room for a call that is on its way."""
        last_write = self.renew_deadline + 2 * self.request_timeout
        if last_write >= self.duration:
            raise ValueError(
                f"renew_deadline and two request timeouts are {duration_text(last_write)}, which is not shorter than "
                f"duration ({duration_text(self.duration)}): two replicas could lead at once"
            )
        if 2 * self.retry_period > self.renew_deadline:
            raise ValueError(
                f"two retry periods are longer than renew_deadline ({duration_text(self.renew_deadline)}): one renewal "
                "that fails would cost the lease"
            )
        return self
