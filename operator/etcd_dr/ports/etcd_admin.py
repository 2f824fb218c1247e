"""What changes a cluster: members, alarms, history, keys. Apart from `ports.etcd`, so that reading never can.

The contract of `ports/etcd.py` holds: deadlines, errors, threads. All calls need quorum, except `defragment` and the
local reads `count_keys` and `sample_keys`. Repeating one that was done already is the caller's matter; nothing is
retried here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etcd_dr.domain.cluster import Alarm, Member


class EtcdAdmin(Protocol):
    """A connection to exactly one member, with the rights to change the cluster."""

    @property
    def endpoint(self) -> str: ...

    def add_learner(self, peer_urls: Sequence[str], *, deadline: float) -> Member:
        """Add a learner (etcd 3.4+) and return it; its name is empty until it starts.

        Raises EtcdError with `reason` `exists` where a member has one of these URLs, `too-many-learners` where one is
        there already (etcd allows one by default), `unhealthy`, or `id-removed` where a member with these URLs was
        added and removed within this second: etcd makes the id of URLs and the second, and takes no removed id
        (etcd: membership/member.go, computeMemberId). The next second has another one.
        """
        ...

    def promote(self, member_id: int, *, deadline: float) -> None:
        """Let a learner vote. Raises EtcdError with `reason` `not-ready` while it lags behind its leader, `not-learner`
        where it votes already, `not-found`."""
        ...

    def remove_member(self, member_id: int, *, deadline: float) -> None:
        """Remove a member. Raises EtcdError with `reason` `not-found`, or `unhealthy` where etcd refuses because
        too few started members would be left."""
        ...

    def disarm(self, alarm: Alarm, *, deadline: float) -> None:
        """Take one alarm back; one that is not raised is success."""
        ...

    def compact(self, revision: int, *, deadline: float) -> None:
        """Forget history below `revision` and wait until it is done on this member; compacted already is success."""
        ...

    def defragment(self, *, deadline: float) -> None:
        """Rewrite this member's database; it answers nothing meanwhile."""
        ...

    def put(self, key: bytes, value: bytes, *, deadline: float) -> int:
        """Write one key through quorum and return its revision.

        Raises EtcdError with `reason` `no-space` while a NOSPACE alarm is raised.
        """
        ...

    def get(self, key: bytes, *, deadline: float) -> bytes | None:
        """Read one key through quorum."""
        ...

    def delete(self, key: bytes, *, deadline: float) -> None:
        """Delete one key; missing is success."""
        ...

    def count_keys(self, *, revision: int = 0, deadline: float) -> int:
        """Return how many keys there are, read locally, at `revision` (0: now)."""
        ...

    def sample_keys(self, keys: Sequence[bytes], *, revision: int = 0, deadline: float) -> dict[bytes, bytes]:
        """Return the serialised mvccpb.KeyValue of each of these keys that exists, read locally, at `revision` (0: now).

        `deadline` is for all of them.
        """
        ...

    def close(self) -> None: ...


class AdminConnector(Protocol):
    """Makes such connections with the configured TLS material and credentials."""

    def administer(self, endpoint: str) -> EtcdAdmin: ...
