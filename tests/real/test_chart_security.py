"""What the chart's pods and roles may do; every departure from nothing is in one table, with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from real.chart_rig import EVERYTHING, EXAMPLES, Chart, Manifest, pods

_SCRATCH = "the one place, beside /tmp, where something is written: an emptyDir with a limit"
_TOKEN = "requests, records, events and leases of one namespace; rbac.yaml lists the rights"

JUSTIFIED: dict[str, dict[str, str]] = {
    # what departs -> where it may, and why. Nothing else may.
    "writable mount /var/lib/etcd-dr/scratch": {"*": _SCRATCH},
    "writable mount /tmp": {"*": _SCRATCH},
    "service account token": {
        "kubeadm": _TOKEN,
        "talos": _TOKEN,
        "external-etcd": _TOKEN,
        "everything": _TOKEN,
    },
    "user 0": {"kubeadm-host-certificates": "kubeadm's keys belong to root with mode 0600"},
    "host path /etc/kubernetes/pki/etcd": {"kubeadm-host-certificates": "kubeadm's keys, read where they are rotated"},
}

RIGHTS: dict[tuple[str, str], str] = {
    # group/resource and verb -> why. Nothing else may be in the operator's role.
    **{
        ("etcd-dr.io/etcdsnapshots", verb): "requests are read, records made"
        for verb in ("get", "list", "watch", "create", "patch")
    },
    ("etcd-dr.io/etcdsnapshots", "delete"): "records and finished requests end",
    **{("etcd-dr.io/etcddrills", verb): "requests are read" for verb in ("get", "list", "watch")},
    ("etcd-dr.io/etcddrills", "delete"): "finished requests end",
    ("etcd-dr.io/etcdsnapshots/status", "patch"): "answers",
    ("etcd-dr.io/etcddrills/status", "patch"): "answers",
    ("/events", "create"): "kubectl describe shows them",
    **{("coordination.k8s.io/leases", verb): "one for each cluster" for verb in ("get", "list", "create", "update")},
}

_ALL = pytest.mark.parametrize("values", [*EXAMPLES.values(), EVERYTHING], ids=lambda path: path.stem)


@_ALL
def test_pods_have_no_privilege_that_the_table_does_not_justify(chart: Chart, values: Path) -> None:
    """The operator's pod and that of `helm test`, looked at field by field."""
    for name, pod in pods(chart.rendered(values)).items():
        unjustified = {
            departure for departure in departures(pod) if not {"*", values.stem} & JUSTIFIED.get(departure, {}).keys()
        }

        assert not unjustified, name


def test_table_holds_nothing_that_is_not_so(chart: Chart) -> None:
    """An exception that no rendering makes use of is taken out again."""
    seen = {
        (departure, values.stem)
        for values in (*EXAMPLES.values(), EVERYTHING)
        for pod in pods(chart.rendered(values)).values()
        for departure in departures(pod)
    }

    for departure, places in JUSTIFIED.items():
        for place in places.keys() - {"*"}:
            assert (departure, place) in seen, (departure, place)


@pytest.mark.parametrize(
    ("change", "departure"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"securityContext": {}}, "user of the image"),
        ({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"containers": [{"name": "c"}]}, "capabilities"),
        ({"initContainers": [{"name": "i"}]}, "privilege escalation"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "host path /"),
    ],
    ids=str,
)
def test_looking_finds_what_a_pod_departs_in(change: Manifest, departure: str) -> None:
    """The look itself is not blind."""
    assert departure in set(departures({"containers": [], **change}))


def test_roles_have_no_right_that_the_table_does_not_justify(chart: Chart) -> None:
    """One Role in one namespace, bound to the one service account; what it allows is listed above, each with a reason."""
    found = chart.rendered(EVERYTHING)
    [role] = found["Role"]
    [binding] = found["RoleBinding"]
    given = {
        (f"{group}/{resource}", verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    assert given == RIGHTS.keys()
    assert [subject["kind"] for subject in binding["subjects"]] == ["ServiceAccount"]
    assert "ClusterRoleBinding" not in found


def test_cluster_roles_only_speak_of_our_own_resources(chart: Chart) -> None:
    """They are bound to nobody: they join the roles that people have, and speak of nothing but requests."""
    for role in chart.rendered(EVERYTHING)["ClusterRole"]:
        assert any(key.startswith("rbac.authorization.k8s.io/aggregate-to-") for key in role["metadata"]["labels"])
        assert all(rule["apiGroups"] == ["etcd-dr.io"] and "*" not in rule["verbs"] for rule in role["rules"])


def test_no_role_is_made_where_nothing_is_asked_of_the_api(chart: Chart) -> None:
    """Without `config.kubernetes` the pod has neither token nor rights."""
    found = chart.rendered(EXAMPLES["kubeadm-host-certificates"])

    assert not {"Role", "RoleBinding", "ClusterRole", "CustomResourceDefinition"} & found.keys()


def departures(pod: Manifest) -> Iterator[str]:
    """Yield whatever in a pod goes beyond Pod Security "restricted", or beyond a read-only root and no token."""
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace") if pod.get(name))
    if pod.get("automountServiceAccountToken", True):
        yield "service account token"
    if pod.get("enableServiceLinks", True):
        yield "environment of other Services"
    security = pod.get("securityContext", {})
    if security.get("runAsUser") == 0:
        yield "user 0"
    elif not security.get("runAsNonRoot"):
        yield "user of the image"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccomp"
    yield from (f"host path {each['hostPath']['path']}" for each in pod.get("volumes", []) if "hostPath" in each)
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from _departures_of_container(container)


def _departures_of_container(container: Manifest) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("privileged"):
        yield "privileged"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "privilege escalation"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "writable root"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities"
    if "memory" not in container.get("resources", {}).get("limits", {}):
        yield "memory without a limit"
    yield from (f"host port {port['hostPort']}" for port in container.get("ports", []) if "hostPort" in port)
    for mount in container.get("volumeMounts", []):
        if not mount.get("readOnly"):
            yield f"writable mount {mount['mountPath']}"
