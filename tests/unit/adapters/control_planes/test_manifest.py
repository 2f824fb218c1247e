"""kubeadm's manifest of etcd, and others, understood; the copy that joins."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from etcd_dr.adapters.control_planes.manifest import ManifestUnreadable, joining, program_of, read_manifest

# As kubeadm 1.31 writes it, less what plays no part here.
KUBEADM = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://10.0.0.4:2379
  labels: {component: etcd, tier: control-plane}
  name: etcd
  namespace: kube-system
spec:
  containers:
  - command:
    - etcd
    - --advertise-client-urls=https://10.0.0.4:2379
    - --data-dir=/var/lib/etcd
    - --initial-advertise-peer-urls=https://10.0.0.4:2380
    - --initial-cluster=cp1=https://10.0.0.4:2380
    - --name=cp1
    image: registry.k8s.io/etcd:3.5.15-0
    name: etcd
    volumeMounts:
    - {mountPath: /var/lib/etcd, name: etcd-data}
    - {mountPath: /etc/kubernetes/pki/etcd, name: etcd-certs}
  hostNetwork: true
  volumes:
  - hostPath: {path: /etc/kubernetes/pki/etcd, type: DirectoryOrCreate}
    name: etcd-certs
  - hostPath: {path: /mnt/disk/etcd, type: DirectoryOrCreate}
    name: etcd-data
"""


def changed(**container: Any) -> bytes:
    pod = yaml.safe_load(KUBEADM)
    pod["spec"]["containers"][0] |= container
    return yaml.safe_dump(pod).encode()


def test_launch_is_the_hosts() -> None:
    """The data directory is where it lies on the node, whatever the container calls it."""
    manifest = read_manifest(KUBEADM.encode())

    assert manifest.launch.data_dir == "/mnt/disk/etcd"
    assert manifest.data_dir == "/var/lib/etcd"
    assert manifest.launch.member_name == "cp1"
    assert manifest.launch.peer_urls == ("https://10.0.0.4:2380",)
    assert (manifest.program, manifest.container, manifest.version) == ("etcd", "etcd", "3.5.15")


def test_directory_below_a_mount_and_a_wal_apart() -> None:
    """The longest mount counts."""
    manifest = read_manifest(
        changed(
            command=["etcd", "--data-dir=/var/lib/etcd/data"],
            args=["--wal-dir", "/wal"],
            volumeMounts=[{"name": "etcd-data", "mountPath": "/var/lib"}, {"name": "etcd-certs", "mountPath": "/wal"}],
        )
    )

    assert manifest.launch.data_dir == "/mnt/disk/etcd/etcd/data"
    assert manifest.launch.wal_dir == "/etc/kubernetes/pki/etcd"


def test_copy_joins_and_keeps_everything_else() -> None:
    """The flags that are added come last, where they count."""
    copy = yaml.safe_load(joining(KUBEADM.encode(), {"cp1": ["https://10.0.0.4:2380"], "cp2": ["https://b:2380"]}))

    original = yaml.safe_load(KUBEADM)
    command = copy["spec"]["containers"][0].pop("command")
    assert command[-2:] == [
        "--initial-cluster=cp1=https://10.0.0.4:2380,cp2=https://b:2380",
        "--initial-cluster-state=existing",
    ]
    assert command[:-2] == original["spec"]["containers"][0].pop("command")
    assert copy == original


def test_variables_are_changed_where_they_stand() -> None:
    """A flag beside them would keep etcd from starting."""
    text = changed(
        command=["etcd", "--data-dir=/var/lib/etcd"], env=[{"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "new"}]
    )

    container = yaml.safe_load(joining(text, {"cp1": ["https://a:2380"]}))["spec"]["containers"][0]

    assert container["env"] == [{"name": "ETCD_INITIAL_CLUSTER_STATE", "value": "existing"}]
    assert not any("initial-cluster-state" in word for word in container["command"])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"a: [",
        b"kind: Pod",
        b"kind: Service",
        b"kind: Pod\nspec: {containers: []}",
        b"kind: Pod\nspec: {containers: [{name: other, command: [sleep]}]}",
        changed(command=["/bin/sh", "-c", "exec etcd"]),
        changed(command=[]),
        changed(volumeMounts=[]),
        changed(volumeMounts=[{"name": "unknown", "mountPath": "/var/lib/etcd"}]),
    ],
)
def test_manifest_that_is_not_understood_is_refused(text: bytes) -> None:
    """With the reason; nothing is guessed."""
    with pytest.raises(ManifestUnreadable):
        read_manifest(text)


def test_program_of_a_writer() -> None:
    """What runs as kube-apiserver on the node."""
    text = b"kind: Pod\nspec: {containers: [{name: kube-apiserver, command: [/usr/local/bin/kube-apiserver, --v=2]}]}"

    assert program_of(text) == ("kube-apiserver", "kube-apiserver")
