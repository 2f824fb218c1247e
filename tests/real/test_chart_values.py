"""Values that change what is installed, and values that are refused before anything is."""

from __future__ import annotations

from typing import Any

import pytest

from real.chart_rig import CHART, EVERYTHING, EXAMPLES, Chart

KUBEADM = EXAMPLES["kubeadm"]
ALONE = EXAMPLES["kubeadm-host-certificates"]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"replicaCount": 2}, "replicaCount"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": "two"}, "replicas"),
        ({"spread": "always"}, "spread"),
        ({"image.digest": "latest"}, "digest"),
        ({"image.pullPolicy": "Sometimes"}, "pullPolicy"),
        ({"service.port": 70000}, "port"),
        ({"etcdCertificates.hostpath": "/etc/pki"}, "hostpath"),
        ({"etcdCertificates.hostPath": "etc/pki"}, "hostPath"),
        ({"etcdCertificates.hostPath": "/etc/pki"}, "not both"),
        ({"talos.roles": ["os:admin"]}, "roles"),
        ({"podDisruptionBudget.minAvailable": 1}, "minAvailable"),
        ({"page.ingress.enabled": "yes"}, "enabled"),
        ({"page.ingress.enabled": True}, "the status page is not served to anybody"),
        ({"grafana.dashboard.enabled": True}, "dashboard"),
        ({"metrics.serviceMonitor.enable": True}, "enable"),
        ({"metrics.podMonitor.labels.release": 3}, "release"),
        ({"metrics.prometheusRule.staleIntervals": 0}, "staleIntervals"),
        ({"config.cluster": []}, "cluster"),
        ({"config.clusters[0].scheduel.cron": "@daily"}, "scheduel"),
        ({"config.clusters[0].schedule.corn": "@daily"}, "corn"),
        ({"config.clusters[0].etcd.endpoint": "https://10.0.0.1:2379"}, "endpoint"),
        ({"config.stores[0].s3.bukcet": "b"}, "bukcet"),
        ({"config.kubernetes.lease": False}, "lease"),
        ({"config.kubernetes.records": -1}, "records"),
        ({"config.encryption.recipient": "age1"}, "recipient"),
    ],
    ids=str,
)
def test_wrong_value_is_refused_before_anything_is_installed(
    chart: Chart, said: dict[str, Any], complaint: str
) -> None:
    """Helm itself names the typo, at any depth."""
    assert complaint in chart.complaint(KUBEADM, said)


def test_nothing_to_protect_is_refused(chart: Chart) -> None:
    """An installation without a cluster would be green and worthless."""
    done = chart.run("template", "release", CHART)

    assert done.returncode != 0
    assert "config.clusters is empty" in done.stderr


@pytest.mark.parametrize(
    "said", [{}, {"config.kubernetes": None}, {"config.kubernetes": {"leases": {"enabled": False}}}]
)
def test_two_replicas_without_leases_are_refused(chart: Chart, said: dict[str, Any]) -> None:
    """Each of them would take every snapshot; the message says how to get leases."""
    complaint = chart.complaint(ALONE, {**said, "replicas": 2})

    assert "need leases" in complaint
    assert "config.kubernetes: {}" in complaint


@pytest.mark.parametrize(
    ("said", "replicas", "strategy", "has_token"),
    [
        ({}, 1, "Recreate", False),
        ({"config.kubernetes": None}, 1, "Recreate", False),
        ({"config.kubernetes": {"leases": {"enabled": False}}}, 1, "Recreate", True),
        ({"config.kubernetes": {}}, 2, "RollingUpdate", True),
        ({"config.kubernetes": {}, "replicas": 1}, 1, "Recreate", True),
        ({"config.kubernetes": {}, "replicas": 3}, 3, "RollingUpdate", True),
    ],
    ids=str,
)
def test_replicas_follow_the_leases(
    chart: Chart, said: dict[str, Any], replicas: int, strategy: str, has_token: bool
) -> None:
    """Two where leases share the clusters; one that ends before the next begins, and without a token, elsewhere."""
    found = chart.rendered(ALONE, said=said)
    [deployment] = found["Deployment"]
    pod = deployment["spec"]["template"]["spec"]

    assert deployment["spec"]["replicas"] == replicas
    assert deployment["spec"]["strategy"]["type"] == strategy
    assert pod["automountServiceAccountToken"] is has_token
    assert len(found.get("PodDisruptionBudget", [])) == (replicas > 1)
    assert ("podAntiAffinity" in pod.get("affinity", {})) is (replicas > 1)


