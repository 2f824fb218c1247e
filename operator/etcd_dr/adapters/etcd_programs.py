"""Finds etcd's programs in directories and asks each for its version.

A directory may hold the programs themselves, or hold directories called `etcd-*`, as the archives of etcd's releases
unpack (`etcd-v3.5.30-linux-amd64`). PATH comes last. Nothing is looked for in the working directory.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from etcd_dr.domain.etcd_programs import plain_environment
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.ports.etcd_programs import EtcdProgram, ProgramName

_ASKING_SECONDS = 30.0
_VERSION_LINE = re.compile(r"^\w+ version: *(\S+)", re.IGNORECASE)
_ARGUMENT: Mapping[ProgramName, str] = {"etcd": "--version", "etcdctl": "version", "etcdutl": "version"}


class InstalledPrograms:
    """Implements ports.etcd_programs.EtcdPrograms. Not found and not runnable are the same: not there."""

    def __init__(self, directories: Sequence[Path], *, search_path: str = "") -> None:
        self._directories = tuple(directories)
        self._search_path = tuple(path for path in map(Path, search_path.split(os.pathsep)) if path.is_absolute())
        self._known: dict[tuple[Path, int, int, int], EtcdVersion | None] = {}

    @property
    def places(self) -> Sequence[str]:
        named = [str(directory) for directory in self._directories]
        return (*named, "PATH") if self._search_path else tuple(named)

    def find(self, name: ProgramName) -> tuple[EtcdProgram, ...]:
        found: dict[EtcdVersion, EtcdProgram] = {}
        for directory in self._searched():
            path = directory / name
            version = self._version_of(name, path)
            if version is not None:
                found.setdefault(version, EtcdProgram(name, path, version))
        return tuple(found[version] for version in sorted(found))

    def _searched(self) -> Iterator[Path]:
        for directory in self._directories:
            yield directory
            yield from sorted(directory.glob("etcd-*"))
        yield from self._search_path

    def _version_of(self, name: ProgramName, path: Path) -> EtcdVersion | None:
        try:
            facts = path.stat()
            if not os.access(path, os.X_OK):
                return None
            key = (path, facts.st_ino, facts.st_ctime_ns, facts.st_size)  # st_mtime is what an archive says it is
            if key not in self._known:
                self._known[key] = _ask(path, _ARGUMENT[name])
            return self._known[key]
        except (OSError, subprocess.TimeoutExpired):
            return None  # and asked again: a machine without processes or time to spare now has them later


def _ask(path: Path, argument: str) -> EtcdVersion | None:
    """Return the version in `etcdutl version: 3.5.30`, or None for a program that fails or is another.

    Raises OSError and TimeoutExpired where it did not come to an answer.
    """
    try:
        done = subprocess.run(
            [path, argument],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASKING_SECONDS,
            check=True,
            env=plain_environment(os.environ),
        )
    except subprocess.CalledProcessError:
        return None
    match = _VERSION_LINE.match(done.stdout)
    return EtcdVersion.parse(match[1]) if match else None
