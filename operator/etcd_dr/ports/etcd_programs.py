"""etcd's programs on this machine: etcd, etcdutl, etcdctl, in as many versions as there are.

- The version is what a program says of itself, never what a file or directory is called.
- Looking again finds what was installed meanwhile; an answer costs one short run of each program that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from etcd_dr.domain.etcd_version import EtcdVersion

ProgramName = Literal["etcd", "etcdctl", "etcdutl"]


@dataclass(frozen=True, slots=True)
class EtcdProgram:
    """One program that ran here and said its version."""

    name: ProgramName
    path: Path
    version: EtcdVersion


class EtcdPrograms(Protocol):
    @property
    def places(self) -> Sequence[str]:
        """Where is looked, for a person, in order."""
        ...

    def find(self, name: ProgramName) -> tuple[EtcdProgram, ...]:
        """Return every one of that name, oldest version first, the first place's of two with the same version."""
        ...
