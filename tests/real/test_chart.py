"""The chart as helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from etcd_dr.config import parse_config

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "charts" / "etcd-dr"
EXAMPLES = sorted((PROJECT / "deploy" / "examples").glob("*.yaml"))
_RUNBOOKS = PROJECT / "docs" / "runbooks"

Helm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def helm(stock_program: Callable[[str], Path], tmp_path: Path) -> Helm:
    """Run helm offline, in a home of its own."""
    program = stock_program("helm")

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"HOME": str(tmp_path), "PATH": ""},
        )

    return run


def rendered(helm: Helm, *words: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Return the manifests by kind."""
    done = helm("template", "release", CHART, "--api-versions", "monitoring.coreos.com/v1", *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for document in yaml.safe_load_all(done.stdout):
        if document:
            found.setdefault(document["kind"], []).append(document)
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_accepted_without_a_warning(helm: Helm, example: Path) -> None:
    """Every example passes `helm lint --strict`."""
    done = helm("lint", "--strict", CHART, "--values", example)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_configuration_in_the_pod_is_one_that_the_operator_reads(helm: Helm, example: Path) -> None:
    """What lands in the ConfigMap is a whole configuration, unchanged."""
    [config_map] = rendered(helm, "--values", example)["ConfigMap"]

    config = parse_config(config_map["data"]["etcd-dr.yaml"], {}, subject=example.name)

    assert config == parse_config(
        yaml.safe_dump(yaml.safe_load(example.read_text())["config"]), {}, subject=example.name
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_pod_has_no_privilege_that_it_does_not_need(helm: Helm, example: Path) -> None:
    """No capability, no token, no writable root; user 0 only where kubeadm's own files are read."""
    [deployment] = rendered(helm, "--values", example)["Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    host_files = [volume for volume in pod["volumes"] if "hostPath" in volume]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"].get("runAsNonRoot", False) is not bool(host_files)
    assert "hostNetwork" not in pod
    assert all(mount["readOnly"] for mount in container["volumeMounts"] if mount["name"] not in ("scratch", "tmp"))


def test_two_pods_never_run_at_the_same_time(helm: Helm) -> None:
    """A rollout ends the old pod first: two would take every snapshot twice."""
    [deployment] = rendered(helm, "--values", EXAMPLES[0])["Deployment"]

    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("replicaCount=2", "replicaCount"),
        ("replicas=2", "need leases"),
        ("config.clusters[0].scheduel.cron=@daily", "scheduel"),
        ("metrics.serviceMonitor.enable=true", "enable"),
        ("image.digest=latest", "digest"),
        ("etcdCertificates.hostPath=/etc/pki", "not both"),
    ],
)
def test_wrong_value_is_refused_before_anything_is_installed(helm: Helm, said: str, complaint: str) -> None:
    """Typos are named by helm itself."""
    values = PROJECT / "deploy" / "examples" / "kubeadm.yaml"

    done = helm("template", "release", CHART, "--values", values, "--set", said)

    assert done.returncode != 0
    assert complaint in done.stderr


def test_nothing_to_protect_is_refused(helm: Helm) -> None:
    """An installation without a cluster would be green and worthless."""
    done = helm("template", "release", CHART)

    assert done.returncode != 0
    assert "config.clusters is empty" in done.stderr


def test_every_alert_says_what_to_do(helm: Helm) -> None:
    """Summary, description, severity, and a runbook page that exists."""
    [rules] = rendered(helm, "--values", PROJECT / "deploy" / "examples" / "kubeadm.yaml")["PrometheusRule"]
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]

    assert len({alert["alert"] for alert in alerts}) == len(alerts) >= 10
    for alert in alerts:
        assert alert["labels"]["severity"] in ("warning", "critical"), alert["alert"]
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]
        page = alert["annotations"]["runbook_url"].rpartition("/")[2]
        assert (_RUNBOOKS / page).is_file(), page


def test_monitoring_objects_need_their_resources(helm: Helm) -> None:
    """Without the Prometheus operator nothing of its kinds is rendered, whatever the values say."""
    done = helm("template", "release", CHART, "--values", PROJECT / "deploy" / "examples" / "kubeadm.yaml")

    assert "monitoring.coreos.com" not in done.stdout
