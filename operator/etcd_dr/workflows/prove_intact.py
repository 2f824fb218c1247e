"""Prove `intact`: every reachable page and record of the plain database is right, and so is its trailer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from etcd_dr import __version__, boltdb
from etcd_dr.domain.database import Damage, Examination
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.proof import Proof, ProofLevel, ProofOrigin, ProofResult
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.workflows.receive_stream import raise_if_cancelled

_MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class PlainFile:
    """A plain snapshot on this machine. The digests are known from the bytes that were written to it."""

    path: Path
    digest: Digest
    origin: ProofOrigin
    stored_digest: Digest | None = None


def prove_intact(
    file: PlainFile, *, at: datetime, trailer_verified: bool, cancellation: Cancellation
) -> tuple[Proof, Examination]:
    """Examine the file. `trailer_verified` says that its trailer was already compared while it streamed.

    Raises FileUnreadable and Cancelled; damage is in the proof.
    """
    examination = boltdb.examine(
        file.path,
        with_hash_kv=True,
        check_trailer=not trailer_verified,
        workers=1,
        stop=partial(raise_if_cancelled, cancellation),
    )
    passed = examination.is_intact
    proof = Proof(
        level=ProofLevel.INTACT,
        result=ProofResult.PASSED if passed else ProofResult.FAILED,
        at=at,
        made_from=file.origin,
        detail=_sound(examination) if passed else f"the database is damaged: {_first(examination.errors)}",
        tool_version=__version__,
        plain_digest=file.digest,
        stored_digest=file.stored_digest,
        findings=_lines(examination),
    )
    return proof, examination


def _sound(examination: Examination) -> str:
    status = examination.status
    records = status.record_count if status else 0
    trailer = "trailer right" if examination.trailer.present else "no trailer in this file"
    return f"{trailer}, every page read, {records} records in order"


def _first(errors: Sequence[Damage]) -> str:
    return f"{errors[0].code} at {errors[0].where}: {errors[0].detail}" if errors else "it could not be read to its end"


def _lines(examination: Examination) -> tuple[str, ...]:
    lines = [f"{f.code} {f.where}: {f.detail}" for f in (*examination.errors, *examination.warnings)]
    more = len(lines) - _MOST_FINDINGS + examination.suppressed_finding_count
    return (*lines[:_MOST_FINDINGS], *([f"and {more} more"] if more > 0 else []))
