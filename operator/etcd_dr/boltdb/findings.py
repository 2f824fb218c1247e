"""The list that every check writes its findings to, bounded whatever the file holds.

Rules this module keeps:
- Errors and warnings have limits of their own, and so has each code: a flood of one kind never hides another.
- `lost` is an error after which some records could not be read; no number of the database is stated then.
- Bytes from the file are shown escaped and shortened, never raw.
"""

from __future__ import annotations

from collections import Counter
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from etcd_dr.domain.database import Damage, DamageSeverity

MAX_ERRORS = 150
MAX_WARNINGS = 50
MAX_PER_CODE = 25


_LIMITS = {DamageSeverity.ERROR: MAX_ERRORS, DamageSeverity.WARNING: MAX_WARNINGS}


class PlainFindings(TypedDict):
    """Findings as they travel between processes."""

    found: list[tuple[str, str, str, str]]
    seen: list[int]
    incomplete: bool


class Findings:
    """Findings in the order they were met; what exceeds the limits is counted only."""

    def __init__(self) -> None:
        self._found: list[Damage] = []
        self._seen = {DamageSeverity.ERROR: 0, DamageSeverity.WARNING: 0}
        self._listed: Counter[str] = Counter()
        self.is_incomplete = False

    def lost(self, code: str, where: str, detail: str) -> None:
        """Note damage that kept records from being read."""
        self.is_incomplete = True
        self.error(code, where, detail)

    def error(self, code: str, where: str, detail: str) -> None:
        """Note damage; everything could still be read."""
        self.add(Damage(code, where, detail))

    def warning(self, code: str, where: str, detail: str) -> None:
        """Note something that a person should know although the data is whole."""
        self.add(Damage(code, where, detail, DamageSeverity.WARNING))

    def add(self, finding: Damage) -> None:
        """Keep or count a finding."""
        self._seen[finding.severity] += 1
        if self._listed[finding.severity] < _LIMITS[finding.severity] and self._listed[finding.code] < MAX_PER_CODE:
            self._listed.update((finding.severity, finding.code))
            self._found.append(finding)

    def sample(self, indices: NDArray[np.int64]) -> list[int]:
        """Return as many indices of one kind of wrong things as can be listed; the rest is counted as errors here."""
        self.suppress(errors=max(0, len(indices) - MAX_PER_CODE), warnings=0)
        return list(map(int, indices[:MAX_PER_CODE]))

    def suppress(self, *, errors: int, warnings: int) -> None:
        """Count findings that were met and not listed."""
        self._seen[DamageSeverity.ERROR] += errors
        self._seen[DamageSeverity.WARNING] += warnings

    def merge(self, other: Findings) -> None:
        """Append the findings of a part that was checked on its own."""
        for finding in other.listed:
            self.add(finding)
        listed_errors = sum(finding.is_error for finding in other.listed)
        self.suppress(
            errors=other.error_count - listed_errors,
            warnings=other._seen[DamageSeverity.WARNING] - (len(other.listed) - listed_errors),
        )
        self.is_incomplete |= other.is_incomplete

    @property
    def listed(self) -> tuple[Damage, ...]:
        """The findings themselves."""
        return tuple(self._found)

    @property
    def error_count(self) -> int:
        """Errors met, listed or not."""
        return self._seen[DamageSeverity.ERROR]

    @property
    def suppressed_count(self) -> int:
        """Findings that are not listed."""
        return sum(self._seen.values()) - len(self._found)

    def to_plain(self) -> PlainFindings:
        """Return the findings as plain values that survive a pipe."""
        return {
            "found": [(finding.code, finding.where, finding.detail, finding.severity.value) for finding in self._found],
            "seen": [self._seen[DamageSeverity.ERROR], self._seen[DamageSeverity.WARNING]],
            "incomplete": self.is_incomplete,
        }

    @classmethod
    def from_plain(cls, plain: PlainFindings) -> Findings:
        """Read back what `to_plain` gave."""
        findings = cls()
        findings._found = [
            Damage(code, where, detail, DamageSeverity(value)) for code, where, detail, value in plain["found"]
        ]
        findings._seen = dict(zip(DamageSeverity, plain["seen"], strict=True))
        findings.is_incomplete = plain["incomplete"]
        return findings


def shown(raw: bytes | memoryview, *, limit: int = 40) -> str:
    """Return bytes of the file as printable text, shortened."""
    head = bytes(raw[:limit])
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b"\\'" else f"\\x{byte:02x}" for byte in head)
    return f"'{text}'" if len(raw) <= limit else f"'{text}'... ({len(raw)} bytes)"
