"""The chart on a real API server: what helm renders is accepted there, as a release and as plain manifests."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from real.chart_rig import CHART, EXAMPLES, Chart, manifests
from real.peers.kube_apiserver import KubeApiserver
from tools.chart_renderings import renderings

pytestmark = pytest.mark.matrix

_OLDEST = (1, 25)
_FOREIGN = ("monitoring.coreos.com", "talos.dev")


@dataclass(frozen=True, slots=True)
class Site:
    """A server of its own, because definitions belong to all namespaces, and the programs that speak with it."""

    server: KubeApiserver
    chart: Chart
    kubectl: Path

    def helm(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self.chart.run(*words, "--kubeconfig", self.server.admin_kubeconfig, "--namespace", "etcd-dr")

    def ask(self, *words: str | Path, said: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [self.kubectl, f"--kubeconfig={self.server.admin_kubeconfig}", *words]
        return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=60)

    def wait_until_listed(self, *resources: str) -> None:
        """Wait for the server's list of what it serves, which lags behind definitions that it has taken."""
        ends = time.monotonic() + 60
        while missing := set(resources) - set(self.ask("api-resources", "-o", "name").stdout.split()):
            assert time.monotonic() < ends, missing
            time.sleep(0.2)

    def objects(self, kinds: str) -> list[dict[str, Any]]:
        done = self.ask("get", kinds, "-n", "etcd-dr", "-o", "json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return found


@pytest.fixture
def site(fresh_kube_apiserver: Callable[[], KubeApiserver], chart: Chart, stock_program: Callable[[str], Path]) -> Site:
    server = fresh_kube_apiserver()
    if server.release < _OLDEST:
        pytest.skip(f"this API server is {'.'.join(map(str, server.release))}; the chart asks for 1.25: make envtest")
    found = Site(server, chart, stock_program("kubectl"))
    for namespace in ("etcd-dr", "kube-system"):
        found.ask("create", "namespace", namespace)
        found.ask("label", "namespace", namespace, "pod-security.kubernetes.io/warn=restricted")
    return found


def test_release_is_installed_changed_and_taken_away(site: Site) -> None:
    """Every object is accepted; an upgrade changes the replicas; what is left in the end are the definitions."""
    values = ("--values", EXAMPLES["talos"], "--set", "talos.serviceAccount=false")

    installed = site.helm("install", "etcd-dr", CHART, *values)
    assert installed.returncode == 0, installed.stderr
    [deployment] = site.objects("deployments")
    kinds = {each["kind"] for each in site.objects("all,pdb,networkpolicy,role,rolebinding,serviceaccount,configmap")}

    upgraded = site.helm("upgrade", "etcd-dr", CHART, *values, "--set", "replicas=1")
    assert upgraded.returncode == 0, upgraded.stderr
    [changed] = site.objects("deployments")

    removed = site.helm("uninstall", "etcd-dr")
    assert removed.returncode == 0, removed.stderr

    assert deployment["spec"]["replicas"] == 2
    assert {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "Role", "RoleBinding"} <= kinds
    assert (changed["spec"]["replicas"], changed["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert site.objects("deployments,pdb,networkpolicy,role") == []
    assert site.ask("get", "crd", "etcdsnapshots.etcd-dr.io", "etcddrills.etcd-dr.io").returncode == 0


def test_plain_manifests_are_accepted(site: Site) -> None:
    """`kubectl apply --server-side` takes each, but for the kinds that others define; only a host path breaks "restricted"."""
    for rendering in renderings():
        whole = manifests(rendering.manifest.read_text(encoding="utf-8"))
        ours = [each for each in whole if not each["apiVersion"].startswith(_FOREIGN)]
        assert ours

        done = site.ask("apply", "--server-side", "--dry-run=server", "-f", "-", said=yaml.safe_dump_all(ours))

        assert done.returncode == 0, f"{rendering.values.stem}: {done.stderr}"
        warned = [line for line in done.stderr.splitlines() if line.startswith("Warning")]
        if rendering.values.stem == "kubeadm-host-certificates":
            assert len(warned) == 1, warned
            assert "restricted volume types" in warned[0], warned
        else:
            assert warned == []


def test_examples_for_artifact_hub_are_accepted(site: Site) -> None:
    """What the annotation shows can be created as it stands."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    examples = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    for definition in sorted((CHART / "files" / "crds").glob("*.yaml")):
        assert site.ask("apply", "-f", definition).returncode == 0
    site.wait_until_listed("etcdsnapshots.etcd-dr.io", "etcddrills.etcd-dr.io")

    done = site.ask("create", "-n", "etcd-dr", "--dry-run=server", "-f", "-", said=yaml.safe_dump_all(examples))

    assert done.returncode == 0, done.stderr
