"""Which etcd the nodes run, and whether a snapshot fits it.

- The restore tool, the server and the snapshot are of one minor (etcd-io/etcd#13070).
- A newer snapshot is refused: etcd 3.6 and later do not start on data of a newer cluster version ("invalid downgrade",
  server/etcdserver/version), and older ones may not know its records.
- An older one, by one minor, is what an upgrade under way looks like, and is used.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.recovery.assessment import Assessment
from etcd_dr.domain.recovery.seats import Seating


@dataclass(frozen=True, slots=True)
class VersionFit:
    """`server` is the lowest version that the nodes of the new cluster run, None: unknown."""

    server: EtcdVersion | None
    note: str = ""
    obstacle: str = ""

    @property
    def minor(self) -> str | None:
        return minor_text(self.server)


def minor_text(version: EtcdVersion | None) -> str | None:
    """Return `3.5` for 3.5.30."""
    return None if version is None else f"{version.major}.{version.minor}"


def common_version(texts: list[str | None]) -> str | None:
    """Return the version that most say; of equals the lower one. None where nobody says one."""
    counts = Counter(v for v in (EtcdVersion.parse(text) for text in texts if text) if v is not None)
    best = min(counts, key=lambda version: (-counts[version], version), default=None)
    return None if best is None else str(best)


def fit_versions(
    assessment: Assessment, seating: Seating, snapshot: Snapshot | None, *, allow_other_minor: bool
) -> VersionFit:
    """Return whether nodes and snapshot fit; `snapshot` None: the source is the cluster's own data."""
    server, note = _servers(assessment, seating)
    if server is None or snapshot is None:
        return VersionFit(server, note)
    taken = _taken_with(snapshot)
    if taken is None:
        return VersionFit(server, note or "the snapshot does not say which etcd it is of")
    steps = (server.major - taken.major) * 100 + server.minor - taken.minor
    if steps == 0:
        return VersionFit(server, note)
    told = f"the snapshot is of etcd {minor_text(taken)}, the nodes run {server}"
    if 0 <= steps <= 1 or allow_other_minor:
        return VersionFit(server, told)
    return VersionFit(server, note, told)


def _servers(assessment: Assessment, seating: Seating) -> tuple[EtcdVersion | None, str]:
    nodes = {seat.node for seat in seating.seats}
    texts = [m.version for m in assessment.members if m.node in nodes and m.version]
    found = sorted({v for v in map(EtcdVersion.parse, texts) if v is not None})
    if not found:
        return EtcdVersion.parse(assessment.etcd_version or ""), ""
    minors = sorted({(v.major, v.minor) for v in found})
    note = f"the nodes run different minors of etcd ({', '.join(map(str, found))})" if len(minors) > 1 else ""
    return found[0], note


def _taken_with(snapshot: Snapshot) -> EtcdVersion | None:
    source, database = snapshot.manifest.source, snapshot.manifest.database
    for text in (source.etcd_version, database.storage_version, database.cluster_version):
        version = EtcdVersion.parse(text or "")
        if version is not None:
            return version
    return None
