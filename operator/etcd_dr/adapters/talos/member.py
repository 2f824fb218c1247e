"""A Talos node as an etcd member, so that snapshots are taken by the same pipeline as everywhere else.

- Talos tells neither etcd's cluster id nor a revision. The first is stood in for by the cluster's Talos authority;
  the second is 0, which means `not told`.
- A release that does not let our role ask for the status (os:etcd:backup before 1.9.6 and 1.10.1), or has no such call
  (before 1.5), still serves a snapshot: with `is_lenient` the status is then empty, and not an error.
- HashKV is not passed on by Talos. Where etcd's own certificates are configured, etcd is asked itself, on the same
  node; else, where that is wanted, the hash is computed from a second snapshot that this node sends.
"""

from __future__ import annotations

from dataclasses import replace

from etcd_dr import boltdb
from etcd_dr.domain.cluster import Alarm, MemberList, MemberStatus
from etcd_dr.domain.database import HashKv
from etcd_dr.domain.key_count import KeyCount
from etcd_dr.domain.stream_check import StreamCheck
from etcd_dr.errors import AccessDenied, EtcdError
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.local_files import ScratchSpace
from etcd_dr.ports.snapshot_source import SnapshotStream
from etcd_dr.ports.talos import TalosNode

_COPY_STALL_SECONDS = 30.0
_UNKNOWN = MemberStatus(
    cluster_id=0,
    member_id=0,
    revision=0,
    raft_term=0,
    raft_index=0,
    raft_applied_index=0,
    leader_id=0,
    version="",
    db_size_bytes=0,
    db_in_use_bytes=None,
    is_learner=False,
)


class TalosMember:
    """Implements ports.etcd.EtcdMember over one node, which it owns, and over etcd's own API on it, if configured."""

    def __init__(
        self,
        node: TalosNode,
        *,
        endpoint: str,
        cluster_id: int,
        etcd: EtcdMember | None = None,
        scratch: ScratchSpace | None = None,
        is_lenient: bool = False,
    ) -> None:
        self._node = node
        self._endpoint = endpoint
        self._cluster_id = cluster_id
        self._etcd = etcd
        self._scratch = scratch
        self._is_lenient = is_lenient

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def status(self, *, deadline: float) -> MemberStatus:
        try:
            told = self._node.etcd_status(deadline=deadline)
        except EtcdError as error:
            if not self._is_lenient or not _may_not_ask(error):
                raise
            told = _UNKNOWN
        if self._etcd is not None:
            told = replace(told, revision=self._etcd.status(deadline=deadline).revision)
        return replace(told, cluster_id=self._cluster_id)

    def member_list(self, *, linearizable: bool, deadline: float) -> MemberList:
        try:
            members = self._node.etcd_members(local=not linearizable, deadline=deadline)
        except EtcdError:
            # Talos asks its own etcd, but linearizably: without quorum there is no list, and still a snapshot.
            if not self._is_lenient or linearizable:
                raise
            members = ()
        return MemberList(self._cluster_id, members)

    def alarms(self, *, deadline: float) -> tuple[Alarm, ...]:
        return self._node.etcd_alarms(deadline=deadline)

    def hash_kv(self, *, revision: int, deadline: float) -> HashKv:
        if self._etcd is not None:
            return self._etcd.hash_kv(revision=revision, deadline=deadline)
        if self._scratch is None:
            raise EtcdError(
                "HashKV is not passed on by Talos",
                subject=self.endpoint,
                next_step="Configure etcd's certificates beside talos, or talos.compare_copies.",
                context={"call": "HashKV", "reason": "not-passed-on"},
            )
        return self._hash_of_copy(self._scratch, revision=revision, deadline=deadline)

    def read(self, *, linearizable: bool, deadline: float) -> int:
        """Talos tells no revision: the member list through quorum proves that there is one, and 0 is returned.

        This node's own etcd is asked, which reads its list linearizably (etcd: clientv3, MemberList): it has applied
        what the quorum had. The list of any other member would leave it as far behind as it was.
        """
        if self._etcd is not None:
            return self._etcd.read(linearizable=linearizable, deadline=deadline)
        try:
            self._node.etcd_members(local=True, deadline=deadline)
        except AccessDenied as error:
            if not self._is_lenient or not _may_not_ask(error):
                raise
            raise EtcdError(
                "whether there is a quorum may not be asked with this role",
                subject=self.endpoint,
                next_step=error.next_step,
                context={"call": "EtcdMemberList", "reason": "role"},
            ) from error
        return 0

    def count_keys(self, *, prefix: bytes = b"", deadline: float) -> KeyCount:
        if self._etcd is None:
            raise EtcdError(
                "keys cannot be counted through Talos",
                subject=self.endpoint,
                next_step="Configure etcd's certificates beside talos, to have keys counted between snapshots as well.",
                context={"call": "Range", "reason": "not-passed-on"},
            )
        return self._etcd.count_keys(prefix=prefix, deadline=deadline)

    def snapshot(self, *, stall_deadline: float, total_deadline: float) -> SnapshotStream:
        return self._node.snapshot(stall_deadline=stall_deadline, total_deadline=total_deadline)

    def close(self) -> None:
        self._node.close()
        if self._etcd is not None:
            self._etcd.close()

    def _hash_of_copy(self, scratch: ScratchSpace, *, revision: int, deadline: float) -> HashKv:
        """Compute the hash at `revision` (0: the copy's own) from a whole snapshot of this node."""
        check = StreamCheck(subject=self.endpoint)
        with (
            scratch.create(expected_bytes=0) as file,
            self._node.snapshot(stall_deadline=min(deadline, _COPY_STALL_SECONDS), total_deadline=deadline) as stream,
        ):
            for chunk in stream:
                data = check.admit(chunk.blob, chunk.remaining_bytes)
                if data:
                    check.digest(data)
                    file.append(data)
            check.finish()
            return boltdb.hash_kv(file.path, revision=revision or None, workers=1)


def _may_not_ask(error: EtcdError) -> bool:
    """Tell whether the call is one that this role or this release does not have: no fault of the member."""
    return error.context.get("reason") in ("role", "unimplemented")
