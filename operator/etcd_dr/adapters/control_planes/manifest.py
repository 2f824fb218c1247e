"""A static pod's manifest: what it starts, where its data lies on the host, and a copy that joins a cluster.

The kubelet starts what the manifest says; etcd sees the container's paths, and the host's follow from the hostPath
volumes (kubeadm mounts /var/lib/etcd under its own name). The original is never edited: `joining` returns a copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from etcd_dr.adapters.control_planes.flags import EtcdSettings
from etcd_dr.domain.recovery.sight import Launch

_VERSION = re.compile(r":v?(\d+\.\d+\.\d+)")


class ManifestUnreadable(ValueError):
    """It is not the manifest of a pod that runs etcd; the text says why."""


@dataclass(frozen=True, slots=True)
class EtcdManifest:
    """`data_dir` is the container's own name for it, which is what stands on the process's command line."""

    launch: Launch
    data_dir: str
    program: str
    container: str
    version: str | None
    settings: EtcdSettings


def read_manifest(text: bytes) -> EtcdManifest:
    """Return what a manifest starts. Raises ManifestUnreadable."""
    pod = _load(text)
    container = _etcd_container(pod)
    command = _command(container)
    settings = EtcdSettings(command[1:], _environment(container))
    inside = settings.launch()
    found = _VERSION.search(str(container.get("image", "")))
    return EtcdManifest(
        launch=settings.launch(
            data_dir=_on_host(pod, container, inside.data_dir),
            wal_dir=_on_host(pod, container, inside.wal_dir) if inside.wal_dir else None,
        ),
        data_dir=inside.data_dir,
        program=PurePosixPath(command[0]).name,
        container=str(container.get("name", "etcd")),
        version=found[1] if found else None,
        settings=settings,
    )


def joining(text: bytes, members: Mapping[str, Sequence[str]]) -> bytes:
    """Return a copy of the manifest with which etcd joins these members. Raises ManifestUnreadable."""
    pod = _load(text)
    container = _etcd_container(pod)
    settings = EtcdSettings(_command(container)[1:], _environment(container))
    if settings.problem:
        raise ManifestUnreadable(settings.problem)
    how = settings.joining(members)
    # Arguments follow the command, so flags added to them are the last ones (Kubernetes, container command and args).
    where = "args" if container.get("args") else "command"
    container[where] = [*container[where], *how.flags]
    for entry in container.get("env") or []:
        if entry.get("name") in how.environment:
            entry["value"] = how.environment[entry["name"]]
    return yaml.safe_dump(pod, sort_keys=False).encode()


def program_of(text: bytes) -> tuple[str, str]:
    """Return the name of the first container of a pod and of the program that it runs. Raises ManifestUnreadable."""
    pod = _load(text)
    container = _containers(pod)[0]
    return str(container.get("name", "")), PurePosixPath(_command(container)[0]).name


def describe_pod(text: bytes) -> tuple[str, str, str, list[str]]:
    """Return a pod's name, and the program, image and arguments of its first container; a program may be untold.

    Raises ManifestUnreadable.
    """
    pod = _load(text)
    container = _containers(pod)[0]
    words = _words(container)
    metadata = pod.get("metadata")
    name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
    program = PurePosixPath(words[0]).name if words else ""
    return name, program, str(container.get("image", "")), words[1:]


def _load(text: bytes) -> dict[str, Any]:
    try:
        pod = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestUnreadable(f"is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(pod, dict) or pod.get("kind") != "Pod":
        raise ManifestUnreadable("is not the manifest of a Pod")
    return pod


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    spec = pod.get("spec")
    found = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found) or not found:
        raise ManifestUnreadable("has no containers")
    return found


def _etcd_container(pod: dict[str, Any]) -> dict[str, Any]:
    for container in _containers(pod):
        words = _words(container)
        if container.get("name") == "etcd" or (words and PurePosixPath(words[0]).name == "etcd"):
            return container
    raise ManifestUnreadable("has no container named etcd")


def _command(container: dict[str, Any]) -> list[str]:
    words = _words(container)
    if not words:
        raise ManifestUnreadable("does not say the command that its container runs")
    if PurePosixPath(words[0]).name in ("sh", "bash", "ash", "dash"):
        raise ManifestUnreadable("starts its program through a shell")
    return words


def _words(container: dict[str, Any]) -> list[str]:
    return [str(word) for part in ("command", "args") for word in (container.get(part) or [])]


def _environment(container: dict[str, Any]) -> dict[str, str]:
    entries = container.get("env") or []
    return {
        str(entry["name"]): str(entry["value"])
        for entry in entries
        if isinstance(entry, dict) and "name" in entry and "value" in entry
    }


def _on_host(pod: dict[str, Any], container: dict[str, Any], path: str) -> str:
    """Return the host's name of a path in the container; the longest mount that holds it counts."""
    volumes = {
        each.get("name"): each.get("hostPath", {}).get("path")
        for each in pod["spec"].get("volumes") or []
        if isinstance(each, dict)
    }
    mounts = [
        (PurePosixPath(str(mount["mountPath"])), volumes.get(mount.get("name")), str(mount.get("subPath") or ""))
        for mount in container.get("volumeMounts") or []
        if isinstance(mount, dict) and "mountPath" in mount
    ]
    inside = PurePosixPath(path)
    for at, source, below in sorted(mounts, key=lambda mount: len(mount[0].parts), reverse=True):
        if inside.is_relative_to(at):
            if source is None:
                raise ManifestUnreadable(f"keeps {path} on a volume that is no directory of the host")
            return str(PurePosixPath(source) / below / inside.relative_to(at))
    raise ManifestUnreadable(f"keeps {path} inside the container, where it is lost with it")
