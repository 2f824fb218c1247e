"""Everything that carrying out a recovery talks to, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.etcd_admin import AdminConnector
from etcd_dr.ports.events import EventSink, Progress
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.ports.local_files import FileSink
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.pause import Pause
from etcd_dr.ports.restorer import Restorer
from etcd_dr.ports.work_place import WorkPlaces
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.recovery.talos_driver import TalosDriver

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class RecoveryLimits:
    """Deadlines in seconds; those that move data grow with it, so that none is a hidden size limit."""

    call_deadline: float = 5.0
    """One small question to a member."""
    change_deadline: float = 30.0
    """One change of the cluster: a member, an alarm, a key."""
    node_deadline: float = 120.0
    """One small thing done to a node: fence, stop, start, rename."""
    look_again_seconds: float = 0.25
    """Between two looks at something that is waited for."""
    parallel_steps: int = 8
    """How many steps of a phase are carried out at once."""
    snapshot: SnapshotLimits = field(default_factory=SnapshotLimits)

    def copy_deadline(self, count_bytes: int) -> float:
        """Return the limit for moving so many bytes to or from a node: 10 minutes, and 10 more for each GiB."""
        return 600.0 * (1 + count_bytes / _GIB)


@dataclass(frozen=True, slots=True)
class RecoveryPorts:
    """`without_store`: this recovery was wished to go without writing to the store: nobody else is kept out, and nobody
    can go on from elsewhere. A snapshot is still read from `store` where that is there.

    `talos` is there where the nodes are Talos'; then `control_plane` has none.
    `snapshot_pipeline` makes the ports of a fresh snapshot when they are needed, None where none is to be taken.
    """

    control_plane: ControlPlane
    connector: EtcdConnector
    admins: AdminConnector
    restorer: Restorer
    store: ObjectStore | None
    layout: ClusterLayout
    decoder: Decoder
    files: FileSink
    journal: JournalStore
    work_places: WorkPlaces
    clock: Clock
    tokens: TokenSource
    events: EventSink
    progress: Progress
    cancellation: Cancellation
    pause: Pause
    snapshot_pipeline: Callable[[], PipelinePorts] | None = None
    without_store: bool = False
    talos: TalosDriver | None = None
    limits: RecoveryLimits = field(default_factory=RecoveryLimits)

    @property
    def shared_store(self) -> ObjectStore | None:
        """The store that lock, marker and fresh snapshots are written to; None where that was wished."""
        return None if self.without_store else self.store
