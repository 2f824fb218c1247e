"""Rules on the data directory and the file system under it."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.doctor.hosts.observation import DataEvidence, HostObservation, HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity

_OVER_NETWORK = ("nfs", "nfs4", "cifs", "smb2", "fuseblk", "fuse", "ceph", "glusterfs")
_IN_MEMORY = ("tmpfs", "ramfs")
_LEAST_SHARE, _LEAST_BYTES = 0.05, 256 << 20


def missing(seen: HostsObservation) -> Iterator[Finding]:
    anybody = any(n.data is not None and not n.data.is_empty for n in seen.nodes)
    for node in seen.nodes:
        data = node.data
        if data is None or not data.is_empty:
            continue
        said = "is empty" if data.exists else "does not exist"
        yield Finding(
            "data.missing",
            Severity.CRITICAL,
            f"the data directory {data.directory} {said}"
            + (f", and {data.aside[0]} was set aside" if data.aside else ""),
            "Is its disk mounted, and is the path the right one? "
            f"{node.command(f'findmnt -T {data.directory}; ls -la {data.directory}')} If it is gone for good: "
            + ("etcd-dr recover plan (the others have theirs)" if anybody else "etcd-dr recover plan, from a snapshot"),
            member=node.name,
            evidence={"set_aside": ", ".join(data.aside) or None},
        )


def half(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        data = node.data
        if data is None or data.is_empty:
            continue
        if data.database is None or not data.wal_files or data.wal_problem:
            said = data.wal_problem or ("has no database" if data.database is None else "has a database and no WAL")
            yield Finding(
                "data.damaged",
                Severity.CRITICAL,
                f"the data directory {data.directory} {said}",
                "A member cannot start from a part of its data. Move nothing by hand: etcd-dr recover plan sets it aside "
                "and replaces it",
                member=node.name,
            )


def rights(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        data = node.data
        root = data.paths.get("data") if data is not None else None
        if data is None or root is None or not root.exists:
            continue
        inner = {p.owner for name, p in data.paths.items() if p.exists and name != "data"}
        strange = sorted(inner - {root.owner})
        if strange:
            yield Finding(
                "data.owner",
                Severity.WARNING if node.is_running else Severity.CRITICAL,
                f"{data.directory} belongs to uid {root.owner}, and what is in it to uid {', '.join(map(str, strange))}",
                "Files that were copied or restored as another user cannot be opened by etcd. Give all of them the "
                f"owner that etcd runs as: {node.command(f'chown -R {root.owner}:{root.group} {data.directory}')}",
                member=node.name,
                evidence={"owner": root.owner, "inside": ", ".join(map(str, strange))},
            )
        elif node.process_uid is not None and node.process_uid not in (0, root.owner):
            yield Finding(
                "data.owner",
                Severity.WARNING,
                f"etcd runs as uid {node.process_uid}, and {data.directory} belongs to uid {root.owner}",
                "It cannot write there after its next start: "
                f"{node.command(f'chown -R {node.process_uid} {data.directory}')}",
                member=node.name,
            )
        if root.mode & 0o077:
            yield Finding(
                "data.mode",
                Severity.WARNING,
                f"{data.directory} has mode {root.mode:04o}: others may read every Secret in it",
                f"etcd makes it 0700, and warns of anything else: {node.command(f'chmod 700 {data.directory}')}",
                member=node.name,
            )


def identities(seen: HostsObservation) -> Iterator[Finding]:
    known: dict[int, list[str]] = {}
    for node in seen.nodes:
        if node.data is not None and node.data.cluster_id is not None:
            known.setdefault(node.data.cluster_id, []).append(node.name)
    if len(known) > 1:
        told = {id_text(cluster): ", ".join(names) for cluster, names in known.items()}
        yield Finding(
            "data.several_clusters",
            Severity.CRITICAL,
            "the nodes hold data of different clusters: " + "; ".join(f"{c} on {names}" for c, names in told.items()),
            "A restore that reached some nodes only, or a node from elsewhere. Stop there, wipe none of them, and see "
            "which one is yours: etcd-dr members; etcd-dr snapshot list; then: etcd-dr recover plan",
            evidence=dict(told),
        )


def room(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        data = node.data
        if data is None:
            continue
        yield from _full(node, data)
        if data.filesystem in _OVER_NETWORK or data.filesystem in _IN_MEMORY:
            lost = data.filesystem in _IN_MEMORY
            yield Finding(
                "disk.kind",
                Severity.CRITICAL if lost else Severity.WARNING,
                f"{data.directory} lies on {data.filesystem}" + (", which a reboot empties" if lost else ""),
                "etcd needs a local disk of its own that keeps what was synced. See: "
                f"{node.command(f'findmnt -T {data.directory}')}",
                member=node.name,
            )


def _full(node: HostObservation, data: DataEvidence) -> Iterator[Finding]:
    free, total = data.free_bytes, data.total_bytes
    if free is not None and total:
        database = data.database.size_bytes if data.database is not None else 0
        is_empty_of_room = free < 16 << 20
        if is_empty_of_room or (free < total * _LEAST_SHARE and free < max(_LEAST_BYTES, 2 * database) * 4):
            yield Finding(
                "disk.full",
                Severity.CRITICAL if is_empty_of_room else Severity.WARNING,
                f"{free >> 20} MiB of {total >> 20} MiB are free under {data.directory}",
                "Make room (images, logs, journals; never files of etcd), or etcd stops: "
                f"{node.command(f'df -h {data.directory}; du -xh --max-depth 2 /var | sort -h | tail')}",
                member=node.name,
                evidence={"free_bytes": free, "total_bytes": total, "database_bytes": database},
            )
    if data.free_inodes is not None and data.total_inodes and data.free_inodes < data.total_inodes * 0.01:
        yield Finding(
            "disk.inodes",
            Severity.CRITICAL if data.free_inodes == 0 else Severity.WARNING,
            f"{data.free_inodes} of {data.total_inodes} inodes are free under {data.directory}",
            f"No file can be made without one. See what has so many: {node.command(f'df -i {data.directory}')}",
            member=node.name,
            evidence={"free_inodes": data.free_inodes, "total_inodes": data.total_inodes},
        )


RULES = (
    HostRule(missing, ("data.missing",)),
    HostRule(half, ("data.damaged",)),
    HostRule(rights, ("data.owner", "data.mode")),
    HostRule(identities, ("data.several_clusters",)),
    HostRule(room, ("disk.full", "disk.inodes", "disk.kind")),
)
