"""Write companions below a new directory, each under the node it came from.

Files are their owner's only (0600), whatever they were before; nothing that exists is overwritten; a name that would
lead out of the directory never gets here, because archives with such names are refused whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etcd_dr.domain.companions import CompanionFile, parse_name
from etcd_dr.errors import UsageError
from etcd_dr.ports.local_files import FileSink


def extract_companions(files: Sequence[CompanionFile], directory: Path, *, sink: FileSink) -> tuple[Path, ...]:
    """Write the files and return their paths. Raises UsageError where the directory has anything in it,
    LocalStorageFull, FileUnreadable."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            "exists already and is not an empty directory",
            subject=str(directory),
            next_step="Name a new directory: nothing is ever written over.",
        )
    written = []
    for file in files:
        parse_name(file.name)
        destination = directory / file.name
        _make_directories(directory, destination.parent)
        part = sink.begin_file(destination, overwrite=False)
        try:
            part.write(file.body)
            written.append(part.commit())
        except BaseException:
            part.abort()
            raise
    return tuple(written)


def _make_directories(top: Path, leaf: Path) -> None:
    top.mkdir(mode=0o700, exist_ok=True)
    below = top
    for part in leaf.relative_to(top).parts:
        below /= part
        below.mkdir(mode=0o700, exist_ok=True)
