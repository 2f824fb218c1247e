"""Where companions come from: this machine's files, the nodes of a control plane, a machine API.

Contract:
- What cannot be read is a value with its reason and never ends the gathering; only Cancelled is raised.
- A source stops when its limits are reached, and says so as a missing file.
- It opens what it needs and closes it before `gather` returns. Nothing is changed where files are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from etcd_dr.domain.companions import CompanionFile, CompanionLimits
from etcd_dr.domain.manifest import MissingCompanion
from etcd_dr.ports.cancellation import Cancellation


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a source gave, and what it could not."""

    files: tuple[CompanionFile, ...] = ()
    missing: tuple[MissingCompanion, ...] = ()

    @property
    def total_bytes(self) -> int:
        return sum(len(file.body) for file in self.files)


class CompanionSource(Protocol):
    def gather(self, *, limits: CompanionLimits, cancellation: Cancellation) -> Gathered:
        """Return the files of this source, named as domain.companions has it."""
        ...
