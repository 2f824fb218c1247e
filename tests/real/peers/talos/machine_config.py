"""The configuration that a machine was installed with: enough of it to be recognised, with secrets that are none."""

from __future__ import annotations

import base64

import yaml

from real.peers.talos.pki import Authority
from real.peers.talos.settings import MachineType, TalosSettings

SECRET_TOKEN = "s3cret.0123456789abcdef"
"""Stands in every machine's configuration; a test that finds it outside of an encrypted object found a leak."""


def machine_config(
    settings: TalosSettings,
    *,
    hostname: str,
    machine_type: MachineType,
    endpoint: str,
    authority: Authority,
    kubernetes: Authority,
) -> str:
    """Return the YAML of one machine; from 1.14 a second document grants access to the API from Kubernetes."""
    ca = {"crt": base64.b64encode(authority.certificate).decode(), "key": ""}
    documents: list[dict[str, object]] = [
        {
            "version": "v1alpha1",
            "machine": {
                "type": machine_type,
                "token": SECRET_TOKEN,
                "ca": ca,
                "network": {"hostname": hostname},
                "features": {"rbac": True},
            },
            "cluster": {
                "clusterName": settings.cluster,
                "controlPlane": {"endpoint": f"https://{endpoint}:6443"},
                "token": SECRET_TOKEN,
                "ca": {"crt": base64.b64encode(kubernetes.certificate).decode(), "key": ""},
                "etcd": {"ca": ca},
            },
        }
    ]
    access = {"allowedRoles": ["os:etcd:backup"], "allowedKubernetesNamespaces": ["etcd-dr"]}
    if settings.release.names_access_in_a_document:
        documents.append({"apiVersion": "v1alpha1", "kind": "KubeTalosAPIAccessConfig", **access})
    else:
        machine = documents[0]["machine"]
        assert isinstance(machine, dict)
        machine["features"]["kubernetesTalosAPIAccess"] = {"enabled": True, **access}
    return yaml.safe_dump_all(documents, sort_keys=False)
