"""Two operators over a real API server, a real etcd and a real S3 server: who leads, who follows, and what is stored."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.kubernetes.client import open_api
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.adapters.local_cluster.child import stand_still
from etcd_dr.domain.slot import MAX_DECISION_BYTES, SlotDecision
from etcd_dr.domain.snapshot import ClusterLayout
from real.operator_process import OperatorUnderTest
from real.peers.kube_apiserver import KubeApiserver
from real.peers.s3_server import ADMIN
from real.peers.tcp_proxy import TcpProxy
from real.peers.weed import WeedS3
from real.quiet_cron import cron_of_half_a_day_ago
from real.store_settings import key_files, open_bucket, s3_settings

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.timeout(600),  # slots of a minute, leases that run out, and an API server to start, on a busy machine
]

QUICK = {"duration": "15s", "renew_deadline": "8s", "retry_period": "1s", "request_timeout": "3s", "claim_life": "30s"}
"""Shorter than any installation has them, and long enough that an API server which is merely slow costs no lease."""
AFTER_A_KILL_SECONDS = 15 - 8
"""A lease that its holder had just renewed, or could not renew for as long as it may lead, is not taken before this."""

LONG = QUICK | {"duration": "90s", "renew_deadline": "60s"}
AT_ONCE_SECONDS = 90 - 60
"""Whoever is not told that a lease of `LONG` was let go waits for longer than this, by the same reckoning."""


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
        self.quiet_cron = cron_of_half_a_day_ago()
        self.replicas: list[OperatorUnderTest] = []

    def replica(
        self,
        name: str,
        *,
        clusters: int = 1,
        cron: str = "",
        endpoint: str = "",
        leases: dict[str, str] | None = None,
    ) -> OperatorUnderTest:
        place = self.directory / name
        place.mkdir()
        config = self._config(place, clusters, cron or self.quiet_cron, endpoint or self.etcd.endpoints[0])
        config["kubernetes"]["leases"] = leases or QUICK
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

    def decisions(self, cluster: str = "prod") -> list[SlotDecision]:
        """Return which snapshot was settled on for which slot, oldest first."""
        layout = ClusterLayout("", cluster)
        store = open_bucket(self.settings)
        try:
            keys = [each.key for each in store.list(layout.claims) if each.key.endswith("/decision.json")]
            bodies = [store.get(key, limit_bytes=MAX_DECISION_BYTES) for key in sorted(keys)]
            return [SlotDecision.model_validate_json(body) for body in bodies]
        finally:
            store.close()

    def snapshots_with_anything(self) -> set[str]:
        """Return the ids of which the bucket holds an object or a part of one.

        Folders are not asked for: the server shows an emptied one for as long as it likes.
        """
        prefix = ClusterLayout("", "prod").snapshots
        store = open_bucket(self.settings)
        try:
            keys = [each.key for each in (*store.list(prefix), *store.unfinished_uploads(prefix))]
            return {key.removeprefix(prefix).partition("/")[0] for key in keys}
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
    with suppress(OSError, IndexError):
        return "survival mode" in replica.get("/readyz") and "etcd_dr_survival_mode 1.0" in replica.get("/metrics")
    return False


def leads_by_leases(*replicas: OperatorUnderTest) -> bool:
    """Whether one of these leads their one cluster, and all of them have started and have leases to be had."""
    have_started = all(replica.of("operator.started") for replica in replicas)
    return have_started and sum(map(led, replicas)) == 1 and not any(map(survives, replicas))


FOUR = ("prod", "prod-1", "prod-2", "prod-3")


def two_that_share(rig: Rig, leases: dict[str, str]) -> tuple[OperatorUnderTest, OperatorUnderTest]:
    """Return two replicas that lead two clusters each, once each cluster has its first snapshot."""
    a = rig.replica("a", clusters=4, leases=leases)
    a.wait_for(lambda: led(a) == 4, "leader of all")
    b = rig.replica("b", clusters=4, leases=leases)
    b.wait_for(lambda: (led(a), led(b)) == (2, 2), "fair spread")
    b.wait_for(lambda: all(rig.manifests(name) for name in FOUR), "first snapshots", every=0.5)
    return a, b


def test_clusters_of_a_killed_replica_are_taken_over_after_its_lease(rig: Rig) -> None:
    """A second replica gets half, and all of them when the first one is gone, but not while that could still lead."""
    a, b = two_that_share(rig, QUICK)

    begun = time.monotonic()
    a.process.kill()
    a.process.wait()
    b.wait_for(lambda: led(b) == 4, "take-over")

    assert time.monotonic() - begun > AFTER_A_KILL_SECONDS
    assert b.stop() == 0
    assert [len(rig.manifests(name)) for name in FOUR] == [1, 1, 1, 1], "the first slot was taken once, whoever led"


def test_clusters_of_a_stopped_replica_are_handed_over_at_once(rig: Rig) -> None:
    """It lets go of its leases when it ends, so that nobody waits for them to run out."""
    a, b = two_that_share(rig, LONG)

    begun = time.monotonic()
    a.process.send_signal(signal.SIGTERM)
    b.wait_for(lambda: led(b) == 4, "hand-over")

    assert time.monotonic() - begun < AT_ONCE_SECONDS
    assert a.process.wait(timeout=40) == 0
    assert b.stop() == 0
    assert [len(rig.manifests(name)) for name in FOUR] == [1, 1, 1, 1], "the first slot was taken once, whoever led"


def test_a_leader_stopped_in_its_tracks_in_mid_upload_makes_no_second_snapshot(
    rig: Rig, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """SIGSTOP while the stream runs, another one takes over and saves, SIGCONT: the slot has one snapshot."""
    gateway = rig.etcd.gateway()
    for number in range(30):
        gateway.put_through(b"/large/%d" % number, os.urandom(200_000))
    proxy = tcp_proxy(int(rig.etcd.endpoints[0].rpartition(":")[2]))
    proxy.stall_after(3_000_000)
    a = rig.replica("a", endpoint=proxy.endpoint)
    a.wait_for(lambda: a.of("leadership.begun"), "leader")
    b = rig.replica("b")  # while the stream begins: it must not be given up before the second one is there
    a.wait_for(lambda: proxy.bytes_to_client >= 3_000_000, "stream under way")
    b.wait_for(lambda: b.of("operator.started"), "second replica")

    stand_still(a.process)
    b.wait_for(lambda: b.of("snapshot.committed"), "snapshot of the second replica")
    proxy.heal()
    a.process.send_signal(signal.SIGCONT)
    a.wait_for(lambda: a.of("snapshot.failed") or a.of("slot.lost"), "end of the first replica's run")

    [manifest] = rig.manifests()
    a.wait_for(lambda: rig.snapshots_with_anything() == {manifest["id"]}, "end of what it had begun", every=0.5)
    assert manifest["fencing"] > a.of("leadership.begun")[0]["fencing"]
    assert not a.of("snapshot.committed")
    assert (a.stop(), b.stop()) == (0, 0)


def test_an_api_server_that_hangs_is_survived_like_a_dead_one(rig: Rig) -> None:
    """It accepts connections and answers nothing: nobody leads on, both say so, and the leases come back."""
    a, b = rig.replica("a"), rig.replica("b")
    a.wait_for(lambda: leads_by_leases(a, b) and rig.manifests(), "leader, and its first snapshot", every=0.5)

    rig.api.pause()
    a.wait_for(lambda: survives(a) and survives(b), "survival mode", every=0.5)
    led_in_silence = led(a) + led(b)
    rig.api.resume()
    a.wait_for(lambda: leads_by_leases(a, b), "leases", every=0.5)

    assert led_in_silence == 0
    assert len(rig.manifests()) == 1
    assert (a.stop(), b.stop()) == (0, 0)


def test_the_api_server_dies_and_scheduled_slots_go_on_once_each(rig: Rig) -> None:
    """Survival mode is seen on both replicas, each slot has one snapshot, and the leases come back."""
    a = rig.replica("a", cron="* * * * *")
    b = rig.replica("b", cron="* * * * *")
    a.wait_for(lambda: leads_by_leases(a, b) and rig.manifests(), "first snapshot", every=0.5)

    rig.api.kill()
    died_at = datetime.now(UTC)
    for replica in (a, b):
        replica.wait_for(lambda replica=replica: survives(replica), "survival mode", every=0.5)  # type: ignore[misc]  # bound at once
    survived = datetime.now(UTC)
    a.wait_for(lambda: slots_since(rig, survived) >= 1, "a slot without the API", seconds=100, every=2)
    during_the_outage = slots_since(rig, died_at)
    rig.api.start()
    a.wait_for(lambda: leads_by_leases(a, b), "leases", every=0.5)
    back = datetime.now(UTC)
    # A slot that fell due a moment before may still be worked on without a lease; then it is the one after it.
    a.wait_for(lambda: slots_since(rig, back, led=True) >= 1, "a slot under a lease", seconds=160, every=2)
    assert (a.stop(), b.stop()) == (0, 0)

    manifests, decisions = rig.manifests(), rig.decisions()
    assert sorted(each.manifest.id for each in decisions) == sorted(each["id"] for each in manifests), "one for a slot"
    assert during_the_outage >= 1
    assert None in [each["fencing"] for each in manifests]
    assert len(a.of("snapshot.committed")) + len(b.of("snapshot.committed")) == len(manifests)
    # A snapshot that came late for its slot is one for the slot after it, too, if that had begun.
    taken = {datetime.fromisoformat(each["taken_at"]).replace(second=0, microsecond=0) for each in manifests}
    served = sorted(taken | {each.slot for each in decisions})
    assert {later - earlier for earlier, later in pairwise(served)} == {timedelta(minutes=1)}, "no slot was missed"


def slots_since(rig: Rig, moment: datetime, *, led: bool = False) -> int:
    """Return how many snapshots were taken since then; with `led` only those under a lease."""
    since = [each for each in rig.manifests() if datetime.fromisoformat(each["taken_at"]) > moment]
    return sum(1 for each in since if each["fencing"] is not None or not led)
