"""The operator under its own service account: requests by the real API, over a real etcd and a real store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from real.kube_site import KubeSite, make_site
from real.operator_process import OperatorUnderTest
from real.peers.kube_apiserver import KubeApiserver
from real.peers.load_writer import LoadWriter
from real.peers.tcp_proxy import TcpProxy
from scenarios.documented_json import differences, examples

pytestmark = pytest.mark.matrix

LEASES = {
    "duration": "30s",
    "renew_deadline": "15s",
    "retry_period": "1s",
    "request_timeout": "5s",
    "claim_life": "30s",
}
SHORT_LEASES = LEASES | {"duration": "12s", "renew_deadline": "6s", "request_timeout": "2s"}
Start = Callable[..., OperatorUnderTest]


@pytest.fixture
def start_operator(tmp_path: Path) -> Iterator[Start]:
    running: list[OperatorUnderTest] = []
    (tmp_path / "store").mkdir()

    def start(config: dict[str, Any], *, name: str = "one") -> OperatorUnderTest:
        place = tmp_path / name
        place.mkdir()
        running.append(OperatorUnderTest(place, {**config, "scratch_dir": str(place)}))
        return running[-1]

    yield start
    for operator in running:
        if operator.process.poll() is None:
            os.kill(operator.process.pid, signal.SIGKILL)
            operator.process.wait()


@pytest.fixture
def make_kube_site(stock_program: Callable[[str], Path]) -> Iterator[Callable[[KubeApiserver, str], KubeSite]]:
    made: list[KubeSite] = []

    def make(server: KubeApiserver, namespace: str) -> KubeSite:
        made.append(make_site(server, namespace, stock_program=stock_program))
        return made[-1]

    yield make
    for site in made:
        site.admin.close()
        site.account.close()


def settings(site: KubeSite, etcd: LocalCluster, directory: Path, *, endpoint: str = "") -> dict[str, Any]:
    tls = etcd.client_tls
    return {
        "clusters": [
            {
                "name": "prod",
                "etcd": {
                    "endpoints": [endpoint or etcd.endpoints[0]],
                    "cacert": str(tls.ca),
                    "cert": str(tls.certificate),
                    "key": str(tls.key),
                },
                "store": "main",
                "health": {"interval": "5s"},
            }
        ],
        "stores": [{"name": "main", "directory": {"path": str(directory / "store")}}],
        "encryption": {"enabled": False},
        "operator": {"listen": "127.0.0.1:0", "catalogue_interval": "2s"},
        "tools": {"directories": [str(etcd.binaries.etcd.parent)]},
        "kubernetes": {"kubeconfig": str(site.kubeconfig), "resync": "5s", "records": 2, "leases": LEASES},
    }


def phase_is(*phases: str) -> Callable[[dict[str, Any]], object]:
    return lambda status: status.get("phase") in phases


def conditions(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in document["status"]["conditions"]}


def test_a_day_of_requests(
    kube_apiserver: KubeApiserver,
    kube_namespace: str,
    make_kube_site: Callable[[KubeApiserver, str], KubeSite],
    fresh_cluster: Callable[..., LocalCluster],
    tmp_path: Path,
    start_operator: Start,
) -> None:
    """Snapshots and drills asked for by kubectl's user are answered; records follow the store; nothing else is touched."""
    site, etcd = make_kube_site(kube_apiserver, kube_namespace), fresh_cluster(size=1)
    operator = start_operator(settings(site, etcd, tmp_path))

    # A snapshot, with its status, its conditions, and a word for each step.
    site.request("EtcdSnapshot", "before-upgrade", note="1.34 to 1.35", pin=True)
    done = site.wait_for("etcdsnapshots", "before-upgrade", phase_is("Completed", "Failed", "Refused"))
    status = done["status"]
    assert status["phase"] == "Completed", status
    assert conditions(done) == {
        "Accepted": ("True", "Admitted"),
        "Stored": ("True", "Committed"),
        "Proven": ("True", "Consistent"),
        "Failed": ("False", "Completed"),
    }
    assert status["revision"] >= 1
    assert status["sizeBytes"] > 0
    assert status["store"] == "main"
    assert status["pinned"] is True
    assert {each["level"]: each["result"] for each in status["proofs"]} == {
        "stored": "passed",
        "intact": "passed",
        "consistent": "passed",
    }
    folder = tmp_path / "store" / "v1" / "prod" / "snapshots" / status["snapshotID"]
    assert (folder / "manifest.json").exists()
    assert (folder / "pin.json").exists()
    # The status comes first, then the word about it.
    operator.wait_for(lambda: len(reasons(site, "before-upgrade")) >= 2, "events")
    assert reasons(site, "before-upgrade") == ["Completed", "Started"]

    # As docs/kubernetes.md says it.
    site.kubectl("wait", "--for=jsonpath={.status.phase}=Completed", "esnap/before-upgrade", "--timeout=10s")
    site.kubectl("wait", "--for=condition=Proven", "esnap/before-upgrade", "--timeout=10s")
    assert "carried out by" in site.kubectl("describe", "esnap", "before-upgrade")
    assert status["snapshotID"] in site.kubectl("get", "etcd-dr", "-o", "wide")

    # A wish that cannot be carried out says why.
    site.request("EtcdSnapshot", "elsewhere", cluster="staging")
    refused = site.wait_for("etcdsnapshots", "elsewhere", phase_is("Refused"))
    assert conditions(refused)["Accepted"] == ("False", "UnknownCluster")
    assert "prod" in refused["status"]["error"]["message"]

    # A drill, with what it measured.
    site.request("EtcdDrill", "rehearsal")
    drilled = site.wait_for("etcddrills", "rehearsal", phase_is("Completed", "Failed", "Refused"))
    assert drilled["status"].get("result") == "passed", drilled
    assert drilled["status"]["rtoSeconds"] > 0
    assert drilled["status"]["snapshotID"] == status["snapshotID"]

    # A request that has had its time goes, and becomes a record; deleting that one makes it come back.
    site.request("EtcdSnapshot", "short", ttlSecondsAfterFinished=1)
    operator.wait_for(lambda: any(each.startswith("prod-") for each in site.names("etcdsnapshots")), "record")
    assert "short" not in site.names("etcdsnapshots")
    [record] = [each for each in site.names("etcdsnapshots") if each.startswith("prod-")]
    shown = site.wait_for("etcdsnapshots", record, phase_is("Completed"))
    assert shown["metadata"]["labels"]["etcd-dr.io/cluster"] == "prod"
    assert shown["status"]["proven"] == "consistent"
    assert record in site.kubectl("get", "esnap", "-l", "etcd-dr.io/cluster=prod", "--sort-by=.status.takenAt")
    site.admin.delete(site.path("etcdsnapshots", record))
    again = None
    operator.wait_for(lambda: record in site.names("etcdsnapshots"), "record again")
    again = site.wait_for("etcdsnapshots", record, phase_is("Completed"))
    assert again["metadata"]["uid"] != shown["metadata"]["uid"]
    assert len(list((folder.parent).iterdir())) == 2

    for line in (
        'etcd_dr_requests_followed{kind="EtcdSnapshot"} 1.0',
        'etcd_dr_requests_answered_total{cluster="prod",kind="EtcdDrill",phase="Completed"} 1.0',
    ):
        operator.wait_for(lambda line=line: line in operator.get("/metrics"), line)  # type: ignore[misc]
    assert not operator.of("requests.unheard")
    assert operator.stop() == 0


