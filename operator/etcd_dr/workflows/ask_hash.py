"""Ask one live member for HashKV, again where a second question has a better answer, and never in a loop.

- A member catches up by serving a linearizable read: before the question where that was asked for, else when it says
  that it has not applied the revision yet.
- Everything that keeps a member from answering is a value: a proof that could not be made is no failed proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.domain.database import HashKv
from etcd_dr.domain.member_choice import ObservedMember
from etcd_dr.errors import EtcdError, RevisionUnavailable
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.workflows.read_with_quorum import read_with_quorum

NEWEST = 0  # etcd's own word for "the current revision" (rpc.proto, HashKVRequest)


@dataclass(frozen=True, slots=True)
class LiveHash:
    """What one member answered: a hash, or the problem that kept it from one."""

    observed: ObservedMember
    hash_kv: HashKv | None = None
    problem: str = ""


def ask_hash(
    connection: EtcdMember,
    observed: ObservedMember,
    *,
    revision: int,
    deadline: float,
    call_deadline: float,
    catch_up_first: bool = False,
) -> LiveHash:
    """Return the member's hash at `revision` (`NEWEST`: its current one). Blocks the member while it computes.

    With `catch_up_first` it has then applied all that any member had applied when it was asked. That needs quorum.
    """
    try:
        if catch_up_first:
            read_with_quorum(connection, deadline=call_deadline)
        try:
            answer = connection.hash_kv(revision=revision, deadline=deadline)
        except RevisionUnavailable as error:
            if error.context.get("reason") != "future":
                raise
            read_with_quorum(connection, deadline=call_deadline)
            answer = connection.hash_kv(revision=revision, deadline=deadline)
    except EtcdError as error:
        return LiveHash(observed, problem=f"{observed.label}: {error.message} ({error.code})")
    return LiveHash(observed, answer)
