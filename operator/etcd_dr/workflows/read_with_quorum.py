"""A linearizable read that an election does not cost.

etcd answers every read that waits for a quorum with "leader changed" as soon as the new leader is there
(v3_server.go, requestCurrentIndex). So all members fail at once in a cluster that is sound, and the same question a
moment later is answered.
"""

from __future__ import annotations

from etcd_dr.errors import MemberTimeout
from etcd_dr.ports.etcd import EtcdMember

_TRIES = 3  # elections in a row are no election any more


def read_with_quorum(member: EtcdMember, *, deadline: float) -> int:
    """Return the revision of a linearizable read, asked anew where the leader changed meanwhile.

    `deadline` is seconds for each try. Raises as EtcdMember.read does.
    """
    for _ in range(_TRIES - 1):
        try:
            return member.read(linearizable=True, deadline=deadline)
        except MemberTimeout as error:
            if error.context.get("reason") != "leader-changed":
                raise
    return member.read(linearizable=True, deadline=deadline)
