"""Find out whether a stored snapshot can be opened here, from its first bytes.

This says that the key fits, and nothing about the rest of the object: that is what `verify_snapshot` is for.
"""

from __future__ import annotations

from collections.abc import Callable

from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import EtcdDrError, SnapshotDamaged
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.object_store import ObjectStore


class _Enough(Exception):
    """The first plain bytes have come: the key fits."""


def try_key(
    snapshot: Snapshot, store: ObjectStore, layout: ClusterLayout, *, decoder: Callable[[], Decoder]
) -> EtcdDrError | None:
    """Return what keeps the snapshot from being opened, None where it opens. `decoder` may raise, too."""
    key = layout.data(snapshot.id)

    def take(piece: bytes) -> None:
        if piece:
            raise _Enough

    try:
        with store.read(key) as chunks:
            decoder().decode(
                chunks,
                take,
                stages=snapshot.manifest.stages,
                subject=store.url(key),
                limit_bytes=snapshot.manifest.database.size_bytes,
            )
    except _Enough:
        return None
    except EtcdDrError as error:
        return error
    return SnapshotDamaged(
        "is empty", subject=str(snapshot.id), next_step="Choose another: etcd-dr snapshot list", context={"key": key}
    )
