"""Programs that are said to be there; none of them is ever run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.ports.etcd_programs import EtcdProgram, ProgramName


class FakePrograms:
    """Implements ports.etcd_programs.EtcdPrograms: `FakePrograms(etcdutl=["3.5.16", "3.5.30"])`."""

    def __init__(self, **versions: Sequence[str]) -> None:
        self.versions = {name: list(texts) for name, texts in versions.items()}

    @property
    def places(self) -> Sequence[str]:
        return ("/opt/etcd", "PATH")

    def find(self, name: ProgramName) -> tuple[EtcdProgram, ...]:
        found = [version for version in map(EtcdVersion.parse, self.versions.get(name, [])) if version]
        return tuple(EtcdProgram(name, Path(f"/opt/etcd/{version}/{name}"), version) for version in sorted(found))
