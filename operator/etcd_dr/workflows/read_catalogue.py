"""Read the catalogue of one cluster from the store: manifests, proofs and pins, and whatever else lies there.

- One listing tells everything that exists; then manifests, the newest proofs and pins are read, a few at a time in
  parallel. Manifests and proofs never change, so a `RecordCache` makes the next reading cheap for a long process.
- Of the proofs only those are read that decide: the newest of each level, and an older one where that was
  inconclusive.
- Nothing found in a store is trusted: a name that we would not make, a manifest that does not parse or contradicts
  its place becomes an UnreadableEntry; a folder without a manifest an UncommittedEntry. None of them hides the others.
- A proof that does not parse is reported and hides nothing else of its snapshot. A pin that does not parse is a pin.
- A record that the store does not give back hides nothing else either; only when none is given back, its error is
  raised. A store that went away in the middle is asked for no more than a handful of records.
- Whether the data are there, with the size that the manifest says, is told by the listing; their content is the matter
  of proofs.
- What disappears between listing and reading was deleted by somebody, and is left out.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from etcd_dr.domain.catalogue import Catalogue, DataState, Pin, Snapshot, UnreadableEntry
from etcd_dr.domain.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    invalid_record,
    parse_manifest,
    parse_versioned,
)
from etcd_dr.domain.proof import Proof, ProofLevel, ProofResult
from etcd_dr.domain.proof_name import ProofName
from etcd_dr.domain.snapshot import ClusterLayout
from etcd_dr.errors import EtcdDrError, ManifestInvalid, ObjectMissing, StoreError, StoreUnreachable
from etcd_dr.ports.object_store import ObjectStore, StoredObject
from etcd_dr.workflows.list_folders import PROOFS_FOLDER, SnapshotFolder, list_folders, shown, uncommitted

_PARALLEL_READS = 8
_CACHED_RECORDS = 50_000

_NOT_READABLE = (ManifestInvalid, StoreError)

Record = TypeVar("Record", bound=BaseModel)


class RecordCache:
    """Remembers parsed manifests and proofs by name, size and time of change; oldest go first. Safe from any thread."""

    def __init__(self, most: int = _CACHED_RECORDS) -> None:
        self._most = most
        self._mutex = threading.Lock()
        self._records: OrderedDict[StoredObject, BaseModel] = OrderedDict()

    def get(self, stored: StoredObject) -> BaseModel | None:
        with self._mutex:
            return self._records.get(stored)

    def put(self, stored: StoredObject, record: BaseModel) -> None:
        with self._mutex:
            self._records[stored] = record
            while len(self._records) > self._most:
                self._records.popitem(last=False)


def read_catalogue(
    store: ObjectStore,
    layout: ClusterLayout,
    *,
    newest: int | None = None,
    with_proofs: bool = True,
    cache: RecordCache | None = None,
) -> Catalogue:
    """Return the catalogue of the cluster. `newest` reads only so many of the newest committed snapshots;
    `with_proofs=False` leaves proofs out, so that nothing in it counts as proven.

    Raises StoreError when the store cannot be listed, or gives back nothing of what it listed.
    """
    folders, unreadable = list_folders(store, layout)
    committed = [f for f in folders if f.manifest is not None]
    reader = _Reader(store, layout, with_proofs=with_proofs, cache=cache or RecordCache())
    chosen = committed if newest is None else _newest(committed, newest)
    with ThreadPoolExecutor(_PARALLEL_READS, thread_name_prefix="catalogue") as pool:
        entries = list(pool.map(reader.read, chosen))
    refused = [e.refused for e in entries if e.refused]
    if refused and not any(e.snapshot for e in entries):
        raise refused[0]
    snapshots = sorted((e.snapshot for e in entries if e.snapshot), key=lambda s: s.order)
    return Catalogue(
        cluster=layout.cluster,
        snapshots=tuple(snapshots if newest is None else snapshots[max(0, len(snapshots) - newest) :]),
        unreadable=(*unreadable, *(u for e in entries for u in e.unreadable)),
        uncommitted=tuple(uncommitted(f) for f in folders if f.manifest is None),
    )


def _newest(folders: list[SnapshotFolder], count: int) -> list[SnapshotFolder]:
    """Return so many of the newest, and those of the same second: which of them is newer, only their manifests tell."""
    if not 0 < count < len(folders):
        return folders if count else []
    since = folders[-count].snapshot_id.taken_at
    return [folder for folder in folders if folder.snapshot_id.taken_at >= since]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What came of one folder: nothing where it was deleted meanwhile. `refused` is the store's error, if any."""

    snapshot: Snapshot | None = None
    unreadable: tuple[UnreadableEntry, ...] = ()
    refused: StoreError | None = None


