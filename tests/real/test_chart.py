"""The chart over the examples: what helm renders from them is whole, and starts an operator that reads its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from etcd_dr.config import parse_config
from etcd_dr.config.page_model import PageSection
from real.chart_rig import CHART, EVERYTHING, EXAMPLES, MONITORING, PROJECT, Chart

_RUNBOOKS = PROJECT / "docs" / "runbooks"
_ALL = pytest.mark.parametrize("values", [*EXAMPLES.values(), EVERYTHING], ids=lambda path: path.stem)


@_ALL
def test_values_are_accepted_without_a_warning(chart: Chart, values: Path) -> None:
    """They pass `helm lint --strict`."""
    done = chart.run("lint", "--strict", CHART, "--values", values)

    assert done.returncode == 0, done.stdout + done.stderr


@_ALL
def test_configuration_in_the_pod_is_one_that_the_operator_reads(chart: Chart, values: Path) -> None:
    """What lands in the ConfigMap is a whole configuration, unchanged."""
    [config_map] = chart.rendered(values)["ConfigMap"]

    config = parse_config(config_map["data"]["etcd-dr.yaml"], {}, subject=values.name)

    assert config == parse_config(yaml.safe_dump(yaml.safe_load(values.read_text())["config"]), {}, subject=values.name)


@_ALL
def test_files_that_the_configuration_names_are_mounted(chart: Chart, values: Path) -> None:
    """A path in the configuration leads below a mount of the pod: a missing Secret is seen before it is needed."""
    found = chart.rendered(values)
    [container] = found["Deployment"][0]["spec"]["template"]["spec"]["containers"]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]

    named = list(_paths(yaml.safe_load(found["ConfigMap"][0]["data"]["etcd-dr.yaml"])))

    assert named or values.stem == "external"
    assert all(any(path.startswith(f"{mount}/") for mount in mounts) for path in named), named


@_ALL
def test_environment_of_the_pod_is_one_that_the_operator_reads(chart: Chart, values: Path) -> None:
    """Every override leads to a field; the program refuses one that leads nowhere."""
    found = chart.rendered(values)
    [container] = found["Deployment"][0]["spec"]["template"]["spec"]["containers"]
    environ = {each["name"]: each["value"] for each in container["env"]}

    config = parse_config(found["ConfigMap"][0]["data"]["etcd-dr.yaml"], environ, subject=values.name)

    assert config.operator.listen == "0.0.0.0:9379"
    assert str(config.scratch_dir) in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert config.page.is_on_loopback is not (config.page != PageSection())


def test_notes_say_what_to_keep_outside(chart: Chart) -> None:
    """Bucket, key, configuration, command, and on Talos the talosconfig; with commands that can be pasted."""
    done = chart.run(
        *("install", "etcd-dr", CHART, "--dry-run=client", "--values", EXAMPLES["talos"], "--namespace", "etcd-dr")
    )

    notes = done.stdout.partition("NOTES:")[2]

    assert done.returncode == 0, done.stderr
    for kept in (
        "company-backups",
        "age identity",
        "etcdutl",
        "os:admin",
        "etcd-dr.yaml kit check",
        "get tsa etcd-dr-talos",
    ):
        assert kept in notes, kept


def test_every_alert_says_what_to_do(chart: Chart) -> None:
    """Summary, description, severity, and a runbook page that exists."""
    [rules] = chart.rendered(EXAMPLES["kubeadm"])["PrometheusRule"]
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]

    assert len({alert["alert"] for alert in alerts}) >= 10
    for alert in alerts:
        assert alert["labels"]["severity"] in ("info", "warning", "critical"), alert["alert"]
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]
        page = alert["annotations"]["runbook_url"].rpartition("/")[2]
        assert (_RUNBOOKS / page).is_file(), page


def test_alerts_can_be_left_out_and_labelled(chart: Chart) -> None:
    """`disabled` and `additionalRuleLabels` reach the rules."""
    prefix = "metrics.prometheusRule"
    [before] = chart.rendered(EXAMPLES["kubeadm"])["PrometheusRule"]
    dropped = next(rule["alert"] for rule in before["spec"]["groups"][0]["rules"] if "alert" in rule)

    said = {f"{prefix}.disabled": {dropped: True}, f"{prefix}.additionalRuleLabels": {"team": "platform"}}
    [after] = chart.rendered(EXAMPLES["kubeadm"], said=said)["PrometheusRule"]
    alerts = [rule for group in after["spec"]["groups"] for rule in group["rules"] if "alert" in rule]

    assert dropped not in [alert["alert"] for alert in alerts]
    assert {alert["labels"]["team"] for alert in alerts} == {"platform"}


def test_monitoring_objects_need_their_resources(chart: Chart) -> None:
    """Without the Prometheus operator nothing of its kinds is rendered, whatever the values say."""
    done = chart.template(EXAMPLES["kubeadm"], said={"metrics.podMonitor.enabled": True})

    assert "monitoring.coreos.com" not in done.stdout
    assert "monitoring.coreos.com" in chart.template(EXAMPLES["kubeadm"], *MONITORING).stdout


def test_dashboards_arrive_as_they_are(chart: Chart) -> None:
    """Grafana's sidecar finds each file in a ConfigMap with its label, byte for byte but for the last newline."""
    files = sorted((CHART / "files" / "dashboards").glob("*.json"))
    before = len(chart.rendered(EXAMPLES["kubeadm"])["ConfigMap"])

    found = chart.rendered(EXAMPLES["kubeadm"], said={"grafana.dashboards.enabled": True})["ConfigMap"]
    dashboards = [each for each in found if each["metadata"]["labels"].get("grafana_dashboard") == "1"]

    assert (before, len(dashboards)) == (1, len(files))
    carried = {name: text for each in dashboards for name, text in each["data"].items()}
    assert {name: text.strip() for name, text in carried.items()} == {
        path.name: path.read_text(encoding="utf-8").strip() for path in files
    }


def _paths(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [path for each in value.values() for path in _paths(each)]
    if isinstance(value, list):
        return [path for each in value for path in _paths(each)]
    return [value] if isinstance(value, str) and value.startswith("/etc/") else []
