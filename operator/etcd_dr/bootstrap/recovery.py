"""The parts that carry out a recovery, as one cluster's configuration has them."""

from __future__ import annotations

from pathlib import Path

from etcd_dr.adapters.journal import DirectoryJournal, DirectoryWorkPlaces
from etcd_dr.adapters.local_files import PartFiles
from etcd_dr.adapters.pause import CancellablePause
from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.snapshots import pipeline_ports, snapshot_limits
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.talos_recovery import is_driven_by_talos, talos_parts
from etcd_dr.config import Target
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.ports.control_plane import ControlPlane
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.etcd_admin import AdminConnector
from etcd_dr.ports.journal_store import JournalStore
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.ports.restorer import Restorer
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.recovery.mirrored_journal import MirroredJournal
from etcd_dr.workflows.recovery.recovery_ports import RecoveryLimits, RecoveryPorts
from etcd_dr.workflows.recovery.store_journal import StoreJournal
from etcd_dr.workflows.recovery.talos_driver import TalosDriver


def recovery_journal(
    store: ObjectStore | None,
    layout: ClusterLayout,
    surroundings: Surroundings,
    *,
    state_dir: Path,
    only_reads: bool = True,
) -> JournalStore:
    """Return where the recoveries of this cluster are kept: in the state directory, mirrored where there is a store.

    `state_dir` is the directory for all clusters. With `only_reads` neither place is given what the other one has.
    """
    here = DirectoryJournal(recoveries_dir(state_dir, layout.cluster))
    if store is None:
        return here
    mirror = StoreJournal(store, layout)
    return MirroredJournal(here, mirror, clock=surroundings.clock, events=surroundings.events, only_reads=only_reads)


def recoveries_dir(state_dir: Path, cluster: str) -> Path:
    """Return where the recoveries of one cluster lie on this machine."""
    return state_dir.absolute() / cluster / "recoveries"


def recovery_ports(
    target: Target,
    store: ObjectStore | None,
    layout: ClusterLayout,
    surroundings: Surroundings,
    *,
    control_plane: ControlPlane,
    restorer: Restorer,
    state_dir: Path,
    without_store: bool = False,
) -> RecoveryPorts:
    """Return everything that `run_plan`, `resume_recovery` and `abort_recovery` talk to.

    `without_store` is the explicit wish to write nothing to the store: no lock, no mirror, no fresh snapshot. Raises
    ConfigError and FileUnreadable for keys and certificates.
    """
    driver, connector, admins = _ways_to_members(target, surroundings)

    def snapshot_pipeline() -> PipelinePorts:
        if store is None:
            raise AssertionError("asked for only where there is a store")
        return pipeline_ports(target, store, surroundings, guard=MemberGuard())

    return RecoveryPorts(
        control_plane=control_plane,
        connector=connector,
        admins=admins,
        restorer=restorer,
        store=store,
        layout=layout,
        decoder=make_decoder(target.encryption),
        files=PartFiles(),
        journal=recovery_journal(
            None if without_store else store, layout, surroundings, state_dir=state_dir, only_reads=False
        ),
        work_places=DirectoryWorkPlaces(recoveries_dir(state_dir, layout.cluster)),
        clock=surroundings.clock,
        tokens=surroundings.tokens,
        events=surroundings.events,
        progress=surroundings.progress,
        cancellation=surroundings.cancellation,
        pause=CancellablePause(surroundings.cancellation),
        snapshot_pipeline=snapshot_pipeline if store is not None else None,
        without_store=without_store or store is None,
        talos=driver,
        limits=RecoveryLimits(snapshot=snapshot_limits(target)),
    )


def _ways_to_members(
    target: Target, surroundings: Surroundings
) -> tuple[TalosDriver | None, EtcdConnector, AdminConnector]:
    if is_driven_by_talos(target):
        parts = talos_parts(target, surroundings)
        return parts.driver, parts.connector, parts.admins
    from etcd_dr.bootstrap.etcd import connect_etcd  # noqa: PLC0415 - imports grpc, which Talos alone needs not

    etcd = connect_etcd(target.need_etcd(), surroundings)
    return None, etcd, etcd
