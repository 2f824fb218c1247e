"""Companions: files that a recovery needs beside the database, and what a manifest says of them.

Rules:
- A companion is called `<origin>/<path>`: the node it was read from (`local`: where the command ran), then its
  absolute path without the first slash. Names come back from a bucket and are hostile: `parse_name` accepts exactly
  what `companion_name` makes.
- Regular files only, with their permission bits. Owner, times, links and devices are not kept.
- The manifest names them with sizes and modes, and what was missing; never their content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from etcd_dr.domain.manifest import CompanionEntry, CompanionsFacts

LOCAL = "local"
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_LONGEST_NAME = 1000

# What kubeadm puts on a control-plane node and a new one cannot do without (kubeadm: constants.go). Those that a node
# does not have are no loss: not every kubeadm makes every file.
KUBEADM_FILES = (
    *(f"/etc/kubernetes/manifests/{n}.yaml" for n in ("etcd", "kube-apiserver", "kube-controller-manager")),
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
    *(
        f"/etc/kubernetes/pki/{name}.{kind}"
        for name in (
            "ca",
            "front-proxy-ca",
            "front-proxy-client",
            "apiserver",
            "apiserver-etcd-client",
            "apiserver-kubelet-client",
            "etcd/ca",
            "etcd/server",
            "etcd/peer",
            "etcd/healthcheck-client",
        )
        for kind in ("crt", "key")
    ),
    "/etc/kubernetes/pki/sa.key",
    "/etc/kubernetes/pki/sa.pub",
    *(f"/etc/kubernetes/{n}.conf" for n in ("admin", "super-admin", "controller-manager", "scheduler", "kubelet")),
)


@dataclass(frozen=True, slots=True)
class CompanionFile:
    """One file with its content. `body` is secret."""

    name: str
    mode: int
    body: bytes

    def __repr__(self) -> str:
        return f"CompanionFile({self.name!r}, {len(self.body)} bytes)"

    @property
    def entry(self) -> CompanionEntry:
        return CompanionEntry(name=self.name, size_bytes=len(self.body), mode=self.mode)


@dataclass(frozen=True, slots=True)
class CompanionLimits:
    """What is gathered at most, so that a wrong path never takes a disk into the store."""

    total_bytes: int = 16 << 20
    files: int = 1000


def companion_name(origin: str, path: str) -> str:
    """Return the name of a file. Raises ValueError for an origin or a path that `parse_name` would not give back."""
    name = f"{origin}/{path.removeprefix('/')}"
    parse_name(name)
    return name


def parse_name(name: str) -> tuple[str, str]:
    """Return origin and absolute path. Raises ValueError for anything that could lead elsewhere."""
    origin, slash, rest = name.partition("/")
    parts = rest.split("/")
    if not slash or not _ORIGIN.fullmatch(origin) or len(name) > _LONGEST_NAME:
        raise ValueError(f"not the name of a companion: {name[:80]!r}")
    if any(part in ("", ".", "..") for part in parts) or not name.isprintable() or "\\" in name:
        raise ValueError(f"not the name of a companion: {name[:80]!r}")
    return origin, f"/{rest}"


def permission_bits(mode: int) -> int:
    """Return what is kept of a file's mode."""
    return mode & 0o777


def find_companion(files: Iterable[CompanionFile], *, node: str, path: str) -> CompanionFile | None:
    """Return the file that belongs at `path` on a node: its own, else the one from where the command ran."""
    by_name = {file.name: file for file in files}
    return by_name.get(f"{node}{path}") or by_name.get(f"{LOCAL}{path}")


def missing_companions(facts: CompanionsFacts | None, *, node: str, has_file: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the absolute paths that this node had when the snapshot was taken and that `has_file` does not find."""
    if facts is None:
        return ()
    paths = []
    for entry in facts.files:
        try:
            origin, path = parse_name(entry.name)
        except ValueError:
            continue
        if origin == node and not has_file(path):
            paths.append(path)
    return tuple(sorted(paths))
