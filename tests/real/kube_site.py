"""The chart's resources on a real API server: applied as helm renders them, and used through its service account."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from etcd_dr.adapters.kubernetes.client import KubernetesApi, open_api
from etcd_dr.errors import KubernetesError
from real.peers.kube_apiserver import KubeApiserver

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "charts" / "etcd-dr"
RELEASE = "dr"
ACCOUNT = "dr-etcd-dr"
_APPLIED = ("crds.yaml", "rbac.yaml", "serviceaccount.yaml")
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class KubeSite:
    """A namespace with the chart's resources. `admin` and `account` are clients, closed by whoever made the site."""

    server: KubeApiserver
    namespace: str
    kubectl_program: Path
    kubeconfig: Path
    admin: KubernetesApi
    account: KubernetesApi

    def path(self, plural: str, name: str = "") -> str:
        """Return the path of a collection of ours, or of one object in it."""
        collection = f"/apis/etcd-dr.io/v1alpha1/namespaces/{self.namespace}/{plural}"
        return f"{collection}/{name}" if name else collection

    def request(self, kind: str, name: str, **spec: object) -> dict[str, Any]:
        """Create an EtcdSnapshot or EtcdDrill as a person would, and return it."""
        body = {
            "apiVersion": "etcd-dr.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"cluster": "prod", **spec},
        }
        return self.admin.create(self.path(f"{kind.lower()}s"), body)

    def names(self, plural: str) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.admin.get(self.path(plural))["items"])

    def wait_for(self, plural: str, name: str, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the object once the condition holds for its status, looked at again and again."""
        end = time.monotonic() + _SECONDS
        while True:
            found = self.admin.get(self.path(plural, name))
            if condition(found.get("status", {})):
                return found
            assert time.monotonic() < end, f"{name} stays as it is: {json.dumps(found, indent=1)}"
            time.sleep(0.1)

    def kubectl(self, *words: str) -> str:
        """Run kubectl as the administrator in the namespace and return what it printed."""
        command = [self.kubectl_program, f"--kubeconfig={self.server.admin_kubeconfig}", f"-n={self.namespace}", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def make_site(server: KubeApiserver, namespace: str, *, stock_program: Callable[[str], Path]) -> KubeSite:
    """Apply the chart's definitions, rights and service account to a namespace."""
    kubectl, manifests = stock_program("kubectl"), render(stock_program("helm"), namespace)
    applied = subprocess.run(
        # 1.20 knows nothing of the kind of validation that a current kubectl asks for.
        [kubectl, f"--kubeconfig={server.admin_kubeconfig}", "apply", "--validate=false", "-f", "-"],
        input=yaml.safe_dump_all(manifests),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    kubeconfig = server.service_account_kubeconfig(namespace, ACCOUNT)
    admin = open_api(kubeconfig=server.admin_kubeconfig, namespace=namespace)
    site = KubeSite(server, namespace, kubectl, kubeconfig, admin, open_api(kubeconfig=kubeconfig))
    _wait_until_in_force(site)
    return site


def render(helm: Path, namespace: str, *more: str) -> list[dict[str, Any]]:
    """Return what an installation with `config.kubernetes` applies besides its workload."""
    words = ["template", RELEASE, str(CHART), "--namespace", namespace]
    words += ["--values", str(PROJECT / "deploy" / "examples" / "kubeadm.yaml"), "--set-json", "config.kubernetes={}"]
    rendered: list[dict[str, Any]] = []
    for template in _APPLIED:
        done = subprocess.run(
            [helm, *words, *more, "--show-only", f"templates/{template}"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        rendered += [each for each in yaml.safe_load_all(done.stdout) if each]
    for each in rendered:
        if each["kind"] == "ServiceAccount":
            each["metadata"]["namespace"] = namespace
    return rendered


def _wait_until_in_force(site: KubeSite) -> None:
    """Definitions are served and listed, and rights are given, a moment after they were taken."""
    end = time.monotonic() + _SECONDS
    while (missing := _not_in_force(site)) is not None:
        assert time.monotonic() < end, missing
        time.sleep(0.1)


def _not_in_force(site: KubeSite) -> KubernetesError | str | None:
    plurals = ("etcdsnapshots", "etcddrills")
    try:
        for plural in plurals:
            site.account.get(site.path(plural))
        listed = {each["name"] for each in site.admin.get("/apis/etcd-dr.io/v1alpha1")["resources"]}
    except KubernetesError as error:  # denied, missing, or "storage is (re)initializing"
        return error
    return None if listed.issuperset(plurals) else f"discovery has {listed}"
