"""The catalogue: committed snapshots of one cluster with their proofs and pins, as read from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from etcd_dr.domain.key_count import KeyFall
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult, newest_by_level
from etcd_dr.domain.snapshot import SnapshotId


class Pin(BaseModel):
    """A mark that keeps a snapshot from retention until it is taken away. `fall`: keys vanished after it was taken."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    at: AwareDatetime
    by: str
    reason: str = ""
    fall: KeyFall | None = None


class ClusterMarker(BaseModel):
    """`cluster.json`: which etcd cluster owns a prefix. `etcd_cluster_ids` grows when a recovery makes a new id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    cluster: str
    etcd_cluster_ids: tuple[str, ...]
    created_at: AwareDatetime
    created_by: str


class DataState(StrEnum):
    """What a listing tells of a snapshot's data: whether they are there, with the size that the manifest says."""

    PRESENT = "present"
    MISSING = "missing"
    SIZE_DIFFERS = "size-differs"


@dataclass(frozen=True)
class Snapshot:
    """One committed snapshot. `proofs` are in order of time; `data` is newer than any of them.

    No `slots`: what its proofs say is worked out once. Metrics, rules and pages ask thousands of them again and again.
    """

    manifest: Manifest
    proofs: tuple[Proof, ...] = ()
    pin: Pin | None = None
    data: DataState = DataState.PRESENT

    @property
    def id(self) -> SnapshotId:
        return self.manifest.snapshot_id

    @property
    def taken_at(self) -> datetime:
        return self.manifest.taken_at

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        """What snapshots are sorted by, oldest first.

        `taken_at` counts whole seconds: of two that were begun in one second, the one that was finished later is newer.
        """
        return self.taken_at, self.manifest.finished_at, self.manifest.id

    @property
    def stored_bytes(self) -> int:
        """What its data and its companions take in the store; the manifest and the proofs are not counted."""
        companions = self.manifest.companions
        return self.manifest.stored_size_bytes + (companions.stored_size_bytes if companions is not None else 0)

    @cached_property
    def newest_proofs(self) -> Mapping[ProofLevel, Proof]:
        return MappingProxyType(newest_by_level(self.proofs))

    @property
    def is_damaged(self) -> bool:
        """Whether its data are gone or cut off, or the newest proof of any level failed."""
        return bool(self.damage)

    @cached_property
    def damage(self) -> str:
        """What is wrong with it, for a person; empty where nothing is known to be."""
        if self.data is DataState.MISSING:
            return "its data are not in the store any more"
        if self.data is DataState.SIZE_DIFFERS:
            return f"its data do not have the {self.manifest.stored_size_bytes} bytes that were written"
        failed = [p for p in self.newest_proofs.values() if p.result is ProofResult.FAILED]
        return "; ".join(f"{proof.level}: {proof.detail}" for proof in failed)

    @cached_property
    def is_proven(self) -> bool:
        """Whether it is known to be stored as written and intact, and nothing newer says otherwise."""
        return self.was_proven and not self.is_damaged

    @property
    def was_proven(self) -> bool:
        """Whether its proofs alone, which know nothing of what happened to the data since, say that it is proven."""
        newest = self.newest_proofs
        needed = (ProofLevel.STORED, ProofLevel.INTACT)
        has_failed = any(proof.result is ProofResult.FAILED for proof in newest.values())
        return not has_failed and all(level in newest and newest[level].passed for level in needed)

    @cached_property
    def opened_at(self) -> datetime | None:
        """When its stored object was last decrypted and found whole; None: as far as its proofs tell, never.

        The operator proves its scratch copy, so only this shows that somebody has a key.
        """
        opened = (
            proof.at
            for proof in self.proofs
            if proof.passed and proof.made_from is ProofOrigin.STORED_OBJECT and proof.level is not ProofLevel.STORED
        )
        return max(opened, default=None)

    @cached_property
    def level(self) -> ProofLevel | None:
        """The highest level that passed, or None; a damaged snapshot has none."""
        if self.is_damaged:
            return None
        passed = [level for level, proof in self.newest_proofs.items() if proof.passed]
        return max(passed, key=lambda level: level.rank, default=None)


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """A snapshot folder whose manifest does not parse: reported, never silently skipped, never deleted by us."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class UncommittedEntry:
    """A snapshot folder without a manifest: an upload under way, or the remains of one that was cut off."""

    name: str
    newest_object_at: datetime
    object_count: int
    size_bytes: int

    def is_stale(self, *, now: datetime, grace: timedelta) -> bool:
        return now - self.newest_object_at > grace


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All snapshots of one cluster, oldest first, with what else was found in their place."""

    cluster: str
    snapshots: tuple[Snapshot, ...]
    unreadable: tuple[UnreadableEntry, ...] = ()
    uncommitted: tuple[UncommittedEntry, ...] = ()

    @property
    def newest(self) -> Snapshot | None:
        return self.snapshots[-1] if self.snapshots else None

    @property
    def newest_proven(self) -> Snapshot | None:
        return next((s for s in reversed(self.snapshots) if s.is_proven), None)