def test_an_api_that_dies_in_the_middle_of_a_request_gets_its_answer_later(
    fresh_kube_apiserver: Callable[[], KubeApiserver],
    make_kube_site: Callable[[KubeApiserver, str], KubeSite],
    fresh_cluster: Callable[..., LocalCluster],
    load_writer: Callable[..., LoadWriter],
    tcp_proxy: Callable[[int], TcpProxy],
    tmp_path: Path,
    start_operator: Start,
) -> None:
    """The snapshot is stored while the API is gone, and the status says so when it is back: once, and by nobody else."""
    server, etcd = fresh_kube_apiserver(), fresh_cluster(size=1)
    site = make_kube_site(server, "default")
    load_writer(etcd, seed=1).wait_for(1000, deadline_seconds=180)
    proxy = tcp_proxy(etcd.members[0].settings.client_port)
    config = settings(site, etcd, tmp_path, endpoint=proxy.endpoint)
    config["clusters"][0]["health"] = {"interval": "1h"}  # the one round at the start: no more bytes than are awaited
    config["kubernetes"]["leases"] = SHORT_LEASES
    operator = start_operator(config)
    operator.wait_for(lambda: operator.of("operator.started"), "start")
    operator.wait_for(lambda: operator.of("health.checked"), "round")

    proxy.stall_after(500_000)  # in the stream: what is asked beforehand is far less
    site.request("EtcdSnapshot", "now")
    site.wait_for("etcdsnapshots", "now", phase_is("Running"))
    operator.wait_for(lambda: proxy.bytes_to_client >= 500_000, "stream under way")
    server.kill()
    # The lease runs out, and nobody takes over: the work goes on all the same.
    operator.wait_for(lambda: "etcd_dr_survival_mode 1.0" in operator.get("/metrics"), "survival mode")
    proxy.heal()
    operator.wait_for(lambda: operator.of("snapshot.committed"), "snapshot", seconds=180)
    operator.wait_for(lambda: "etcd_dr_requests_unreported 1.0" in operator.get("/metrics"), "waiting answer")
    server.start()
    done = site.wait_for("etcdsnapshots", "now", phase_is("Completed", "Failed"))

    assert done["status"]["phase"] == "Completed"
    assert len(operator.of("snapshot.committed")) == 1
    assert done["status"]["snapshotID"] == operator.of("snapshot.committed")[0]["snapshot_id"]
    assert {told["kind"] for told in operator.of("requests.unheard")} == {"EtcdSnapshot", "EtcdDrill"}
    operator.wait_for(
        lambda: len({told["kind"] for told in operator.of("requests.heard_again")}) == 2, "both kinds again"
    )
    assert operator.stop() == 0


