"""How the nodes that run etcd are reached and how they run it; what `etcd-dr recover` needs beside the store."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import FilePath, Section


class NodeSection(Section):
    """One control-plane node."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    """What it is called here; where etcd runs as a local process, its directory's name."""
    address: str | None = None
    """Host or address, or a `Host` of the ssh configuration; unset: the name."""

    @field_validator("address")
    @classmethod
    def _plain(cls, text: str | None) -> str | None:
        if text is not None and (not text or text.startswith("-") or any(c.isspace() for c in text)):
            raise ValueError("is not a host, an address or a name of the ssh configuration")
        return text


class SshSection(Section):
    """How nodes are logged in to. What is unset is for your own ssh configuration to say."""

    user: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$")
    """Log in as."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port of the ssh server."""
    identity_file: FilePath | None = None
    """Private key; unset: your agent's and your usual ones."""
    config_file: FilePath | None = None
    """ssh configuration to read instead of ~/.ssh/config, such as one on the break-glass stick."""
    options: tuple[str, ...] = ()
    """More options as `ssh -o` takes them, such as ProxyJump=bastion."""
    program: str = Field(default="ssh", min_length=1)
    """The ssh client."""
    sudo: Literal["auto", "always", "never"] = "auto"
    """Whether commands go through `sudo -n`; auto: where the login is not root's."""
    connect_timeout: PositiveDuration = timedelta(seconds=10)
    """Longest wait for a connection."""


class StaticPodSection(Section):
    """etcd as the kubelet's static pod, as kubeadm sets it up."""

    manifests_dir: str = Field(default="/etc/kubernetes/manifests", pattern="^/.+")
    """The kubelet's staticPodPath on the nodes."""
    manifest: str = "etcd.yaml"
    """etcd's manifest in it."""
    writers: tuple[str, ...] = ("kube-apiserver.yaml",)
    """Manifests of what writes to etcd, in the order in which they are stopped."""

    @field_validator("manifest", "writers")
    @classmethod
    def _in_the_directory(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (value,) if isinstance(value, str) else value:
            if not name or "/" in name or name.startswith((".", "-")):
                raise ValueError(f"{name!r} is not the name of a file in manifests_dir")
        return value


class SystemdSection(Section):
    """etcd as a systemd unit."""

    unit: str = Field(default="etcd.service", pattern=r"^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*$")
    """etcd's unit."""
    writers: tuple[str, ...] = ("kube-apiserver.service",)
    """Units of what writes to etcd, in the order in which they are stopped; one that a node does not have is skipped."""
    drop_ins: str = Field(default="/etc/systemd/system", pattern="^/.+")
    """Where drop-ins are written on the nodes."""
    state_dir: str = Field(default="/var/lib/etcd-dr", pattern="^/.+")
    """Where it is noted on the nodes what ran before."""


class LocalSection(Section):
    """etcd as processes of this machine, for trying things out."""

    root: FilePath
    """Directory with one directory for each node, each with a `node.json` (docs/control-planes.md)."""


class ControlPlaneSection(Section):
    """The nodes that run this cluster's etcd, for recovery."""

    platform: Literal["static-pod", "systemd", "local"]
    """How the nodes run etcd."""
    nodes: tuple[NodeSection, ...] = ()
    """The nodes, in the order in which they are dealt with; may be left out for `local`."""
    ssh: SshSection = SshSection()
    static_pod: StaticPodSection = StaticPodSection()
    systemd: SystemdSection = SystemdSection()
    local: LocalSection | None = None
    """Needed where the platform is `local`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ValueError("two nodes have the same name")
        if self.platform == "local" and self.local is None:
            raise ValueError("local.root is missing")
        if self.platform != "local" and not self.nodes:
            raise ValueError("nodes are missing")
        return self
