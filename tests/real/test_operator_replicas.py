"""Two operators over a real API server, a real etcd and a real S3 server: who leads, who follows, and what is stored."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.kubernetes.client import open_api
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.domain.snapshot import ClusterLayout
from real.operator_process import OperatorUnderTest
from real.peers.kube_apiserver import KubeApiserver
from real.peers.s3_server import ADMIN
from real.peers.tcp_proxy import TcpProxy
from real.peers.weed import WeedS3
from real.store_settings import key_files, open_bucket, s3_settings

pytestmark = pytest.mark.matrix

FAST = {"duration": "6s", "renew_deadline": "3s", "retry_period": "1s", "request_timeout": "1s", "claim_life": "30s"}
TAKE_OVER_SECONDS = 6 + 1 + 5  # the lease, a round, and a machine that has other things to do


class Rig:
    """What all replicas share, and the replicas."""

    def __init__(self, directory: Path, etcd: LocalCluster, api: KubeApiserver, s3: WeedS3, bucket: str) -> None:
        self.directory = directory
        self.etcd = etcd
        self.api = api
        self.bucket = bucket
        self.settings = s3_settings(s3, bucket, directory / "keys")
        self.keys = key_files(directory / "keys", ADMIN)
        self.kubeconfig = _service_account(api)
        self.replicas: list[OperatorUnderTest] = []

    def replica(
        self, name: str, *, clusters: int = 1, cron: str = "0 3 * * *", endpoint: str = ""
    ) -> OperatorUnderTest:
        place = self.directory / name
        place.mkdir()
        config = self._config(place, clusters, cron, endpoint or self.etcd.endpoints[0])
        self.replicas.append(OperatorUnderTest(place, config))
        return self.replicas[-1]

    def manifests(self, cluster: str = "prod") -> list[dict[str, Any]]:
        """Return the manifests that the bucket holds, oldest first."""
        layout = ClusterLayout("", cluster)
        store = open_bucket(self.settings)
        try:
            keys = [each.key for each in store.list(layout.snapshots) if each.key.endswith("/manifest.json")]
            return [json.loads(store.get(key, limit_bytes=1 << 20)) for key in sorted(keys)]
        finally:
            store.close()

    def folders(self) -> list[str]:
        store = open_bucket(self.settings)
        try:
            return list(store.list_folders(ClusterLayout("", "prod").snapshots))
        finally:
            store.close()

    def _config(self, place: Path, clusters: int, cron: str, endpoint: str) -> dict[str, Any]:
        tls = self.etcd.client_tls
        etcd = {"endpoints": [endpoint], "cacert": str(tls.ca), "cert": str(tls.certificate), "key": str(tls.key)}
        names = ["prod", *(f"prod-{number}" for number in range(1, clusters))]
        s3 = {
            "bucket": self.bucket,
            "endpoint": self.settings.endpoint,
            "access_key_file": str(self.keys.access_key_file),
            "secret_key_file": str(self.keys.secret_key_file),
        }
        return {
            "clusters": [
                {"name": name, "etcd": etcd, "store": "main", "schedule": {"cron": cron}, "health": {"interval": "5s"}}
                for name in names
            ],
            "stores": [{"name": "main", "s3": s3}],
            "encryption": {"enabled": False},
            "scratch_dir": str(place),
            "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "5s", "snapshot_workers": 1},
            "kubernetes": {
                "kubeconfig": str(self.kubeconfig),
                "namespace": "default",
                "requests": False,
                "records": 0,
                "leases": FAST,
            },
        }


def _service_account(server: KubeApiserver) -> Path:
    """Make an account that may do with leases what the chart's Role allows, and nothing else; return its kubeconfig."""
    api = open_api(kubeconfig=server.admin_kubeconfig, namespace="default")
    metadata = {"name": "etcd-dr"}
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    verbs = ["get", "list", "create", "update"]
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "etcd-dr"}
    subject = {"kind": "ServiceAccount", "name": "etcd-dr", "namespace": "default"}
    try:
        api.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": metadata})
        api.create(f"{rbac}/roles", {"metadata": metadata, "rules": [rule]})
        api.create(f"{rbac}/rolebindings", {"metadata": metadata, "roleRef": role, "subjects": [subject]})
    finally:
        api.close()
    return server.service_account_kubeconfig("default", "etcd-dr")


@pytest.fixture
def rig(
    tmp_path: Path,
    fresh_cluster: Callable[..., LocalCluster],
    fresh_kube_apiserver: Callable[[], KubeApiserver],
    s3_server: WeedS3,
    s3_bucket: str,
) -> Iterator[Rig]:
    rig = Rig(tmp_path, fresh_cluster(size=1), fresh_kube_apiserver(), s3_server, s3_bucket)
    yield rig
    for replica in rig.replicas:
        if replica.process.poll() is None:
            for number in (signal.SIGCONT, signal.SIGKILL):
                os.kill(replica.process.pid, number)
            replica.process.wait()


def led(replica: OperatorUnderTest) -> int:
    """Return how many clusters a replica says that it leads; 0 before it says anything."""
    with suppress(OSError, IndexError):
        return len(re.findall(r"^etcd_dr_leader\{.*\} 1\.0$", replica.get("/metrics"), re.MULTILINE))
    return 0


def survives(replica: OperatorUnderTest) -> bool:
    return "survival mode" in replica.get("/readyz") and "etcd_dr_survival_mode 1.0" in replica.get("/metrics")