def reasons(site: KubeSite, name: str) -> list[str]:
    events = site.admin.get(f"/api/v1/namespaces/{site.namespace}/events")["items"]
    return sorted(each["reason"] for each in events if each["involvedObject"]["name"] == name)


def test_two_replicas_share_the_requests_and_a_stop_loses_none(
    kube_apiserver: KubeApiserver,
    kube_namespace: str,
    make_kube_site: Callable[[KubeApiserver, str], KubeSite],
    fresh_cluster: Callable[..., LocalCluster],
    tmp_path: Path,
    start_operator: Start,
) -> None:
    """Both see every request, one carries it out; when that one is stopped the other one goes on."""
    site, etcd = make_kube_site(kube_apiserver, kube_namespace), fresh_cluster(size=1)
    config = settings(site, etcd, tmp_path)
    replicas = [start_operator(config, name=name) for name in ("one", "two")]
    for replica in replicas:
        replica.wait_for(lambda replica=replica: replica.of("operator.started"), "start")  # type: ignore[misc]

    for number in range(4):
        site.request("EtcdSnapshot", f"first-{number}")
    site.wait_for("etcdsnapshots", "first-0", phase_is("Running", "Completed"))
    replicas[0].wait_for(lambda: any(leads(each) for each in replicas), "leader")
    leader = next(each for each in replicas if leads(each))
    other = next(each for each in replicas if each is not leader)
    assert leader.stop() == 0
    for number in range(4):
        site.request("EtcdSnapshot", f"second-{number}")
    names = [f"{word}-{number}" for word in ("first", "second") for number in range(4)]
    answered = [site.wait_for("etcdsnapshots", name, phase_is("Completed", "Failed", "Refused")) for name in names]

    assert {each["status"]["phase"] for each in answered} == {"Completed"}
    assert len({each["status"]["snapshotID"] for each in answered}) == len(names)
    committed = [told for each in replicas for told in each.of("snapshot.committed")]
    assert len(committed) == len(names)
    assert len(other.of("snapshot.committed")) >= 4


def leads(operator: OperatorUnderTest) -> bool:
    return 'etcd_dr_leader{cluster="prod"} 1.0' in operator.get("/metrics")


def test_the_plugin_asks_waits_and_prints_the_answer(
    kube_apiserver: KubeApiserver,
    kube_namespace: str,
    make_kube_site: Callable[[KubeApiserver, str], KubeSite],
    fresh_cluster: Callable[..., LocalCluster],
    tmp_path: Path,
    start_operator: Start,
) -> None:
    """`kubectl etcd-dr request …` is found by kubectl, speaks as its user, and its exit status is the answer."""
    site, etcd = make_kube_site(kube_apiserver, kube_namespace), fresh_cluster(size=1)
    start_operator(settings(site, etcd, tmp_path))
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "kubectl-etcd_dr").symlink_to(Path(sys.executable).with_name("etcd-dr"))

    def plugin(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [site.kubectl_program, "etcd-dr", "request", *words, "-n", kube_namespace],
            env={"PATH": str(plugins), "KUBECONFIG": str(kube_apiserver.admin_kubeconfig), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    snapshot = plugin("snapshot", "--cluster", "prod", "--note", "by hand", "-o", "json")
    drill = plugin("drill", "--cluster", "prod", "--name", "rehearsal", "-o", "json")
    refused = plugin("snapshot", "--cluster", "staging", "-o", "json")
    table = plugin("snapshot", "--cluster", "prod", "--no-wait")

    assert snapshot.returncode == 0, snapshot.stderr
    assert list(differences(examples()["request snapshot"], json.loads(snapshot.stdout))) == []
    assert json.loads(snapshot.stdout)["snapshot"]["proven"] == "consistent"
    assert drill.returncode == 0, drill.stderr
    assert list(differences(examples()["request drill"], json.loads(drill.stdout))) == []
    assert "EtcdDrill rehearsal" in drill.stderr
    assert refused.returncode == 1
    assert json.loads(refused.stderr.splitlines()[-1])["error"]["code"] == "kubernetes.request_failed"
    assert table.returncode == 0
    assert "EtcdSnapshot" in table.stdout


def test_help_is_in_the_words_of_the_caller(tmp_path: Path) -> None:
    """Whoever calls the plugin reads `kubectl etcd-dr` in its help."""
    plugin = tmp_path / "kubectl-etcd_dr"
    plugin.symlink_to(Path(sys.executable).with_name("etcd-dr"))

    done = subprocess.run(
        [plugin, "request", "snapshot", "--help"], capture_output=True, text=True, timeout=60, check=True
    )

    assert "kubectl etcd-dr request snapshot" in done.stdout
