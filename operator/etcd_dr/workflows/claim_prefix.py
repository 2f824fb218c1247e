"""Make sure that a store prefix belongs to this etcd cluster, before anything is written below it.

- The marker is `cluster.json`, written by put-if-absent by whoever comes first.
- A prefix of another cluster is refused: two clusters in one place would prune each other's snapshots.
- A recovered cluster has a new id. It is added to the marker on an explicit wish only; the old ids stay, so that its
  older snapshots remain its own.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pydantic import ValidationError

from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.catalogue import ClusterMarker
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.manifest import canonical_json, invalid_record, parse_versioned
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import ForeignCluster, ManifestInvalid, ManifestVersionUnknown, ObjectExists, ObjectMissing
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.object_store import ObjectStore

MARKER_VERSION = 1
MAX_MARKER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class ClaimedPrefix:
    """`change` says what this claim did to the marker: nothing, made it, or added an id to it."""

    marker: ClusterMarker
    change: str = ""

    @property
    def newest_id(self) -> str:
        """The id that was added last: an older one is that of a cluster before a recovery."""
        return self.marker.etcd_cluster_ids[-1]


def read_marker(store: ObjectStore, layout: ClusterLayout) -> ClusterMarker | None:
    """Return who owns the prefix, or None where nobody does yet.

    Raises ManifestInvalid (and its subclass for a newer version) when the marker does not parse or names another
    cluster than the prefix.
    """
    try:
        body = store.get(layout.marker, limit_bytes=MAX_MARKER_BYTES)
    except ObjectMissing:
        return None
    subject = store.url(layout.marker)
    try:
        document = parse_versioned(body, subject=subject, known=MARKER_VERSION)
        marker = ClusterMarker.model_validate(document)
    except ManifestVersionUnknown:
        raise
    except (ManifestInvalid, ValidationError) as error:
        reason = error.message if isinstance(error, ManifestInvalid) else invalid_record(subject, error).message
        raise ManifestInvalid(
            f"does not say which cluster owns this prefix: it {reason}",
            subject=subject,
            next_step=_repair(store, layout),
        ) from error
    if marker.cluster != layout.cluster or not marker.etcd_cluster_ids:
        raise ManifestInvalid(
            f"names cluster {marker.cluster[:80]!r} with {len(marker.etcd_cluster_ids)} ids, in the place of "
            f"{layout.cluster!r}",
            subject=subject,
            next_step=f"Somebody copied or edited it. {_repair(store, layout)}",
        )
    return marker


def look_at_marker(store: ObjectStore, layout: ClusterLayout) -> Answer[ClusterMarker]:
    """Return who owns the prefix, as a value where the marker cannot be read; neither where there is none yet.

    Raises StoreError when the store cannot be asked.
    """
    try:
        return Answer(read_marker(store, layout))
    except ManifestInvalid as error:
        return Answer.failed(Failure.of(error))


def claim_prefix(
    store: ObjectStore,
    layout: ClusterLayout,
    *,
    etcd_cluster_id: int,
    clock: Clock,
    claimed_by: str,
    accept_new_cluster_id: bool = False,
) -> ClaimedPrefix:
    """Return the claim of the cluster on its prefix, making it where it is the first.

    Raises ForeignCluster when the prefix belongs to other ids and the new one is not accepted.
    """
    own_id = id_text(etcd_cluster_id)
    marker = read_marker(store, layout)
    if marker is None:
        fresh = ClusterMarker(
            cluster=layout.cluster, etcd_cluster_ids=(own_id,), created_at=clock.now(), created_by=claimed_by
        )
        try:
            store.put(layout.marker, canonical_json(fresh), if_absent=True)
        except ObjectExists:
            marker = read_marker(store, layout)
        if marker is None:
            return ClaimedPrefix(fresh, "created")
    if own_id in marker.etcd_cluster_ids:
        return ClaimedPrefix(marker)
    if not accept_new_cluster_id:
        raise _foreign(store, layout, marker, own_id)
    extended = marker.model_copy(update={"etcd_cluster_ids": (*marker.etcd_cluster_ids, own_id)})
    store.put(layout.marker, canonical_json(extended), if_absent=False)
    return ClaimedPrefix(extended, "extended")


def _repair(store: ObjectStore, layout: ClusterLayout) -> str:
    url = store.url(layout.marker)
    removal = f"rm {shlex.quote(url.removeprefix('file://'))}" if url.startswith("file://") else f"aws s3 rm {url}"
    return (
        f"Nothing is saved until it does; everything else works. If these snapshots are this cluster's: "
        f"etcd-dr snapshot list --cluster {layout.cluster}; then remove this one object, and the next save writes it "
        f"anew: {removal}; etcd-dr snapshot save --cluster {layout.cluster}"
    )


def _foreign(store: ObjectStore, layout: ClusterLayout, marker: ClusterMarker, own_id: str) -> ForeignCluster:
    known = ", ".join(marker.etcd_cluster_ids)
    return ForeignCluster(
        f"belongs to etcd cluster {known}, but the endpoints lead to {own_id}",
        subject=store.url(layout.root),
        next_step=(
            "If this is the same cluster after a recovery, say so once: "
            f"etcd-dr snapshot save --cluster {layout.cluster} --accept-new-cluster-id. "
            "If it is another cluster, check the endpoints, or give it a name of its own."
        ),
        context={"expected": known, "found": own_id},
    )
