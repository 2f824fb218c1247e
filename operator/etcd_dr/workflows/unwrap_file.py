"""Take the envelopes off a file that somebody else made, until a database lies open or it is known to be none.

- The bytes decide what a layer is; the name only helps to explain what cannot be used.
- Each layer is undone into a scratch file (0600, always removed), the one before it goes at once, and nothing becomes
  larger than the caller allows: a bomb ends at the limit.
- A zip archive must hold exactly one file, as k3s and rke2 write it.
- The file itself is only read.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etcd_dr.domain.file_kind import HEAD_BYTES, TAIL_BYTES, FileFormat, FileKind, recognise
from etcd_dr.domain.file_name import NameFacts, read_file_name
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import FileUnreadable, SnapshotDamaged, UnsupportedFormat
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.codec import Decoder
from etcd_dr.ports.events import Progress
from etcd_dr.ports.local_files import ScratchFile, ScratchSpace
from etcd_dr.workflows.receive_stream import raise_if_cancelled

MOST_LAYERS = 4
MAX_PLAIN_BYTES = 64 << 30
"""More than any etcd: 8 GiB is the largest quota that etcd itself recommends."""

_CHUNK_BYTES = 1 << 20
_MOST_ZIP_DIRECTORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class UnwrapPorts:
    """What unwrapping works with."""

    scratch: ScratchSpace
    decoder: Decoder
    cancellation: Cancellation
    progress: Progress


@dataclass(frozen=True, slots=True)
class UnwrappedFile:
    """The innermost file. `layers` are named from the outside in; `path` is the file itself where there are none.

    `changed_at` is when the outermost file was written last (aware UTC).
    """

    path: Path
    changed_at: datetime
    size_bytes: int
    kind: FileKind
    layers: tuple[str, ...]
    name: NameFacts


@contextmanager
def unwrap_file(
    path: Path, *, name: str, ports: UnwrapPorts, limit_bytes: int = MAX_PLAIN_BYTES
) -> Iterator[UnwrappedFile]:
    """Yield what lies inside. `name` is what the file was called where it came from, and names it in errors.

    Raises FileUnreadable, UnsupportedFormat (not a database: what it is and what to do), SnapshotDamaged (a layer is
    broken, or larger than `limit_bytes`), IdentityMissing, DecryptionFailed, LocalStorageFull, Cancelled.
    """
    facts = read_file_name(name.rsplit("/", 1)[-1])
    layers: list[str] = []
    with ExitStack() as held:
        kind, size_bytes, changed_at = _look_at(path, name=name)
        while kind.is_layer:
            if len(layers) == MOST_LAYERS:
                raise _too_deep(name, layers)
            layers.append(kind.format.value)
            with held.pop_all():  # the layer before it goes as soon as this one is whole
                scratch = held.enter_context(ports.scratch.create(expected_bytes=size_bytes))
                _undo(path, kind.format, scratch, name=name, ports=ports, limit_bytes=limit_bytes)
            path = scratch.path
            kind, size_bytes, _ = _look_at(path, name=name)
        if not kind.is_database:
            raise _not_a_database(name, facts, kind, layers)
        yield UnwrappedFile(path, changed_at, size_bytes, kind, tuple(layers), facts)


def read_chunks(path: Path, *, name: str, cancellation: Cancellation) -> Iterator[bytes]:
    """Yield a local file in chunks of 1 MiB. Raises FileUnreadable, Cancelled."""
    with _readable(name, path), path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            raise_if_cancelled(cancellation)
            yield chunk


def _look_at(path: Path, *, name: str) -> tuple[FileKind, int, datetime]:
    with _readable(name, path):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a pipe would wait for a writer, perhaps for ever
            raise FileUnreadable(
                "is not a regular file",
                subject=name,
                next_step="Write what it gives into a file first: cat PIPE > FILE",
            )
    with _readable(name, path), path.open("rb") as file:
        facts = os.fstat(file.fileno())
        head = file.read(HEAD_BYTES)
        file.seek(max(0, facts.st_size - TAIL_BYTES))
        kind = recognise(head=head, tail=file.read(TAIL_BYTES), size_bytes=facts.st_size)
        return kind, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC)


def _undo(
    path: Path, layer: FileFormat, scratch: ScratchFile, *, name: str, ports: UnwrapPorts, limit_bytes: int
) -> None:
    chunks = read_chunks(path, name=name, cancellation=ports.cancellation)
    if layer is FileFormat.ZIP:
        _unzip(path, scratch, name=name, ports=ports, limit_bytes=limit_bytes)
        return
    ports.progress.begin(f"undoing {layer.value}", total_bytes=path.stat().st_size)
    try:
        ports.decoder.decode(
            _advancing(chunks, ports.progress),
            scratch.append,
            stages=(StageFacts(name=layer.value),),
            subject=name,
            limit_bytes=limit_bytes,
        )
    finally:
        ports.progress.finish()


def _advancing(chunks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        progress.advance(len(chunk))
        yield chunk


def _unzip(path: Path, scratch: ScratchFile, *, name: str, ports: UnwrapPorts, limit_bytes: int) -> None:
    try:
        with _readable(name, path), zipfile.ZipFile(path) as archive:
            member = _only_member(archive, name=name, limit_bytes=limit_bytes)
            ports.progress.begin("undoing zip", total_bytes=member.file_size)
            try:
                with archive.open(member) as file:
                    while chunk := file.read(_CHUNK_BYTES):  # ends with the size that was announced, and its CRC-32
                        raise_if_cancelled(ports.cancellation)
                        scratch.append(chunk)
                        ports.progress.advance(len(chunk))
            finally:
                ports.progress.finish()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SnapshotDamaged(
            f"the zip archive is broken: {error}",
            subject=name,
            next_step="Fetch it again where it came from, and compare the sizes.",
        ) from error


def _only_member(archive: zipfile.ZipFile, *, name: str, limit_bytes: int) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise UnsupportedFormat(
            f"is a zip archive with {len(members)} files, where exactly one is expected",
            subject=name,
            next_step="Unpack it, and name the database in it: unzip FILE",
        )
    (member,) = members
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsupportedFormat(
            "is a zip archive that is encrypted or packed in a rare way",
            subject=name,
            next_step="Unpack it with another program, and name the database in it: 7z x FILE",
        )
    if member.file_size > limit_bytes:
        raise SnapshotDamaged(
            f"says that it unpacks to {member.file_size} bytes, more than the {limit_bytes} that it may have",
            subject=name,
            next_step="Do not trust it. An etcd database has a few GB at most.",
            context={"limit_bytes": limit_bytes},
        )
    return member


@contextmanager
def _readable(name: str, path: Path) -> Iterator[None]:
    try:
        yield
    except IsADirectoryError as error:
        raise FileUnreadable(
            "is a directory",
            subject=name,
            next_step=f"In a stopped member's data directory the database is: {path}/member/snap/db",
        ) from error
    except OSError as error:
        raise FileUnreadable(
            f"cannot be read: {error.strerror or error}",
            subject=name,
            next_step=f"Check that it is there and who may read it: ls -l {path}",
        ) from error


def _too_deep(name: str, layers: list[str]) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"has more than {MOST_LAYERS} layers: {', '.join(layers)}, …",
        subject=name,
        next_step="Unpack the outer ones by hand, and name what comes out.",
    )


def _not_a_database(name: str, facts: NameFacts, kind: FileKind, layers: list[str]) -> UnsupportedFormat:
    inside = f" (inside {', '.join(layers)})" if layers else ""
    if facts.unusable:
        return UnsupportedFormat(f"is {facts.unusable}{inside}", subject=name, next_step=facts.advice)
    return UnsupportedFormat(f"is {kind.description}{inside}", subject=name, next_step=kind.advice)
