"""A Talos node as an etcd member: what it says of itself, and not of the others."""

from __future__ import annotations

import pytest

from etcd_dr.adapters.talos.member import TalosMember
from etcd_dr.errors import MemberTimeout
from fakes.talos import FakeFleet


def test_read_through_quorum_goes_through_the_node_itself() -> None:
    """It is what makes a member catch up: through another one it would prove nothing of this one."""
    fleet = FakeFleet.healthy(1)
    [address] = fleet.nodes()
    fleet[address].fail("EtcdMemberList", MemberTimeout("it stands still"))
    member = TalosMember(fleet[address], endpoint=address, cluster_id=1)

    with pytest.raises(MemberTimeout):
        member.read(linearizable=True, deadline=1.0)
