"""The manifests for Talos ask for the least role, and fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "talos"
ROLE = "os:etcd:backup"


def documents(name: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((FOLDER / name).read_text()) if document]


def test_least_role_and_nothing_else() -> None:
    """A pod never gets os:admin."""
    [before] = documents("kubernetes-access-before-1.14.yaml")
    [since] = documents("kubernetes-access-from-1.14.yaml")
    [account] = [d for d in documents("namespace-and-access.yaml") if d["kind"] == "ServiceAccount"]
    old = before["machine"]["features"]["kubernetesTalosAPIAccess"]

    assert account["spec"]["roles"] == old["allowedRoles"] == since["allowedRoles"] == [ROLE]
    assert (
        old["allowedKubernetesNamespaces"] == since["allowedKubernetesNamespaces"] == [account["metadata"]["namespace"]]
    )


def test_job_mounts_what_talos_makes() -> None:
    """The Secret has the name of the ServiceAccount, and lies where the command looks."""
    [account] = [d for d in documents("namespace-and-access.yaml") if d["kind"] == "ServiceAccount"]
    [job] = documents("cronjob.yaml")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}

    assert secrets == {"talos": account["metadata"]["name"]}
    assert mounts["talos"] == "/var/run/secrets/talos.dev"
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
