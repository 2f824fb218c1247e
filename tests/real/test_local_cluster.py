"""The local cluster itself: what the demo and the other tests of this directory rely on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from etcd_dr.adapters.local_cluster import EtcdBinaries, LocalAuthority, LocalCluster
from etcd_dr.adapters.local_cluster.gateway import EtcdGateway, encoded
from etcd_dr.errors import MemberTimeout, MemberUnreachable, TlsRefused
from real.full_database import has_room

FreshCluster = Callable[..., LocalCluster]


def read(gateway: EtcdGateway, key: bytes) -> str | None:
    """Return the base64 of a key's value, read with quorum."""
    found = gateway.call_through("/v3/kv/range", {"key": encoded(key)}).get("kvs", [])
    return found[0]["value"] if found else None


def members_by_name(cluster: LocalCluster) -> dict[str, dict[str, object]]:
    with cluster.gateway() as gateway:
        return {member["name"]: member for member in gateway.call("/v3/cluster/member/list", {})["members"]}


def leaders_of(cluster: LocalCluster) -> set[str]:
    """Return who leads, as each member says; empty where one knows of nobody."""
    leaders = set()
    for member in cluster.members:
        with member.gateway() as gateway:
            leaders.add(str(gateway.call("/v3/maintenance/status", {}).get("leader", "")))
    return leaders


def test_members_agree_on_who_they_are(shared_cluster: LocalCluster) -> None:
    """A formed cluster has as many members as asked for, and one leader that all of them name."""
    ends_at = time.monotonic() + 30  # between two answers there may be an election
    while len(leaders := leaders_of(shared_cluster)) > 1 and time.monotonic() < ends_at:
        continue

    assert sorted(members_by_name(shared_cluster)) == ["m1", "m2", "m3"]
    assert len(leaders - {""}) == 1


def test_clients_of_another_authority_are_refused(shared_cluster: LocalCluster, tmp_path: Path) -> None:
    """Mutual TLS is on: who trusts or shows another authority's certificates gets nowhere."""
    now = datetime.now(UTC)
    stranger = LocalAuthority(tmp_path, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1))
    port = shared_cluster.members[0].settings.client_port

    with EtcdGateway(port=port, tls=stranger.issue("client")) as gateway, pytest.raises(TlsRefused):
        gateway.put(b"/local/stranger", b"")


def test_killed_member_comes_back_with_what_was_written_meanwhile(fresh_cluster: FreshCluster) -> None:
    """Two of three go on without the third, which catches up on its old data directory."""
    cluster = fresh_cluster()
    victim, survivor, _ = cluster.members

    victim.kill()
    with survivor.gateway() as gateway:
        gateway.put_through(b"/local/meanwhile", b"written")  # the victim may have been the leader
    victim.start()
    victim.wait_until_healthy()

    with victim.gateway() as gateway:
        assert read(gateway, b"/local/meanwhile") == encoded(b"written")


def test_quorum_is_lost_with_two_of_three_and_returns_with_them(fresh_cluster: FreshCluster) -> None:
    """The survivor of three serves but is not healthy; it is again when another returns."""
    cluster = fresh_cluster()
    survivor, *victims = cluster.members

    for victim in victims:
        victim.kill()
    with survivor.gateway(timeout_seconds=10) as gateway:
        without_quorum = (gateway.is_serving(), gateway.is_healthy())
    victims[0].start()
    survivor.wait_until_healthy()

    assert without_quorum == (True, False)


def test_wiped_member_is_not_taken_back_as_if_nothing_had_been(fresh_cluster: FreshCluster) -> None:
    """A member that lost its disk cannot rejoin under its old id; the error carries etcd's own reason."""
    cluster = fresh_cluster()
    victim = cluster.member("m2")

    victim.wipe()
    was_there = victim.data_dir.exists()
    victim.start()
    with pytest.raises(MemberUnreachable) as raised:
        victim.wait_until_healthy()

    assert not was_there
    assert "already been bootstrapped" in str(raised.value.context["log"])


def test_paused_member_holds_its_connections_and_says_nothing(fresh_cluster: FreshCluster) -> None:
    """A paused member times out instead of refusing, and answers again when resumed."""
    cluster = fresh_cluster(size=1)
    [member] = cluster.members

    member.pause()
    with member.gateway(timeout_seconds=0.3) as gateway, pytest.raises(MemberTimeout):
        gateway.put(b"/local/paused", b"")
    member.resume()

    member.wait_until_healthy()


