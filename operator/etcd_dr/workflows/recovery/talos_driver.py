"""The way to Talos' nodes during a recovery, and how long things may take there.

The times are those that Talos itself allows, with a margin, so that nothing is called a failure that is not one yet:
a promotion is tried for 10 minutes, one was seen to take 135 s (siderolabs/talos#14097).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.talos import TalosFleet


@dataclass(frozen=True, slots=True)
class TalosLimits:
    """Seconds. `refused_for`: how long `not ready yet` is taken for an answer that may change; `promotion`: after
    which Talos has given up a learner."""

    call_deadline: float = 10.0
    change_deadline: float = 30.0
    look_again: float = 1.0
    reboot_deadline: float = 1200.0
    refused_for: float = 120.0
    stall_deadline: float = 60.0
    promotion: float = 660.0


@dataclass(frozen=True, slots=True)
class TalosDriver:
    """The nodes, with os:admin. `etcd` leads to etcd's own API, where its certificates are configured too."""

    fleet: TalosFleet
    etcd: EtcdConnector | None = None
    limits: TalosLimits = field(default_factory=TalosLimits)
