"""Companions as rows and words for people: names, sizes and what was missing, never content."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from etcd_dr.domain.manifest import CompanionsFacts
from etcd_dr.entrypoints.cli.human import count, size
from etcd_dr.entrypoints.cli.tables import Cell, styled, table


def companions_words(facts: CompanionsFacts) -> str:
    """Return how many there are, how large, and whether they can be read by anyone."""
    total = sum(entry.size_bytes for entry in facts.files)
    clear = "" if facts.is_encrypted else "; stored in clear"
    lacking = f", {len(facts.missing)} missing" if facts.missing else ""
    return f"{count(len(facts.files), 'file')} of {size(total)}{lacking}, stored {size(facts.stored_size_bytes)}{clear}"


def companion_table(facts: CompanionsFacts) -> Table:
    """Return each file, then each that was missing."""
    return table(("COMPANION", "SIZE", "MODE", ""), _rows(facts), right=("SIZE",))


def _rows(facts: CompanionsFacts) -> Iterator[tuple[Cell, ...]]:
    for entry in facts.files:
        yield entry.name, size(entry.size_bytes), f"{entry.mode:04o}", ""
    for missing in facts.missing:
        yield missing.name, "", "", styled(f"missing: {missing.reason}", "doubtful")
