"""Bring a stored snapshot back as a plain file that `etcdutl snapshot restore` takes.

The file appears under its name only when the bytes in the store and those in the file have the digests that the
manifest names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.events import Progress
from etcd_dr.ports.local_files import FileSink
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.decode_stored import decode_stored


@dataclass(frozen=True, slots=True)
class FetchedSnapshot:
    """A plain file with the digest that the manifest names."""

    path: Path
    size_bytes: int
    digest: Digest


def fetch_snapshot(
    store: ObjectStore,
    layout: ClusterLayout,
    manifest: Manifest,
    destination: Path,
    *,
    decoder: Decoder,
    files: FileSink,
    cancellation: Cancellation,
    progress: Progress,
    overwrite: bool = False,
) -> FetchedSnapshot:
    """Write the plain snapshot to `destination` (mode 0600) and return it.

    Raises SnapshotDamaged, ObjectMissing and other StoreErrors, IdentityMissing, DecryptionFailed, UnsupportedFormat,
    LocalStorageFull, UsageError (the file exists), Cancelled; then nothing is left at the destination.
    """
    part = files.begin_file(destination, overwrite=overwrite)
    is_whole = False
    progress.begin("fetching", total_bytes=manifest.stored_size_bytes)
    try:
        decoded = decode_stored(
            store, layout, manifest, part.write, decoder=decoder, cancellation=cancellation, progress=progress
        )
        problem = decoded.problem(manifest)
        if problem is not None:
            raise problem
        path = part.commit()
        is_whole = True
    finally:
        progress.finish()
        if not is_whole:
            part.abort()
    return FetchedSnapshot(path, decoded.plain_bytes, decoded.plain_digest)
