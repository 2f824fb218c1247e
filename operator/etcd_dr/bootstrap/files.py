"""The parts that take files of other tools into the store."""

from __future__ import annotations

from etcd_dr.bootstrap.envelope import make_encoder
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.bootstrap.unwrapping import unwrap_ports
from etcd_dr.config import Target
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.import_snapshot import ImportPorts


def import_ports(target: Target, store: ObjectStore, surroundings: Surroundings) -> ImportPorts:
    """Return everything that an import talks to. Raises ConfigError and FileUnreadable for keys."""
    return ImportPorts(
        store=store,
        encoder=make_encoder(target.need_recipients(), target.compression),
        unwrap=unwrap_ports(target, surroundings),
        clock=surroundings.clock,
        tokens=surroundings.tokens,
        events=surroundings.events,
    )