def test_replicas_are_kept_apart_as_asked(chart: Chart) -> None:
    """Preferred by default, so that one node is enough; required on wish; one's own affinity goes before both."""
    preferred, required, own = (
        chart.rendered(KUBEADM, said=said)["Deployment"][0]["spec"]["template"]["spec"]["affinity"]
        for said in ({}, {"spread": "required"}, {"affinity": {"nodeAffinity": {}}})
    )

    [term] = preferred["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert "requiredDuringSchedulingIgnoredDuringExecution" in required["podAntiAffinity"]
    assert own == {"nodeAffinity": {}}


def test_selectors_mean_the_operator_alone(chart: Chart) -> None:
    """The pod of `helm test` is nobody's endpoint, nor counted as a replica."""
    found = chart.rendered(EVERYTHING)
    labels = found["Deployment"][0]["spec"]["template"]["metadata"]["labels"]
    [test_pod] = found["Pod"]

    selectors = [
        found["Service"][0]["spec"]["selector"],
        *(
            found[kind][0]["spec"]["selector"]["matchLabels"]
            for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor")
        ),
        found["NetworkPolicy"][0]["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= test_pod["metadata"]["labels"].items()


def test_helm_test_may_read_where_others_may_not(chart: Chart) -> None:
    """A policy that names who reads metrics leaves room for `helm test`."""
    found = chart.rendered(EVERYTHING)
    [policy] = found["NetworkPolicy"]
    [test_pod] = found["Pod"]

    allowed = [
        peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"] if "podSelector" in peer
    ]

    assert any(labels.items() <= test_pod["metadata"]["labels"].items() for labels in allowed)


def test_status_page_is_on_the_network_only_when_it_asks_who_comes(chart: Chart) -> None:
    """Without a token or a proxy it stays on the pod's loopback, with no port, no path and no way in."""
    silent, asking = (
        chart.rendered(KUBEADM, said={"config.page": {"enabled": True, **more}})
        for more in ({}, {"token_file": "/etc/etcd-dr/page/token"})
    )

    def ports(found: dict[str, Any]) -> list[str]:
        return [port["name"] for port in found["Service"][0]["spec"]["ports"]]

    assert (ports(silent), ports(asking)) == (["metrics"], ["metrics", "page"])
    assert len(silent["NetworkPolicy"][0]["spec"]["ingress"]) == 1


def test_one_way_of_scraping_is_enough(chart: Chart) -> None:
    """Both monitors would store every sample twice."""
    done = chart.template(
        KUBEADM, "--api-versions", "monitoring.coreos.com/v1", said={"metrics.podMonitor.enabled": True}
    )

    assert done.returncode != 0
    assert "serviceMonitor or podMonitor" in done.stderr


def test_talos_is_asked_for_the_least_role(chart: Chart) -> None:
    """The pod mounts the Secret that Talos makes from the ServiceAccount; the chart itself makes none."""
    found = chart.rendered(EXAMPLES["talos"])
    [account] = [each for each in found["ServiceAccount"] if each["apiVersion"] == "talos.dev/v1alpha1"]
    volumes = found["Deployment"][0]["spec"]["template"]["spec"]["volumes"]

    assert account["spec"]["roles"] == ["os:etcd:backup"]
    assert account["metadata"]["name"] in [each["secret"]["secretName"] for each in volumes if "secret" in each]
    assert "Secret" not in found


def test_pods_run_anywhere_when_they_may(chart: Chart) -> None:
    """Off the control plane no label is asked for; further ones are added to the switch."""
    anywhere = chart.rendered(EXAMPLES["external-etcd"])["Deployment"][0]["spec"]["template"]["spec"]
    both = chart.rendered(EVERYTHING)["Deployment"][0]["spec"]["template"]["spec"]

    assert "nodeSelector" not in anywhere
    assert "tolerations" not in anywhere
    assert both["nodeSelector"] == {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/os": "linux"}
    assert [each["key"] for each in both["tolerations"]] == ["node-role.kubernetes.io/control-plane", "dedicated"]
