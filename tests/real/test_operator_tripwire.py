"""Keys vanish from a real etcd under a real operator, and what was there is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.local_cluster.gateway import EtcdGateway, encoded
from real.operator_process import OperatorUnderTest
from real.quiet_cron import cron_of_half_a_day_ago
from scenarios.command_line import CommandLine

KEYS = 3000
BATCH = 100


@pytest.fixture
def operator_of(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], OperatorUnderTest]]:
    running: list[OperatorUnderTest] = []
    (tmp_path / "store").mkdir()

    def start(config: dict[str, Any]) -> OperatorUnderTest:
        running.append(OperatorUnderTest(tmp_path, config))
        return running[-1]

    yield start
    for operator in running:
        if operator.process.poll() is None:
            os.kill(operator.process.pid, signal.SIGKILL)
            operator.process.wait()


def settings(cluster: LocalCluster, directory: Path) -> dict[str, Any]:
    tls = cluster.client_tls
    return {
        "clusters": [
            {
                "name": "prod",
                "store": "main",
                "etcd": {
                    "endpoints": list(cluster.endpoints),
                    "cacert": str(tls.ca),
                    "cert": str(tls.certificate),
                    "key": str(tls.key),
                },
                "schedule": {"cron": cron_of_half_a_day_ago()},
                "retention": {"keep_last": 1},
                "health": {"interval": "1s"},
                "tripwire": {"interval": "1s"},
            }
        ],
        "stores": [{"name": "main", "directory": {"path": str(directory / "store")}}],
        "encryption": {"enabled": False},
        "scratch_dir": str(directory),
        "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "1s"},
    }


def fill(gateway: EtcdGateway) -> None:
    """Write keys as Kubernetes names them, many in one transaction."""
    for first in range(0, KEYS, BATCH):
        puts = [
            {"requestPut": {"key": encoded(b"/registry/pods/default/%05d" % number), "value": encoded(b"x" * 200)}}
            for number in range(first, first + BATCH)
        ]
        gateway.call("/v3/kv/txn", {"success": puts})


def says_what_vanished(metrics: str) -> bool:
    return (
        'etcd_dr_finding{cluster="prod",code="data.mass_deletion"' in metrics
        and 'etcd_dr_mass_deletion{cluster="prod",store="main"} 1.0' in metrics
        and f'etcd_dr_mass_deletion_keys_before{{cluster="prod",store="main"}} {KEYS}.0' in metrics
    )


def test_mass_deletion_is_kept_told_and_acknowledged(
    fresh_cluster: Callable[..., LocalCluster],
    tmp_path: Path,
    operator_of: Callable[[dict[str, Any]], OperatorUnderTest],
) -> None:
    """Pinned and saved within seconds; retention leaves it; the command sees it; taking the pin away ends it."""
    cluster = fresh_cluster(size=1)
    with cluster.gateway() as gateway:
        fill(gateway)
        operator = operator_of(settings(cluster, tmp_path))
        operator.wait_for(lambda: operator.of("snapshot.committed"), "snapshot")
        operator.wait_for(lambda: "etcd_dr_keys{" in operator.get("/metrics"), "count")
        first, last = encoded(b"/registry/pods/"), encoded(b"/registry/pods0")
        gateway.call("/v3/kv/deleterange", {"key": first, "range_end": last})

    operator.wait_for(lambda: len(operator.of("snapshot.committed")) == 2, "snapshot of what is left")
    # The tripwire and the health round each come in their own time.
    operator.wait_for(lambda: says_what_vanished(operator.get("/metrics")), "metrics and finding of it")
    [tripped] = operator.of("tripwire.tripped")
    good, left = (told["snapshot_id"] for told in operator.of("snapshot.committed"))
    command = CommandLine(tmp_path)
    health = command("health", "-o", "json")
    pruned = command("snapshot", "prune", "--yes", "-o", "json")
    kept = command("snapshot", "list", "-o", "json")
    acknowledged = command("snapshot", "unpin", good, "--yes")
    operator.wait_for(
        lambda: 'etcd_dr_mass_deletion{cluster="prod",store="main"} 0.0' in operator.get("/metrics"), "end of it"
    )

    assert (tripped["keys_before"], tripped["keys_after"], tripped["pinned"]) == (KEYS, 0, good)
    [finding] = [f for f in health.document["findings"] if f["code"] == "data.mass_deletion"]
    assert health.status == 2
    assert (finding["evidence"]["pinned_id"], finding["evidence"]["next_id"]) == (good, left)
    assert pruned.status == 0, pruned.err
    assert {snapshot["id"] for snapshot in kept.document["snapshots"]} == {good, left}
    assert acknowledged.status == 0, acknowledged.err
    assert operator.stop() == 0
