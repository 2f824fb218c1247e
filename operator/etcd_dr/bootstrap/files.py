"""The parts that look into files of other tools, and take them into the store."""

from __future__ import annotations

from etcd_dr.bootstrap.envelope import make_decoder, make_encoder
from etcd_dr.bootstrap.local_files import make_scratch
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.import_snapshot import ImportPorts
from etcd_dr.workflows.unwrap_file import UnwrapPorts


def unwrap_ports(target: Target, surroundings: Surroundings) -> UnwrapPorts:
    """Return what a file is unwrapped with. Raises FileUnreadable, RecipientInvalid for identities."""
    return UnwrapPorts(
        scratch=make_scratch(target),
        decoder=make_decoder(target.encryption),
        cancellation=surroundings.cancellation,
        progress=surroundings.progress,
    )


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