def seconds_until(condition: Callable[[], object], replica: OperatorUnderTest, what: str) -> float:
    begun = time.monotonic()
    replica.wait_for(condition, what)
    return time.monotonic() - begun


def test_clusters_are_spread_and_handed_over(rig: Rig) -> None:
    """A second replica gets half; a killed one is followed after its lease, a stopped one at once."""
    a = rig.replica("a", clusters=4)
    a.wait_for(lambda: led(a) == 4, "leader of all")
    b = rig.replica("b", clusters=4)
    b.wait_for(lambda: (led(a), led(b)) == (2, 2), "fair spread")

    a.process.kill()
    a.process.wait()
    after_a_kill = seconds_until(lambda: led(b) == 4, b, "take-over")

    c = rig.replica("c", clusters=4)
    c.wait_for(lambda: (led(b), led(c)) == (2, 2), "fair spread")
    b.process.send_signal(signal.SIGTERM)
    after_a_stop = seconds_until(lambda: led(c) == 4, c, "hand-over")

    assert b.process.wait(timeout=40) == 0
    assert 2 < after_a_kill < TAKE_OVER_SECONDS
    assert after_a_stop < 4
    assert c.stop() == 0
    for name in ("prod", "prod-1", "prod-2", "prod-3"):
        assert len(rig.manifests(name)) == 1, "the first slot was taken once, whoever led"


def test_a_leader_stopped_in_its_tracks_in_mid_upload_makes_no_second_snapshot(
    rig: Rig, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """SIGSTOP while the stream runs, another one takes over and saves, SIGCONT: the slot has one snapshot."""
    gateway = rig.etcd.gateway()
    for number in range(30):
        gateway.put(b"/large/%d" % number, os.urandom(200_000))
    proxy = tcp_proxy(int(rig.etcd.endpoints[0].rpartition(":")[2]))
    proxy.stall_after(3_000_000)
    a = rig.replica("a", endpoint=proxy.endpoint)
    a.wait_for(lambda: proxy.bytes_to_client >= 3_000_000, "stream under way")
    b = rig.replica("b")
    b.wait_for(lambda: b.of("operator.started"), "second replica")

    a.process.send_signal(signal.SIGSTOP)
    b.wait_for(lambda: b.of("snapshot.committed"), "snapshot of the second replica")
    proxy.heal()
    a.process.send_signal(signal.SIGCONT)
    a.wait_for(lambda: a.of("snapshot.failed") or a.of("slot.lost"), "end of the first replica's run")

    [manifest] = rig.manifests()
    assert rig.folders() == [manifest["id"]]
    assert manifest["fencing"] == 2
    assert not a.of("snapshot.committed")
    assert (a.stop(), b.stop()) == (0, 0)


def test_an_api_server_that_hangs_is_survived_like_a_dead_one(rig: Rig) -> None:
    """It accepts connections and answers nothing: nobody leads on, both say so, and the leases come back."""
    a, b = rig.replica("a"), rig.replica("b")
    a.wait_for(lambda: led(a) + led(b) == 1, "leader")

    rig.api.pause()
    a.wait_for(lambda: survives(a) and survives(b), "survival mode", every=0.5)
    led_in_silence = led(a) + led(b)
    rig.api.resume()
    a.wait_for(lambda: led(a) + led(b) == 1 and not survives(a) and not survives(b), "leases", every=0.5)

    assert led_in_silence == 0
    assert len(rig.manifests()) == 1
    assert (a.stop(), b.stop()) == (0, 0)


def test_the_api_server_dies_and_scheduled_slots_go_on_once_each(rig: Rig) -> None:
    """Survival mode is seen on both replicas, each slot has one snapshot, and the leases come back."""
    a = rig.replica("a", cron="* * * * *")
    b = rig.replica("b", cron="* * * * *")
    a.wait_for(lambda: led(a) + led(b) == 1 and rig.manifests(), "first snapshot", every=0.5)

    rig.api.kill()
    died_at = datetime.now(UTC)
    for replica in (a, b):
        replica.wait_for(lambda replica=replica: survives(replica), "survival mode", every=0.5)  # type: ignore[misc]  # bound at once
    survived = datetime.now(UTC)
    a.wait_for(lambda: slots_since(rig, survived) >= 1, "a slot without the API", seconds=100, every=2)
    during_the_outage = slots_since(rig, died_at)
    rig.api.start()
    a.wait_for(lambda: not survives(a) and not survives(b) and led(a) + led(b) == 1, "leases", every=0.5)
    back = datetime.now(UTC)
    a.wait_for(lambda: slots_since(rig, back) >= 1, "a slot under a lease", seconds=100, every=2)
    assert (a.stop(), b.stop()) == (0, 0)

    manifests = rig.manifests()
    per_slot = Counter(datetime.fromisoformat(each["taken_at"]).replace(second=0) for each in manifests)
    assert set(per_slot.values()) == {1}
    assert during_the_outage >= 1
    assert None in [each["fencing"] for each in manifests]
    assert manifests[-1]["fencing"] is not None
    assert len(a.of("snapshot.committed")) + len(b.of("snapshot.committed")) == len(manifests)
    gaps = [later - earlier for earlier, later in zip(sorted(per_slot), sorted(per_slot)[1:], strict=False)]
    assert max(gaps) <= timedelta(minutes=1), "no slot was missed"


def slots_since(rig: Rig, moment: datetime) -> int:
    return sum(1 for each in rig.manifests() if datetime.fromisoformat(each["taken_at"]) > moment)
