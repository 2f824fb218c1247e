"""Snapshots as rows and words for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.table import Table
from rich.text import Text

from etcd_dr.domain.catalogue import DataState, Snapshot
from etcd_dr.domain.proof import Proof, ProofResult
from etcd_dr.entrypoints.cli.human import age, size
from etcd_dr.entrypoints.cli.tables import styled, table

_RESULT_STYLES = {ProofResult.PASSED: "good", ProofResult.FAILED: "bad", ProofResult.INCONCLUSIVE: "doubtful"}
_DATA_WORDS = {DataState.MISSING: "DATA MISSING", DataState.SIZE_DIFFERS: "SIZE DIFFERS"}


def snapshot_table(snapshots: Iterable[Snapshot], *, now: datetime) -> Table:
    """Return a table of snapshots in the order given."""
    return table(
        ("ID", "AGE", "REVISION", "DATABASE", "PROVEN", ""),
        (
            (
                str(snapshot.id),
                age(snapshot.taken_at, now=now),
                snapshot.manifest.database.revision,
                size(snapshot.manifest.database.size_bytes),
                proven_word(snapshot),
                "pinned" if snapshot.pin is not None else "",
            )
            for snapshot in snapshots
        ),
        right=("AGE", "REVISION", "DATABASE"),
    )


def proven_word(snapshot: Snapshot) -> Text:
    """Return how far a snapshot is proven, in one word."""
    if snapshot.data is not DataState.PRESENT:
        return styled(_DATA_WORDS[snapshot.data], "bad")
    if snapshot.is_damaged:
        return styled("DAMAGED", "bad")
    if snapshot.level is None:
        return styled("no", "doubtful")
    return styled(snapshot.level.value, "good" if snapshot.is_proven else "doubtful")


def proof_table(proofs: Iterable[Proof]) -> Table:
    """Return a table of proofs that were just made, from the lowest level to the highest."""
    ordered = sorted(proofs, key=lambda proof: proof.level.rank)
    return table(
        ("PROOF", "RESULT", "DETAIL"),
        ((proof.level.value, result_word(proof.result), proof.detail) for proof in ordered),
    )


def proof_history(proofs: Iterable[Proof], *, now: datetime) -> Table:
    """Return a table of stored proofs, oldest first."""
    return table(
        ("PROOF", "RESULT", "AGE", "MADE FROM", "DETAIL"),
        (
            (
                proof.level.value,
                result_word(proof.result),
                age(proof.at, now=now),
                proof.made_from.value,
                proof.detail,
            )
            for proof in proofs
        ),
    )


def result_word(result: ProofResult) -> Text:
    return styled(result.value, _RESULT_STYLES[result])
