"""The operator as a process of its own, over a real etcd cluster and real stores."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from real.operator_process import DEADLINE_SECONDS, OperatorUnderTest
from real.peers.tcp_proxy import TcpProxy
from real.quiet_cron import cron_of_half_a_day_ago

METRICS = (
    'etcd_dr_restorable_points{cluster="prod",store="main"} 1.0',
    'etcd_dr_hashkv_match{cluster="prod",store="main"} 1.0',
    'etcd_dr_quorum_verdict{cluster="prod",verdict="held"} 1.0',
    'etcd_dr_snapshot_total{cluster="prod",result="success",store="main"} 1.0',
)


def has_all(metrics: str) -> bool:
    return all(line in metrics for line in METRICS)


def settings(cluster: LocalCluster, directory: Path, **more: object) -> dict[str, Any]:
    tls = cluster.client_tls
    return {
        "clusters": [
            {
                "name": "prod",
                "etcd": {
                    "endpoints": list(cluster.endpoints),
                    "cacert": str(tls.ca),
                    "cert": str(tls.certificate),
                    "key": str(tls.key),
                },
                "store": "main",
                "schedule": {"cron": cron_of_half_a_day_ago()},
                "health": {"interval": "1s"},
            }
        ],
        "stores": [{"name": "main", "directory": {"path": str(directory / "store")}}],
        "encryption": {"enabled": False},
        "scratch_dir": str(directory),
        "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "1s"},
        **more,
    }


@pytest.fixture
def start_operator(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], OperatorUnderTest]]:
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


def test_a_day_in_the_life(
    shared_cluster: LocalCluster,
    tmp_path: Path,
    start_operator: Callable[[dict[str, Any]], OperatorUnderTest],
) -> None:
    """It fills an empty store at once, proves the snapshot, says so in metrics, repeats nothing, and stops cleanly."""
    config = settings(shared_cluster, tmp_path)
    operator = start_operator(config)
    operator.wait_for(lambda: operator.of("snapshot.committed"), "snapshot")
    # The catalogue, the run and the health round each come in their own time, and a round may fall into an election.
    operator.wait_for(lambda: has_all(operator.get("/metrics")), "metrics of a saved cluster")

    assert operator.get("/healthz") == "scheduler: running\n"
    assert operator.get("/readyz") == "prod: looked at\n"
    assert operator.stop() == 0
    assert operator.events[-1]["event"] == "operator.stopped"

    second = start_operator(config)
    second.wait_for(lambda: len(second.of("operator.started")) == 2, "second start")
    second.wait_for(
        lambda: second.of("health.checked")[-1]["timestamp"] > second.of("operator.started")[1]["timestamp"], "round"
    )
    assert second.stop() == 0
    assert len(second.of("snapshot.committed")) == 1


def test_rotated_certificates_are_picked_up(
    fresh_cluster: Callable[..., LocalCluster],
    tmp_path: Path,
    start_operator: Callable[[dict[str, Any]], OperatorUnderTest],
) -> None:
    """Client files that are unusable at the start and good later need no restart."""
    cluster = fresh_cluster(size=1)
    config = settings(cluster, tmp_path)
    good = Path(str(config["clusters"][0]["etcd"]["cert"])).read_text()
    rotating = tmp_path / "client.crt"
    rotating.write_text("not a certificate\n")
    config["clusters"][0]["etcd"]["cert"] = str(rotating)
    operator = start_operator(config)
    operator.wait_for(lambda: operator.of("snapshot.failed"), "failed snapshot")
    operator.wait_for(lambda: operator.of("health.checked"), "round")

    rotating.write_text(good)

    def quorum_is_held() -> bool:
        return operator.of("health.checked")[-1]["quorum"] == "held-without-tolerance"

    operator.wait_for(quorum_is_held, "round with the new certificate")
    assert operator.stop() == 0


def test_a_stop_in_mid_upload_leaves_nothing_visible(
    fresh_cluster: Callable[..., LocalCluster],
    tcp_proxy: Callable[[int], TcpProxy],
    tmp_path: Path,
    start_operator: Callable[[dict[str, Any]], OperatorUnderTest],
) -> None:
    """SIGTERM while a member's stream stands still: the upload is aborted and the process ends within its grace."""
    cluster = fresh_cluster(size=1)
    gateway = cluster.gateway()
    for number in range(30):
        gateway.put_through(b"/large/%d" % number, os.urandom(200_000))
    proxy = tcp_proxy(int(cluster.endpoints[0].rpartition(":")[2]))
    proxy.stall_after(3_000_000)
    config = settings(cluster, tmp_path)
    config["clusters"][0]["etcd"]["endpoints"] = [proxy.endpoint]
    config["clusters"][0]["health"]["interval"] = "1h"
    operator = start_operator(config)
    operator.wait_for(lambda: proxy.bytes_to_client >= 3_000_000, "stream under way")

    assert operator.stop() == 0
    assert not list((tmp_path / "store").rglob("manifest.json"))
    assert not operator.of("snapshot.committed")


def test_a_wrong_key_is_told_at_the_start(
    shared_cluster: LocalCluster, tmp_path: Path, start_operator: Callable[[dict[str, Any]], OperatorUnderTest]
) -> None:
    """Not tonight at three."""
    operator = start_operator(settings(shared_cluster, tmp_path, encryption={"recipients": ["age1nonsense"]}))

    assert operator.process.wait(timeout=DEADLINE_SECONDS) == 78
    assert "recipient" in operator.log_file.read_text()
