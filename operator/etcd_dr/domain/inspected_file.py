"""What is said of one file that holds a database: what wraps it, what it is, and what its examination found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etcd_dr.domain.database import Examination
from etcd_dr.domain.file_kind import FileKind
from etcd_dr.domain.file_name import NameFacts


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """What a file is and holds. `layers` are named from the outside in; damage is in the examination."""

    path: Path
    kind: FileKind
    layers: tuple[str, ...]
    plain_bytes: int
    name: NameFacts
    examination: Examination

    @property
    def is_restorable(self) -> bool:
        """Whether `etcdutl snapshot restore` takes the plain file as it is: intact, with a right trailer."""
        return self.examination.is_intact and self.examination.trailer.present
