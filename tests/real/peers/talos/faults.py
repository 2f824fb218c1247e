"""What can be wrong with one node, as switches that a test turns; all off by default.

Positions in streams are bytes of the snapshot, counted from its start. A switch that counts (`refuse`) or names one
occasion (`reboot_after`) turns itself off when it has struck; the others stay until they are turned back.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from grpclib.const import Status

from real.peers.talos.calls import Refusal

LOOK_AGAIN_SECONDS = 0.05
"""How often a switch that holds something up is looked at."""

TIME_NOT_SYNCED = Refusal(Status.FAILED_PRECONDITION, "time is not in sync yet")
NOT_AVAILABLE_YET = Refusal(Status.FAILED_PRECONDITION, "bootstrap is not available yet")
NOT_READY_FOR_RECOVERY = Refusal(Status.FAILED_PRECONDITION, "etcd service is not ready for recovery yet")
DIRECTORY_NOT_EMPTY = Refusal(Status.ALREADY_EXISTS, "etcd data directory is not empty")


@dataclass(slots=True)
class Faults:
    """The switches of one node; set them from any thread."""

    snapshot_ends_at: int | None = None
    """EtcdSnapshot ends here, and well: Talos swallows errors of reading (pkg/grpc/.../chunker)."""
    snapshot_stalls_at: int | None = None
    """EtcdSnapshot sends nothing from here on, and does not end (talos#14212)."""
    snapshot_flips_at: int | None = None
    """One bit of this byte arrives wrong."""
    recover_breaks_at: int | None = None
    """EtcdRecover breaks off with Unavailable once it received this much."""
    restore_fails_with: str | None = None
    """The restore fails with these words after the database was copied, as on a full disk."""
    restore_takes: float = 0.0
    """Seconds that the restore takes longer."""
    restore_is_withheld: bool = False
    """The restore does not begin while this is so."""
    image_pull_takes: float = 0.0
    """Seconds between `Running pre state` and anything else, as behind a slow registry."""
    promotion_takes: float = 0.0
    """Seconds before this node asks for its promotion for the first time (talos#14097: 135)."""
    promotion_is_withheld: bool = False
    """This node does not ask for its promotion while this is so."""
    is_never_promoted: bool = False
    """As a joining learner, this node stays one (talos#13710)."""
    breaks_off_joining: bool = False
    """The next attempt to join ends between adding the learner and starting it."""
    has_broken_off_joining: bool = False
    """That has happened: what an election cuts off is taken up again in any release, and only this is not."""
    never_joins: bool = False
    """The join loop finds no control plane endpoint."""
    clock_is_unsynced: bool = False
    """TimeStatus says so, Bootstrap refuses, and the services wait for it after a boot."""
    unmet: set[str] = field(default_factory=set)
    """What etcd waits for and never gets: any of `cri`, `network`, `etcd spec`."""
    hides_member_names: bool = False
    """Member lists of this node come with empty hostnames (talos PR 13797)."""
    hanging_calls: set[str] = field(default_factory=set)
    """Calls by name, such as `ServiceList`, that never answer."""
    calls_that_hang: list[str] = field(default_factory=list)
    """Those that have come in since the start and hang; what a test waits for."""
    silent_ports: set[int] = field(default_factory=set)
    """Ports of `other_ports` on which nothing listens from the next boot on."""
    failed_services: dict[str, str] = field(default_factory=dict)
    """Services, such as `kubelet`, that fail with these words at the next boot."""
    etcd_crashes_with: str | None = None
    """etcd ends right after each start, with these last words."""
    var_available_bytes: int | None = None
    """What Mounts says is free on /var."""
    clock_skew: float = 0.0
    """Seconds that this node's clock is ahead."""
    reboot_after: str | None = None
    """The node reboots right after it answered this call, once."""
    _refusals: dict[str, deque[Refusal]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, call: str, refusal: Refusal, *, times: int = 1) -> None:
        """Refuse the next calls of that name, before anything else is looked at."""
        with self._lock:
            self._refusals.setdefault(call, deque()).extend([refusal] * times)

    def next_refusal(self, call: str) -> Refusal | None:
        """Take the refusal that the call of that name gets now, if any."""
        with self._lock:
            waiting = self._refusals.get(call)
            return waiting.popleft() if waiting else None

    def reboots_after(self, call: str) -> bool:
        """Say whether this call is the one to reboot after, and turn the switch off if so."""
        with self._lock:
            if self.reboot_after != call:
                return False
            self.reboot_after = None
            return True
