"""The reader against living etcd members: what it says of a file is what etcd says of itself.

Everything here happens under load: puts up to a quarter megabyte, deletes, transactions, leases, compactions.
The triple (revision, compact revision, hash) comes from each member's HashKV; the file must answer with the same hash
at the member's own compact revision, whichever member the file came from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.local_cluster.gateway import encoded
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.boltdb import examine, hash_kv
from etcd_dr.domain.database import Examination
from etcd_dr.errors import EtcdError, RevisionUnavailable
from etcd_dr.ports.etcd import EtcdMember
from real.peers.etcd_tools import StockTools
from real.peers.load_writer import LoadWriter

SECONDS = 30.0
KEPT_REVISIONS = 1000
"""Seconds of the load: a pause of the machine does not compact away what is about to be asked."""
FreshCluster = Callable[..., LocalCluster]
NewWriter = Callable[..., LoadWriter]


@contextlib.contextmanager
def members_of(cluster: LocalCluster) -> Iterator[list[EtcdMember]]:
    tls = cluster.client_tls
    access = EtcdAccess(cluster.endpoints, ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)
    connector = GrpcEtcdConnector(access, clock=SystemClock())
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(connector.connect(endpoint))) for endpoint in cluster.endpoints]


def live_key_count(cluster: LocalCluster, revision: int) -> int:
    everything = {"key": encoded(b"\0"), "range_end": encoded(b"\0"), "count_only": True, "revision": str(revision)}
    with cluster.gateway() as gateway:
        return int(gateway.call("/v3/kv/range", everything).get("count", 0))


def assert_status_is_etcds_own(examination: Examination, path: Path, tools: StockTools) -> None:
    theirs, ours = tools.snapshot_status(path), examination.status

    assert examination.is_intact, examination.findings
    assert ours is not None
    assert (ours.status_hash, ours.revision, ours.total_size_bytes) == (
        theirs["hash"],
        theirs["revision"],
        theirs["totalSize"],
    )
    counts_live_keys = tools.binaries.release >= (3, 6)
    assert theirs["totalKey"] == (ours.live_key_count if counts_live_keys else ours.record_count)
    assert (ours.storage_version or "") == theirs.get("version", "")


def compared(path: Path, members: list[EtcdMember], revision: int) -> int:
    """Compare the file with every member at one revision; return how many answers could be compared."""
    count = 0
    for member in members:
        try:
            theirs = member.hash_kv(revision=revision, deadline=SECONDS)
        except RevisionUnavailable:
            continue  # compacted meanwhile; the next round asks for a later one
        assert hash_kv(path, revision=theirs.revision, compact_revision=theirs.compact_revision) == theirs
        count += 1
    return count


def prove_under_load(
    cluster: LocalCluster, tools: StockTools, writers: Callable[..., LoadWriter], directory: Path, *, rounds: int
) -> int:
    """Take snapshots of all members in turn under load, and hold each against etcdutl and all members."""
    comparisons = 0
    load = writers(cluster, seed=7, keeps=KEPT_REVISIONS)
    writers(cluster, seed=8)
    load.wait_until_compacted()
    with members_of(cluster) as members:
        for number in range(rounds):
            load.wait_for(60)
            path = tools.save_snapshot(cluster, directory / f"{number}.db", member=number % len(members))
            examination = examine(path, with_hash_kv=True, check_trailer=True)
            status = examination.status
            assert status is not None
            comparisons += compared(path, members, status.current_revision)
            comparisons += compared(path, members, status.current_revision - 20)
            assert_status_is_etcds_own(examination, path, tools)
            assert status.hash_kv == hash_kv(path)
            with contextlib.suppress(EtcdError):  # compacted meanwhile
                assert status.live_key_count == live_key_count(cluster, status.current_revision)
            if number == rounds // 2:
                tools.etcdctl(cluster, "defrag", endpoints=cluster.endpoints[:1])
    return comparisons


def test_file_agrees_with_every_member_under_load(
    fresh_cluster: FreshCluster, stock_tools: StockTools, load_writer: NewWriter, tmp_path: Path
) -> None:
    """Hash, revision, sizes, both key counts and HashKV equal etcd's own answers while everything moves."""
    cluster = fresh_cluster()

    comparisons = prove_under_load(cluster, stock_tools, load_writer, tmp_path, rounds=4)

    assert comparisons >= 8