class _Reader:
    """Reads one folder's records; used from several threads."""

    def __init__(self, store: ObjectStore, layout: ClusterLayout, *, with_proofs: bool, cache: RecordCache) -> None:
        self._store = store
        self._layout = layout
        self._with_proofs = with_proofs
        self._cache = cache
        self._unreached = 0

    def read(self, folder: SnapshotFolder) -> _Entry:
        if folder.manifest is None:
            raise AssertionError("only folders with a manifest are read")
        try:
            manifest = self._manifest(folder, folder.manifest)
        except ObjectMissing:
            return _Entry()
        except _NOT_READABLE as error:
            refused = error if isinstance(error, StoreError) else None
            return _Entry(unreadable=(_unreadable(folder.name, error),), refused=refused)
        proofs, unreadable = self._deciding_proofs(folder) if self._with_proofs else ([], [])
        snapshot = Snapshot(
            manifest, tuple(sorted(proofs, key=lambda p: p.at)), self._pin(folder), self._data_state(folder, manifest)
        )
        return _Entry(snapshot, tuple(unreadable))

    def _data_state(self, folder: SnapshotFolder, manifest: Manifest) -> DataState:
        if folder.data is not None:
            is_whole = folder.data.size_bytes == manifest.stored_size_bytes
            return DataState.PRESENT if is_whole else DataState.SIZE_DIFFERS
        try:
            self._store.head(self._layout.data(manifest.snapshot_id))
        except ObjectMissing:
            return DataState.MISSING
        except StoreError:  # then nobody knows, and reading the data will tell
            return DataState.PRESENT
        return DataState.PRESENT  # it arrived between the pages of the listing, and its manifest after it

    def _manifest(self, folder: SnapshotFolder, stored: StoredObject) -> Manifest:
        def parse(body: bytes) -> Manifest:
            subject = self._store.url(stored.key)
            manifest = parse_manifest(body, subject=subject)
            if manifest.id != folder.name or manifest.cluster != self._layout.cluster:
                raise ManifestInvalid(
                    f"is that of {shown(manifest.cluster)}/{shown(manifest.id)}, in another one's place",
                    subject=subject,
                    next_step="Somebody copied or edited it. Compare it with the data beside it before using either.",
                )
            return manifest

        return self._read(stored, Manifest, parse)

    def _deciding_proofs(self, folder: SnapshotFolder) -> tuple[list[Proof], list[UnreadableEntry]]:
        by_level: defaultdict[ProofLevel, list[tuple[ProofName, StoredObject]]] = defaultdict(list)
        for name, stored in folder.proofs:
            by_level[name.level].append((name, stored))
        proofs: list[Proof] = []
        unreadable: list[UnreadableEntry] = []
        for level, named in by_level.items():
            decided_at = None
            for name, stored in sorted(named, key=lambda pair: (pair[0].at, pair[0].token), reverse=True):
                if decided_at is not None and name.at < decided_at:
                    break  # names count whole seconds: of the second that decides, all are read
                try:
                    proofs.append(self._proof(stored, level))
                except ObjectMissing:
                    continue
                except _NOT_READABLE as error:
                    unreadable.append(_unreadable(f"{folder.name}/{PROOFS_FOLDER}{name}", error))
                    continue
                if proofs[-1].result is not ProofResult.INCONCLUSIVE:
                    decided_at = name.at
        return proofs, unreadable

    def _proof(self, stored: StoredObject, level: ProofLevel) -> Proof:
        def parse(body: bytes) -> Proof:
            proof = _parse(Proof, body, self._store.url(stored.key))
            if proof.level is not level:
                raise ManifestInvalid(
                    f"is a proof of {proof.level}, named as one of {level}", subject=self._store.url(stored.key)
                )
            return proof

        return self._read(stored, Proof, parse)

    def _pin(self, folder: SnapshotFolder) -> Pin | None:
        if folder.pin is None:
            return None
        try:
            return _parse(Pin, self._get(folder.pin), self._store.url(folder.pin.key))
        except ObjectMissing:
            return None
        except _NOT_READABLE as error:
            return Pin(at=folder.pin.modified_at, by="unknown", reason=f"the pin cannot be read: {error.message}")

    def _read(self, stored: StoredObject, kind: type[Record], parse: Callable[[bytes], Record]) -> Record:
        known = self._cache.get(stored)
        if isinstance(known, kind):
            return known
        record = parse(self._get(stored))
        self._cache.put(stored, record)
        return record

    def _get(self, stored: StoredObject) -> bytes:
        """Read a record. A store that let as many reads time out as there are threads is not asked again."""
        if self._unreached >= _PARALLEL_READS:
            raise StoreUnreachable("not asked: the store stopped answering", subject=self._store.url(stored.key))
        try:
            body = self._store.get(stored.key, limit_bytes=MAX_MANIFEST_BYTES)
        except StoreUnreachable:
            self._unreached += 1
            raise
        self._unreached = 0
        return body


def _unreadable(name: str, error: EtcdDrError) -> UnreadableEntry:
    return UnreadableEntry(name, error.code, error.message)


def _parse(kind: type[Record], body: bytes, subject: str) -> Record:
    document = parse_versioned(body, subject=subject, known=1)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise invalid_record(subject, error) from error