def test_member_that_is_killed_under_a_connection_is_unreachable(fresh_cluster: FreshCluster) -> None:
    """Whatever the end of it looks like to TLS: nobody was refused."""
    cluster = fresh_cluster(size=1)
    [member] = cluster.members

    with member.gateway() as gateway:
        gateway.put(b"/local/killed", b"before")
        member.kill()
        for _ in range(3):  # over the old connection, then over new ones
            with pytest.raises(MemberUnreachable):
                gateway.put(b"/local/killed", b"after")


def test_stopping_waits_for_the_process_and_ends_a_paused_one_too(fresh_cluster: FreshCluster) -> None:
    """After stop there is no process any more, whatever state it was in."""
    cluster = fresh_cluster(size=1)
    [member] = cluster.members
    process = psutil.Process(member.pid)

    member.pause()
    member.stop()

    assert not member.is_running
    assert not process.is_running()


def test_certificate_that_expired_is_refused_until_it_is_renewed(fresh_cluster: FreshCluster) -> None:
    """Validity is the caller's to choose, and members pick up renewed certificates without a restart."""
    cluster = fresh_cluster(size=1)
    [member] = cluster.members
    now = datetime.now(UTC)

    cluster.authority.issue("server", valid_from=now - timedelta(minutes=30), valid_until=now - timedelta(minutes=1))
    with member.gateway() as gateway, pytest.raises(TlsRefused, match="expired"):
        gateway.put(b"/local/expired", b"")
    cluster.authority.issue("server")

    with member.gateway() as gateway:
        assert gateway.put(b"/local/renewed", b"") > 0


def test_member_that_cannot_start_says_why(fresh_cluster: FreshCluster) -> None:
    """The error of a member that ended early carries the end of its log and where the rest is."""
    with pytest.raises(MemberUnreachable) as raised:
        fresh_cluster(size=1, flags=("--trusted-ca-file=/no/such/ca.crt",))

    assert "/no/such/ca.crt" in str(raised.value.context["log"])
    assert "m1.log" in raised.value.next_step


def test_quota_is_the_one_asked_for(fresh_cluster: FreshCluster) -> None:
    """A small quota fills up: writes are refused and the member is no longer healthy."""
    cluster = fresh_cluster(size=1, quota_bytes=2 * 1024 * 1024)
    [member] = cluster.members

    with member.gateway() as gateway:
        has_filled_up = not all(has_room(gateway, b"/local/%d" % number, bytes(100_000)) for number in range(200))
        is_healthy = gateway.is_healthy()

    assert (has_filled_up, is_healthy) == (True, False)


OWNER = """
import os, sys, signal
from pathlib import Path
from etcd_dr.adapters.local_cluster import ClusterSettings, LocalCluster, find_etcd_binaries
binaries = next(each for each in find_etcd_binaries(os.environ) if each.version == sys.argv[2])
with LocalCluster(Path(sys.argv[1]), binaries=binaries, settings=ClusterSettings(size=1)) as cluster:
    print(cluster.members[0].pid, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_members_end_with_their_owner_however_it_ends(
    etcd_binaries: EtcdBinaries, tmp_path: Path, ending: signal.Signals
) -> None:
    """A demo or test run that is interrupted or killed outright leaves no etcd behind."""
    command = [sys.executable, "-c", OWNER, str(tmp_path), etcd_binaries.version]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        member = psutil.Process(int(owner.stdout.readline()))

        owner.send_signal(ending)

        owner.wait(20)
        _, alive = psutil.wait_procs([member], timeout=20)
        assert alive == []


@pytest.mark.matrix
@pytest.mark.every_etcd
def test_every_version_forms_takes_writes_and_grows_a_learner(fresh_cluster: FreshCluster) -> None:
    """What the other tests build on holds for each etcd version at hand."""
    cluster = fresh_cluster(name_prefix="node-")

    learner = cluster.add_learner()
    cluster.member("node-3").restart()

    members = members_by_name(cluster)
    assert members["learner"].get("isLearner") is True
    assert learner.is_running
    assert sorted(members) == ["learner", "node-1", "node-2", "node-3"]
