"""The tripwire for mass deletion, as one cluster's configuration has it."""

from __future__ import annotations

from etcd_dr.bootstrap.members import connect_members
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.domain.tripwire import TripwireTerms
from etcd_dr.workflows.count_live_keys import KeyCounter


def tripwire_terms(target: Target) -> TripwireTerms | None:
    """Return when it trips; None: it is off."""
    said = target.tripwire
    if not said.enabled:
        return None
    return TripwireTerms(fall_percent=said.fall_percent, min_keys=said.min_keys, within=said.within, hold=said.hold)


def key_counter(target: Target, surroundings: Surroundings) -> KeyCounter | None:
    """Return what counts this cluster's keys; None where only Talos is spoken to, which passes no count on."""
    if target.etcd is None:
        return None
    return KeyCounter(
        connect_members(target, surroundings),
        clock=surroundings.clock,
        ignored=target.tripwire.ignore_prefixes,
        deadline=target.tripwire.timeout.total_seconds(),
    )
