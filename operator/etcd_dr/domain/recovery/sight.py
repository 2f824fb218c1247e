"""What one look at one control-plane node showed: its etcd process, its data directory, its room, its writers.

- A sight is read-only evidence. What could not be found out is None or `UNKNOWN`, never a guess.
- Ids are etcd's integers, sizes are bytes, paths are the node's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etcd_dr.domain.recovery.talos_sight import TalosSight


class ProcessState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Launch:
    """How this node starts etcd, read from its manifest, its unit or its command line.

    `peer_urls` are --initial-advertise-peer-urls, `client_urls` --advertise-client-urls. `wal_dir` is None where the
    WAL lies in the data directory. `problem` says why etcd cannot be started differently (as a learner that joins) on
    this node, for instance because a --config-file takes precedence over flags; empty: it can.
    """

    member_name: str
    data_dir: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    wal_dir: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DatabasePeek:
    """What a few pages of a stopped member's database tell without reading all of it.

    `revision` is the last one in the bucket `key`; `consistent_index` and `term` are of the last entry applied.
    """

    revision: int
    consistent_index: int | None
    term: int | None


@dataclass(frozen=True, slots=True)
class DataSight:
    """A data directory. `cluster_id` and `member_id` are of the metadata record of its first WAL file.

    `damage` says what is wrong with it (no WAL, no database, a page that cannot be read), empty where nothing was
    seen to be wrong; that is not a proof. `set_aside` are the directories that recoveries moved aside beside it.
    `written_at` is when its newest WAL file or its database was last changed, by the node's clock: until then the
    member took part.
    """

    directory: str
    exists: bool
    has_wal: bool = False
    database_bytes: int | None = None
    cluster_id: int | None = None
    member_id: int | None = None
    peek: DatabasePeek | None = None
    damage: str = ""
    set_aside: tuple[str, ...] = ()
    written_at: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of a member: no directory, or one with neither WAL nor database."""
        return not self.exists or (not self.has_wal and self.database_bytes is None)


@dataclass(frozen=True, slots=True)
class Writer:
    """Something on the node that writes to etcd and is fenced during a recovery, such as kube-apiserver."""

    name: str
    is_running: bool


@dataclass(frozen=True, slots=True)
class NodeSight:
    """One look at one node. `etcd_version` is what its program or image says, None where nothing does.

    `free_bytes` is of the file system of the data directory. `log_tail` is the end of etcd's log, for people and for
    rules that look for a cause. `writers` are in the order in which they are stopped. `problem` says why `launch` or
    `data` is None: a manifest that cannot be parsed, a unit that is not there, a disk that is not mounted.
    `talos` is what a Talos node says beyond that.
    """

    node: str
    process: ProcessState
    launch: Launch | None
    data: DataSight | None
    free_bytes: int | None = None
    etcd_version: str | None = None
    writers: tuple[Writer, ...] = ()
    log_tail: tuple[str, ...] = ()
    problem: str = ""
    talos: TalosSight | None = None
