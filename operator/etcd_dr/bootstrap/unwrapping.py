"""What files of other tools are opened with."""

from __future__ import annotations

from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.local_files import make_scratch
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.workflows.unwrap_file import UnwrapPorts


def unwrap_ports(target: Target, surroundings: Surroundings) -> UnwrapPorts:
    """Return what a file is unwrapped with. Raises FileUnreadable, RecipientInvalid for identities."""
    return UnwrapPorts(
        scratch=make_scratch(target),
        decoder=make_decoder(target.encryption),
        cancellation=surroundings.cancellation,
        progress=surroundings.progress,
    )
