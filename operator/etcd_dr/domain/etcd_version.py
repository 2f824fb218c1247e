"""What an etcd version means for taking snapshots and for restoring them.

Two defects and one restriction of released versions decide how far a member may be trusted; each rule names its fix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:[-+].*)?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class EtcdVersion:
    """A released version; pre-release tags count as the release itself."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> EtcdVersion | None:
        """Return the version that a member reports, or None for what is not one."""
        match = _VERSION.fullmatch(text.strip())
        return cls(*map(int, match.groups())) if match else None

    @property
    def learner_serves_snapshots(self) -> bool:
        """Whether a learner answers Snapshot: since 3.5.0, and 3.4.28 (etcd #12890 and its backport)."""
        return self >= EtcdVersion(3, 5, 0) or self._is_in_line(4, since=28)

    @property
    def may_send_another_file(self) -> bool:
        """Whether Snapshot reopens the database *by path* and so may send the pages of a file that replaced it.

        The trailer is computed over what was sent, so it is right all the same (bbolt before 1.3.12 and 1.4.3,
        Tx.WriteTo). Fixed in etcd 3.4.38, 3.5.23 and 3.6.5.
        """
        if self.major != 3 or self.minor > 6:
            return False
        first_fixed = {4: 38, 5: 23, 6: 5}.get(self.minor)
        return first_fixed is None or self.patch < first_fixed

    @property
    def minor_line(self) -> tuple[int, int]:
        """Major and minor: members and tools that share it understand one another's files."""
        return (self.major, self.minor)

    @property
    def can_bump(self) -> bool:
        """Whether its tool restores with --bump-revision and --mark-compacted: 3.4.27, 3.5.10 and 3.6 (etcd #16029)."""
        return self >= EtcdVersion(3, 6, 0) or self._is_in_line(4, since=27) or self._is_in_line(5, since=10)

    def _is_in_line(self, minor: int, *, since: int) -> bool:
        return (self.major, self.minor) == (3, minor) and self.patch >= since
