"""Proofs: dated answers to "is this snapshot good?", at four levels.

- `stored`: the object read back from the store has the digest that was written.
- `intact`: the sha256 trailer is right and every reachable page of the database was checked.
- `consistent`: HashKV computed from the file equals HashKV of live members at the same (revision, compact revision).
- `restorable`: a drill restored it, started a real etcd on it, and the hash was the same again.

A proof is appended and never changed. One that failed is kept as well: it is evidence. `made_from` says from which
bytes it was made: the scratch copy written while streaming, or the stored object fetched and decrypted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from etcd_dr.domain.digest import DigestText
from etcd_dr.domain.drill import DrillRecord


class ProofLevel(StrEnum):
    """The levels in ascending order of what they prove; compare with `rank`."""

    STORED = "stored"
    INTACT = "intact"
    CONSISTENT = "consistent"
    RESTORABLE = "restorable"

    @property
    def rank(self) -> int:
        return list(ProofLevel).index(self)


class ProofResult(StrEnum):
    """`inconclusive`: the question could not be answered (members unreachable, revision compacted away)."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class ProofOrigin(StrEnum):
    SCRATCH = "scratch"
    STORED_OBJECT = "stored-object"


class HashKvWitness(BaseModel):
    """What one live member answered when it was asked for the hash at the file's revision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    revision: int
    compact_revision: int
    live_hash: int
    file_hash: int


class Proof(BaseModel):
    """One proof. `detail` says for a person what was compared; `findings` are damage codes with their place."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    level: ProofLevel
    result: ProofResult
    at: AwareDatetime
    made_from: ProofOrigin
    detail: str
    tool_version: str
    plain_digest: DigestText | None = None
    stored_digest: DigestText | None = None
    witnesses: tuple[HashKvWitness, ...] = ()
    findings: tuple[str, ...] = Field(default=(), max_length=1000)
    drill: DrillRecord | None = Field(default=None, description="what a drill measured; only at `restorable`")

    @property
    def passed(self) -> bool:
        return self.result is ProofResult.PASSED


def newest_by_level(proofs: tuple[Proof, ...]) -> dict[ProofLevel, Proof]:
    """Return the newest conclusive proof of each level; an inconclusive one only where there is no other.

    Of two at the very same time the one that failed counts: nobody is told that a damaged snapshot is good.
    """
    newest: dict[ProofLevel, Proof] = {}
    for proof in sorted(proofs, key=_standing):
        newest[proof.level] = proof
    return newest


def _standing(proof: Proof) -> tuple[bool, AwareDatetime, bool]:
    """Order proofs by how much they count: conclusive, then newer, then failed."""
    return (proof.result is not ProofResult.INCONCLUSIVE, proof.at, proof.result is ProofResult.FAILED)
