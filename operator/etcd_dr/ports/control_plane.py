"""How we stop, place and start etcd on a node: as a local process, a systemd unit, or a kubeadm static pod.

Contract for every node:
- Every call may be repeated: what is done already is success. A call that was cut off at any point, its process
  killed included, is made whole by calling it again.
- Nothing is deleted. A data directory is renamed on its own file system; a manifest is moved, not edited in place.
- `deadline` is seconds for the whole call. Errors: NodeUnreachable (no way to the node, or it vanished in mid-call, or
  no answer in time), NodeDenied (login, host key, sudo or file rights), NodeFault (the node answered, and it did not
  work; `context["said"]` has the end of what it said, and `context["reason"]` is `disk-full` where it has no room),
  Cancelled. `subject` is the node's name. What `write` raises comes out as it was raised.
- Nodes are independent: different nodes may be used from different threads at once, one node by one thread.
- What is named by `recovery_id` belongs to that recovery; two recoveries never meet in a name.

Talos fits beside it, not into it: there a node is wiped, a snapshot is uploaded to one node, bootstrap is called and
the others join by themselves, so data directories are neither set aside nor placed (docs/recovery.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from etcd_dr.domain.recovery.sight import NodeSight

Write = Callable[[bytes], object]


class SeenNode(Protocol):
    """A node that can be looked at: all that an assessment asks of it."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> str: ...

    def look(self, *, deadline: float) -> NodeSight:
        """As for `Node`."""
        ...


class SeenControlPlane(Protocol):
    """The nodes of one cluster to look at; `platform` is also `talos`."""

    @property
    def platform(self) -> str: ...

    @property
    def nodes(self) -> Sequence[SeenNode]: ...


class Node(Protocol):
    """One control-plane node. Its owner closes it."""

    @property
    def name(self) -> str:
        """The node's name in the configuration."""
        ...

    @property
    def place(self) -> str:
        """Where it is, for a person: `ssh root@10.0.0.4`, `local /var/tmp/demo/m1`."""
        ...

    def look(self, *, deadline: float) -> NodeSight:
        """Return what is there; changes nothing. Only not to get there is an error: what is wrong is in the sight."""
        ...

    def fence_writers(self, *, recovery_id: str, deadline: float) -> tuple[str, ...]:
        """Stop what writes to etcd and keep it stopped, over a reboot too; return the names of what ran before.

        A second call returns the same names. What was meant to run counts as what ran: a manifest in its place, a unit
        that had failed.
        """
        ...

    def lift_fence(self, *, recovery_id: str, deadline: float) -> tuple[str, ...]:
        """Bring back what `fence_writers` stopped for this recovery, in reverse order, and return the names."""
        ...

    def stop_etcd(self, *, recovery_id: str, deadline: float) -> bool:
        """Stop etcd, keep it stopped, and return when its process is gone: whether it ran before, as for writers."""
        ...

    def start_etcd(
        self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None = None, deadline: float
    ) -> None:
        """Start etcd and return when its process is there; whether it serves is asked of etcd itself.

        With `joins` (member name to peer URLs, this one's included) it is started to join an existing cluster, now and
        whenever it starts again: etcd passes over these settings once it has data. How it was started before is kept,
        and `restore_launch` brings it back. An etcd that runs already is left as it is: stop it first.
        """
        ...

    def restore_launch(self, *, recovery_id: str, deadline: float) -> None:
        """Bring back the way etcd was started before this recovery; it counts from the next start on.

        A kubelet starts a static pod anew when its manifest changes, so stop etcd first.
        """
        ...

    def export_data(self, write: Write, *, deadline: float) -> None:
        """Push the data directory as a tar archive to `write`, its WAL directory included; etcd is stopped.

        Names are paths from the root without the slash, so that unpacking at / puts everything back.
        """
        ...

    def read_database(self, write: Write, *, deadline: float) -> None:
        """Push `member/snap/db` to `write`, as it lies there, without a trailer; etcd is stopped."""
        ...

    def set_data_aside(self, *, recovery_id: str, deadline: float) -> str | None:
        """Rename the data directory (and a WAL directory apart from it) to its aside name; return the new name.

        None where there was nothing to set aside. Where the data directory is a mount point, `member` in it is renamed.
        What this recovery placed is never set aside, nor what lies there once something was. etcd is stopped.
        """
        ...

    def place_data(self, source: Path, *, recovery_id: str, deadline: float) -> None:
        """Bring a data directory that was built here to the node, with the owner and mode of the old one.

        It appears under its name whole: it is streamed beside it first and renamed. Raises NodeFault where a data
        directory that is not this recovery's is in its place: set it aside first.
        """
        ...

    def put_data_back(self, *, recovery_id: str, deadline: float) -> bool:
        """Undo `place_data` and `set_data_aside`: what was placed is renamed to `…-abandoned`, what was set aside gets
        its name back. Returns whether anything was put back. etcd is stopped."""
        ...

    def read_file(self, path: str, *, limit_bytes: int, deadline: float) -> bytes | None:
        """Return a file of the node whole, None where it does not exist."""
        ...

    def put_file(self, path: str, body: bytes, *, mode: int, deadline: float) -> bool:
        """Write a file whole where none is, with its parent directories; False where one exists, which stays."""
        ...

    def close(self) -> None:
        """Release the connection; what runs on the node goes on. Safe to call twice."""
        ...


class ControlPlane(Protocol):
    """The nodes of one cluster, in the configured order."""

    @property
    def platform(self) -> str:
        """`local`, `systemd` or `static-pod`."""
        ...

    @property
    def nodes(self) -> Sequence[Node]: ...

    def close(self) -> None: ...
