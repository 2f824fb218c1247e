"""Write proofs and the manifest: the last object of a snapshot, and the one that makes it exist.

- Where somebody is asked first (`confirm`), it is asked when all else is stored, so that its yes can be made good by
  putting the manifest and nothing more.
- Proofs that are known beforehand go first, so that a snapshot is never visible with less than is known of it.
- The manifest is put if absent. Where the store cannot promise that, the manifest says so itself (`commit`).
- A put whose answer was lost is taken for done when the very same bytes are there.
- Once the manifest was tried, nothing is removed: it may have arrived, and a manifest without its data would be worse
  than data without a manifest, which the sweep finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from etcd_dr.domain.manifest import MAX_MANIFEST_BYTES, Manifest, canonical_json
from etcd_dr.domain.proof import Proof
from etcd_dr.domain.proof_name import ProofName
from etcd_dr.domain.snapshot import ClusterLayout, SnapshotId
from etcd_dr.errors import Busy, Cancelled, ObjectExists, StoreError
from etcd_dr.ports.clock import TokenSource
from etcd_dr.ports.object_store import ObjectStore


def commit_snapshot(
    store: ObjectStore,
    layout: ClusterLayout,
    manifest: Manifest,
    proofs: Sequence[Proof],
    *,
    tokens: TokenSource,
    confirm: Callable[[Manifest], object] | None = None,
) -> None:
    """Make a snapshot whose data is stored visible with its proofs.

    Raises ObjectExists when another manifest is in its place, and whatever `confirm` raises. When a proof cannot be
    written, or `confirm` says no (Busy, Cancelled), the whole folder is removed.
    """
    snapshot_id = manifest.snapshot_id
    try:
        for proof in proofs:
            append_proof(store, layout, snapshot_id, proof, token=tokens.token())
    except StoreError:
        discard_folder(store, layout, snapshot_id)
        raise
    if confirm is not None:
        try:
            confirm(manifest)
        except (Busy, Cancelled):
            discard_folder(store, layout, snapshot_id)
            raise
    put_manifest(store, layout, manifest)


def put_manifest(store: ObjectStore, layout: ClusterLayout, manifest: Manifest) -> None:
    """Make the snapshot exist. Doing it again with the same manifest changes nothing. Raises ObjectExists."""
    _put_once(store, layout.manifest(manifest.snapshot_id), canonical_json(manifest))


def append_proof(
    store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId, proof: Proof, *, token: str
) -> None:
    """Write one proof beside its snapshot. `token` is a fresh one of the port's TokenSource."""
    name = ProofName(proof.level, proof.at, token)
    _put_once(store, f"{layout.proofs(snapshot_id)}{name}", canonical_json(proof))


def discard_folder(store: ObjectStore, layout: ClusterLayout, snapshot_id: SnapshotId) -> None:
    """Remove what there is of a snapshot that never got a manifest. What cannot be removed is left for the sweep."""
    with suppress(StoreError):
        for stored in list(store.list(layout.folder(snapshot_id))):
            store.delete(stored.key)


def _put_once(store: ObjectStore, key: str, body: bytes) -> None:
    try:
        store.put(key, body, if_absent=True)
    except ObjectExists:
        if store.get(key, limit_bytes=MAX_MANIFEST_BYTES) != body:
            raise
