"""Companions as one tar archive: made the same way each time, and taken apart without believing it.

An archive that comes back from a bucket may be an attack (with encryption it is whoever has a recipient, which is
public, who wrote it): only regular files with right names are taken, each once, within the limits; anything else
refuses the whole archive.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterable

from etcd_dr.domain.companions import CompanionFile, CompanionLimits, parse_name, permission_bits
from etcd_dr.errors import SnapshotDamaged


def pack(files: Iterable[CompanionFile]) -> bytes:
    """Return the archive, in order of name, without times and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(files, key=lambda each: each.name):
            header = tarfile.TarInfo(file.name)
            header.size, header.mode = len(file.body), file.mode
            archive.addfile(header, io.BytesIO(file.body))
    return buffer.getvalue()


def unpack(body: bytes, *, subject: str, limits: CompanionLimits) -> tuple[CompanionFile, ...]:
    """Return the files in order of name. Raises SnapshotDamaged for anything that `pack` would not make."""
    files: dict[str, CompanionFile] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as archive:
            for header in archive:
                file = _taken(archive, header, already=files, limits=limits)
                files[file.name] = file
            _check_end(body, archive.offset)
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError, MemoryError, OSError) as error:
        raise SnapshotDamaged(
            f"the companions are not an archive of ours: {str(error)[:200]}",
            subject=subject,
            next_step="The database is not concerned. Take the files from an older snapshot: etcd-dr snapshot list",
        ) from error
    return tuple(files[name] for name in sorted(files))


def _check_end(body: bytes, offset: int) -> None:
    """A broken header in the middle counts as the end for tarfile; only zeros may follow one."""
    if any(body[offset:]):
        raise ValueError(f"it breaks off at byte {offset}")


def _taken(
    archive: tarfile.TarFile, header: tarfile.TarInfo, *, already: Collection[str], limits: CompanionLimits
) -> CompanionFile:
    parse_name(header.name)
    if header.name in already:
        raise ValueError(f"{header.name!r} is there twice")
    if len(already) >= limits.files:
        raise ValueError(f"more than {limits.files} files")
    if not header.isreg() or header.issparse() or header.linkname:
        raise ValueError(f"{header.name!r} is no regular file")
    content = archive.extractfile(header)
    body = content.read() if content is not None else b""
    if len(body) != header.size:
        raise ValueError(f"{header.name!r} is cut off")
    return CompanionFile(header.name, permission_bits(header.mode), body)
