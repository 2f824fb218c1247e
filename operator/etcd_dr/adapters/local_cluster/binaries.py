"""Finds etcd's programs on this machine, and says which version each is.

Looked for, in this order: the directories of `ETCD_DR_TEST_ETCD_DIRS` (colon separated), the `etcd-*` directories of
`ETCD_DR_TOOLS_DIR` (else of `.tools` in the working directory: what `make tools` fills), then PATH. The first of two
with the same version wins. The version is what the server program reports, never what a directory is called.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from etcd_dr.errors import ToolMissing

_VERSION_SECONDS = 30


@dataclass(frozen=True, slots=True)
class EtcdBinaries:
    """The programs of one version. `etcdutl` came with 3.5; where it is missing, etcdctl does its work."""

    version: str
    etcd: Path
    etcdctl: Path
    etcdutl: Path | None

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, for comparing: (3, 5, 30). What follows a `-` or `+` is not looked at."""
        plain = self.version.replace("+", "-").partition("-")[0]
        return tuple(int(part) for part in plain.split(".") if part.isdigit())


def find_etcd_binaries(environ: Mapping[str, str]) -> tuple[EtcdBinaries, ...]:
    """Return every etcd at hand, oldest version first; empty when there is none."""
    found: dict[str, EtcdBinaries] = {}
    for etcd, etcdctl, etcdutl in _candidates(environ):
        version = _reported_version(etcd)
        if version and version not in found:
            found[version] = EtcdBinaries(version, etcd, etcdctl, etcdutl)
    return tuple(sorted(found.values(), key=lambda binaries: binaries.release))


def preferred_etcd_binaries(environ: Mapping[str, str]) -> EtcdBinaries:
    """Return the one to use when no version was asked for: the newest 3.5, which most clusters run, else the newest.

    Raises ToolMissing when no etcd is at hand.
    """
    found = find_etcd_binaries(environ)
    if not found:
        raise ToolMissing(
            "no etcd program was found",
            subject="etcd",
            next_step="Fetch one into .tools with: make tools (or put etcd and etcdctl on PATH)",
        )
    return max(found, key=lambda binaries: (binaries.release[:2] == (3, 5), binaries.release))


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, Path, Path | None]]:
    for directory in _directories(environ):
        etcd, etcdctl, etcdutl = (directory / name for name in ("etcd", "etcdctl", "etcdutl"))
        if etcd.is_file() and etcdctl.is_file():
            yield etcd, etcdctl, etcdutl if etcdutl.is_file() else None
    search = environ.get("PATH", "")
    on_path = [shutil.which(name, path=search) for name in ("etcd", "etcdctl", "etcdutl")]
    if on_path[0] and on_path[1]:
        yield Path(on_path[0]), Path(on_path[1]), Path(on_path[2]) if on_path[2] else None


def _directories(environ: Mapping[str, str]) -> Iterator[Path]:
    yield from (Path(entry) for entry in environ.get("ETCD_DR_TEST_ETCD_DIRS", "").split(":") if entry)
    tools = Path(environ.get("ETCD_DR_TOOLS_DIR") or ".tools").absolute()
    yield from sorted(tools.glob("etcd-*"))


def _reported_version(etcd: Path) -> str | None:
    """Return `3.5.30` from `etcd Version: 3.5.30`, or None for a program that cannot run here."""
    try:
        done = subprocess.run([etcd, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].rpartition(" ")[2].strip() or None
