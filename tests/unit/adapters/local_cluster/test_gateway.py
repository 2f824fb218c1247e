"""What of a member's refusals passes by itself, as the JSON gateway words them."""

from __future__ import annotations

import pytest

from etcd_dr.adapters.local_cluster.gateway import may_pass
from etcd_dr.errors import EtcdError, MemberTimeout


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("etcdserver: leader changed", 503),
        ("etcdserver: request timed out", 503),
        ("context deadline exceeded", 504),
        ("raft proposal dropped", 500),
    ],
)
def test_election_passes(message: str, status: int) -> None:
    """Whatever etcd calls it, and whatever the gateway makes of that."""
    assert may_pass(EtcdError(message, context={"status": status}))


def test_silence_passes_and_a_refusal_does_not() -> None:
    """Asking again for what is refused would never end."""
    assert may_pass(MemberTimeout("no answer within 5 s"))
    assert not may_pass(EtcdError("etcdserver: mvcc: database space exceeded", context={"status": 429}))
    assert not may_pass(EtcdError("lease not found", context={"status": 404}))