@pytest.mark.matrix
@pytest.mark.every_etcd
def test_file_agrees_with_every_member_of_every_version(
    fresh_cluster: FreshCluster, stock_tools: StockTools, load_writer: NewWriter, tmp_path: Path
) -> None:
    """The same for each etcd at hand, and for longer."""
    cluster = fresh_cluster()

    comparisons = prove_under_load(cluster, stock_tools, load_writer, tmp_path, rounds=12)

    assert comparisons >= 30


@pytest.mark.every_etcd
def test_compaction_under_way_does_not_change_the_answer(
    fresh_cluster: FreshCluster, stock_tools: StockTools, tmp_path: Path
) -> None:
    """A file taken while a compaction has removed only some records hashes like the members afterwards."""
    release = stock_tools.binaries.release
    prefix = "" if release >= (3, 6) else "experimental-"
    # 3.4 compacts a thousand records at a time and rests a tenth of a second; later ones can be told to be slower.
    slow = (f"--{prefix}compaction-batch-limit=10", f"--{prefix}compaction-sleep-interval=1s")
    flags = () if release < (3, 5) else slow
    written = 60_000 if release < (3, 5) else 600  # many seconds of compaction; the stream begins within milliseconds
    cluster = fresh_cluster(size=1, flags=flags)
    path = tmp_path / "half-compacted.db"
    with cluster.gateway() as gateway, members_of(cluster) as [member]:
        member.status(deadline=SECONDS)  # connected by now: nothing is to be started while the compaction runs
        for number in range(0, written, 100):
            puts = [
                {"requestPut": {"key": encoded(b"/key/%d" % (n % 40)), "value": ""}} for n in range(number, number + 40)
            ]
            for start in range(0, 100, 40):
                gateway.call("/v3/kv/txn", {"success": puts[: 100 - start]})
        revision = gateway.put(b"/key/1", b"last")
        gateway.call("/v3/kv/deleterange", {"key": encoded(b"/key/2")})

        gateway.call("/v3/kv/compaction", {"revision": str(revision), "physical": False})
        with member.snapshot(stall_deadline=30, total_deadline=60) as stream:
            path.write_bytes(b"".join(chunk.blob for chunk in stream))
        theirs = member.hash_kv(revision=revision + 1, deadline=SECONDS)

    status = examined(path)
    assert status.compact_revision == revision
    assert (status.finished_compact_revision or 0) < revision, "the compaction was over before the snapshot began"
    assert hash_kv(path, revision=theirs.revision, compact_revision=theirs.compact_revision) == theirs


@pytest.mark.every_etcd
def test_members_alarms_and_leases_are_read_as_etcd_reports_them(
    fresh_cluster: FreshCluster, stock_tools: StockTools, tmp_path: Path
) -> None:
    """The small buckets of a real file parse, and say what the cluster says."""
    cluster = fresh_cluster(size=1)
    path = tmp_path / "small.db"
    with cluster.gateway() as gateway:
        member_id = int(gateway.call("/v3/maintenance/status", {})["header"]["member_id"])
        gateway.put(b"/small", b"")  # 3.4 notes its raft position with the first write only
        gateway.call("/v3/lease/grant", {"TTL": "3600", "ID": "77"})
        gateway.call("/v3/lease/grant", {"TTL": "3600", "ID": str((1 << 62) + 1)})
        gateway.call("/v3/maintenance/alarm", {"action": "ACTIVATE", "memberID": str(member_id), "alarm": "NOSPACE"})
        listed: list[dict[str, Any]] = gateway.call("/v3/cluster/member/list", {})["members"]

    stock_tools.save_snapshot(cluster, path)

    status = examined(path)
    [member] = status.members
    assert (member.id, member.name, list(member.peer_urls)) == (member_id, listed[0]["name"], listed[0]["peerURLs"])
    assert [(alarm.member_id, alarm.kind) for alarm in status.alarms] == [(member_id, "NOSPACE")]
    assert status.lease_count == 2
    assert status.consistent_index
    assert not status.auth_enabled


def examined(path: Path) -> Any:
    examination = examine(path, check_trailer=True)
    assert examination.is_intact, examination.findings
    return examination.status
