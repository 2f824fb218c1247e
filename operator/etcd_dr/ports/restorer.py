"""The official tool that makes a member's data directory from a snapshot: etcdutl, or etcdctl before 3.5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.ports.cancellation import Cancellation


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """One data directory to make. Names and URLs as etcd's flags have them.

    `bump_revision` 0: none; otherwise it goes with --mark-compacted. `skip_hash_check` is for a file without a
    trailer, whose content was proven otherwise.
    """

    source: Path
    data_dir: Path
    name: str
    peer_urls: tuple[str, ...]
    initial_cluster: Mapping[str, tuple[str, ...]]
    token: str
    bump_revision: int = 0
    skip_hash_check: bool = False


class Restorer(Protocol):
    def version_for(self, server: EtcdVersion | None, *, must_bump: bool = False) -> EtcdVersion:
        """Return the version of the tool that would be used for this server (None: unknown; then the newest).

        Raises ToolMissing where no tool of the server's minor is at hand (restore tool, server and snapshot belong
        together: etcd #13070), or with `must_bump` none of them can raise the revision (3.4.27, 3.5.10, 3.6 can); its
        message names what was found and where it was looked for.
        """
        ...

    def restore(self, order: RestoreOrder, *, server: EtcdVersion | None, cancellation: Cancellation) -> None:
        """Make the data directory; it appears under its name only when it is whole, with mode 0700.

        The remains of an earlier call for it are removed first; a directory under its name that is not empty is
        refused (UsageError). The source is opened for reading only. Raises ToolMissing, SnapshotDamaged (the tool
        refuses the file), FileUnreadable, LocalStorageFull, Cancelled, ToolFailed.
        """
        ...
