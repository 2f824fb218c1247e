"""What differs between platforms: how etcd and the writers are found, stopped, started and started differently.

The promises are the port's (ports/control_plane.py, Node); `until` is a moment of the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from etcd_dr.domain.recovery.sight import Launch, ProcessState, Writer

LOG_LINES = 60


@dataclass(frozen=True, slots=True)
class ServiceSight:
    """How etcd stands on a node. `problem` says why `launch` is None."""

    process: ProcessState
    launch: Launch | None
    writers: tuple[Writer, ...]
    version: str | None = None
    log_tail: tuple[str, ...] = ()
    problem: str = ""


class EtcdService(Protocol):
    def look(self, *, until: float) -> ServiceSight:
        """Return how it stands, with the end of its log; changes nothing."""
        ...

    def launch(self, *, until: float) -> tuple[Launch | None, str]:
        """Return how etcd is started, running or stopped by us, and whom its data belongs to (`user:group`)."""
        ...

    def fence_writers(self, *, recovery_id: str, until: float) -> tuple[str, ...]: ...

    def lift_fence(self, *, recovery_id: str, until: float) -> tuple[str, ...]: ...

    def stop(self, *, recovery_id: str, until: float) -> bool: ...

    def start(self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None, until: float) -> None: ...

    def restore_launch(self, *, recovery_id: str, until: float) -> None: ...
