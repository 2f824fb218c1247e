"""The parts of the snapshot pipeline and of verification, as one cluster's configuration has them."""

from __future__ import annotations

from etcd_dr.adapters.allocator import steady_allocator
from etcd_dr.bootstrap.companions import companion_order
from etcd_dr.bootstrap.envelope import make_decoder, make_encoder
from etcd_dr.bootstrap.local_files import make_scratch
from etcd_dr.bootstrap.members import connect_members
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.domain.snapshot_limits import SnapshotLimits
from etcd_dr.ports.etcd import EtcdConnector
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.attempt_snapshot import PipelinePorts
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.verify_snapshot import VerifyPorts


def pipeline_ports(
    target: Target, store: ObjectStore, surroundings: Surroundings, *, guard: MemberGuard
) -> PipelinePorts:
    """Return everything that taking a snapshot talks to. Raises ConfigError and FileUnreadable for keys."""
    steady_allocator()
    return PipelinePorts(
        connector=connect_members(target, surroundings, for_snapshots=True),
        store=store,
        encoder=make_encoder(target.need_recipients(), target.compression),
        scratch=make_scratch(target),
        clock=surroundings.clock,
        tokens=surroundings.tokens,
        events=surroundings.events,
        progress=surroundings.progress,
        cancellation=surroundings.cancellation,
        guard=guard,
        companions=companion_order(target, surroundings),
    )


def verify_ports(target: Target, store: ObjectStore, surroundings: Surroundings) -> VerifyPorts:
    """Return everything that verifying talks to; live members where the target has any."""
    steady_allocator()
    return VerifyPorts(
        store=store,
        decoder=make_decoder(target.encryption),
        scratch=make_scratch(target),
        clock=surroundings.clock,
        tokens=surroundings.tokens,
        events=surroundings.events,
        progress=surroundings.progress,
        cancellation=surroundings.cancellation,
        connector=_live_members(target, surroundings),
    )


def snapshot_limits(target: Target) -> SnapshotLimits:
    """Return the limits of one run."""
    said, total, talos = target.snapshot, target.snapshot.total_timeout, target.talos
    copies = talos is not None and target.etcd is None
    reached = talos or target.etcd
    return SnapshotLimits(
        call_deadline=reached.request_timeout.total_seconds() if reached else 5.0,
        stall_deadline=said.stall_timeout.total_seconds(),
        total_deadline=total.total_seconds() if total is not None else None,
        attempts=said.attempts,
        hash_live_members=said.hash_live_members and not (talos is not None and copies and not talos.compare_copies),
        hashed_by="copy" if copies else "member",
        hash_max_bytes=said.hash_max_bytes,
        witness_count=1 if copies else 2,
    )


def _live_members(target: Target, surroundings: Surroundings) -> EtcdConnector | None:
    """Return whom stored snapshots are compared with: only etcd itself tells hashes of any moment."""
    if target.etcd is None:
        return None
    from etcd_dr.bootstrap.etcd import connect_etcd  # noqa: PLC0415 - only where it is used

    return connect_etcd(target.etcd, surroundings)
