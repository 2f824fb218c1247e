"""List the snapshot folders of one cluster: what exists, by names and sizes alone, before anything is read.

- Names that come back from a store are hostile: one that we would not make becomes an UnreadableEntry, and is shown
  escaped.
- Objects with other names than ours count, and are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from etcd_dr.domain.catalogue import UncommittedEntry, UnreadableEntry
from etcd_dr.domain.proof_name import ProofName
from etcd_dr.domain.snapshot import DATA_NAME, MANIFEST_NAME, PIN_NAME, ClusterLayout, SnapshotId
from etcd_dr.errors import ManifestInvalid
from etcd_dr.ports.object_store import ObjectStore, StoredObject

PROOFS_FOLDER = "proofs/"


@dataclass(slots=True)
class SnapshotFolder:
    """What the listing says about one snapshot folder."""

    name: str
    snapshot_id: SnapshotId
    objects: list[StoredObject] = field(default_factory=list)
    data: StoredObject | None = None
    manifest: StoredObject | None = None
    pin: StoredObject | None = None
    proofs: list[tuple[ProofName, StoredObject]] = field(default_factory=list)

    def add(self, stored: StoredObject, rest: str) -> None:
        """Take in one object; `rest` is its key below the folder. Objects with other names only count."""
        self.objects.append(stored)
        if rest == MANIFEST_NAME:
            self.manifest = stored
        elif rest == DATA_NAME:
            self.data = stored
        elif rest == PIN_NAME:
            self.pin = stored
        elif rest.startswith(PROOFS_FOLDER):
            try:
                self.proofs.append((ProofName.parse(rest.removeprefix(PROOFS_FOLDER)), stored))
            except ValueError:
                return


def list_folders(store: ObjectStore, layout: ClusterLayout) -> tuple[list[SnapshotFolder], list[UnreadableEntry]]:
    """Return the folders in order of time, and the names in their place that etcd-dr does not give."""
    folders: dict[str, SnapshotFolder] = {}
    strange: dict[str, UnreadableEntry] = {}
    for stored in store.list(layout.snapshots):
        name, slash, rest = stored.key.removeprefix(layout.snapshots).partition("/")
        if name in strange:
            continue
        if name not in folders:
            snapshot_id = _parse_name(name) if slash else None
            if snapshot_id is None:
                strange[name] = UnreadableEntry(
                    shown(name), ManifestInvalid.code, "not a name that etcd-dr gives to a snapshot"
                )
                continue
            folders[name] = SnapshotFolder(name, snapshot_id)
        folders[name].add(stored, rest)
    return sorted(folders.values(), key=lambda f: f.snapshot_id), list(strange.values())


def list_uncommitted(store: ObjectStore, layout: ClusterLayout) -> tuple[UncommittedEntry, ...]:
    """Return the folders that have no manifest, from one listing and without reading anything."""
    folders, _ = list_folders(store, layout)
    return tuple(uncommitted(f) for f in folders if f.manifest is None)


def _parse_name(name: str) -> SnapshotId | None:
    try:
        snapshot_id = SnapshotId.parse(name)
    except ValueError:
        return None
    return snapshot_id if str(snapshot_id) == name else None


def shown(name: str) -> str:
    """Return a hostile name so that it can be printed: escaped, and not without end."""
    return name[:100].encode("unicode_escape").decode("ascii")


def uncommitted(folder: SnapshotFolder) -> UncommittedEntry:
    """Return what is told of a folder without a manifest."""
    return UncommittedEntry(
        name=folder.name,
        newest_object_at=max(o.modified_at for o in folder.objects),
        object_count=len(folder.objects),
        size_bytes=sum(o.size_bytes for o in folder.objects),
    )
