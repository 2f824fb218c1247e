"""How a drill is told: its phases, its RTO, in the words that both commands use."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.drill import RECOVERY_PHASES, DrillRecord
from etcd_dr.entrypoints.cli.tables import Cell

SLOWER_THAN_HOPED = 2
"""The exit status of a drill that passed and was slower than its objective."""


def phase_rows(record: DrillRecord) -> Iterator[tuple[Cell, ...]]:
    """Yield name, seconds, and whether a recovery needs the phase as well."""
    for name, seconds in record.phases.items():
        yield name, f"{seconds:.1f}", "" if name in RECOVERY_PHASES else "the drill's own"


def rto_words(record: DrillRecord) -> str:
    """Return the RTO as a sentence."""
    if record.rto_seconds is None:
        return "RTO: not measured, because not every phase was run"
    measured = f"RTO: {record.rto_seconds:.1f} s from the store to a serving etcd, without people and nodes"
    if record.objective_seconds is None:
        return measured
    words = "within" if record.meets_objective else "SLOWER than"
    return f"{measured}; {words} the objective of {record.objective_seconds:.0f} s"
