"""What a rule on nodes is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from etcd_dr.domain.doctor.hosts.observation import HostsObservation
from etcd_dr.domain.health import Finding


@dataclass(frozen=True, slots=True)
class HostRule:
    """A pure function with the codes that it may find."""

    judge: Callable[[HostsObservation], Iterable[Finding]]
    codes: tuple[str, ...]
