"""A member's data directory on a node: copied off, set aside, placed, put back. The same on every platform.

What crosses the network is checked on arrival: the last member of a streamed archive is the list of the digests of
all files before it, and nothing is renamed into place until the node has read them back.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etcd_dr.adapters.control_planes import scripts
from etcd_dr.adapters.control_planes.call import Called, Write, remaining
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.errors import FileUnreadable, NodeFault

_READ_BYTES = 1 << 20
_SPARE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class DataPlace:
    """Where a member's data lies on its node. `owner` (user:group) is for a directory that has no predecessor."""

    data_dir: str
    wal_dir: str | None = None
    owner: str = ""

    @property
    def database(self) -> str:
        return f"{self.data_dir}/member/snap/db"


class DataDirectory:
    """The data directory of one node, over its shell; `until` are moments of the monotonic clock."""

    def __init__(self, shell: Shell, place: DataPlace) -> None:
        self._shell = shell
        self.place = place

    def export(self, write: Write, *, until: float) -> None:
        """Push a tar archive of the directory, and of a WAL directory apart from it, with names from the root."""
        said = self._run(scripts.EXPORT, until=until, write=write)
        if said.status == scripts.IS_ABSENT:
            raise self._absent(self.place.data_dir)

    def read_database(self, write: Write, *, until: float) -> None:
        """Push the database file, and compare its digest with the one that the node computes afterwards."""
        digest = hashlib.sha256()

        def pass_on(chunk: bytes) -> None:
            digest.update(chunk)
            write(chunk)

        path = self.place.database
        said = self._shell.run(scripts.READ_WHOLE, path, deadline=remaining(until), write=pass_on)
        if said.status == scripts.IS_ABSENT:
            raise self._absent(path)
        theirs = self._shell.run(scripts.DIGEST, path, deadline=remaining(until)).output.decode().split(" ")[0]
        if theirs.removeprefix("\\") != digest.hexdigest():
            raise NodeFault(
                "the database changed while it was read, or it was damaged on the way",
                subject=self._shell.node,
                next_step="Make sure that no etcd runs on this directory, then run the same command again.",
                context={"path": path, "sha256_here": digest.hexdigest(), "sha256_there": theirs},
            )

    def set_aside(self, *, recovery_id: str, until: float) -> str | None:
        """Rename it, and return the new name; None where there was nothing."""
        said = self._run(scripts.SET_ASIDE, recovery_id, until=until)
        return said.output.decode().strip() or None

    def put_back(self, *, recovery_id: str, until: float) -> bool:
        """Undo what this recovery placed and set aside; say whether there was anything."""
        return bool(self._run(scripts.PUT_BACK, recovery_id, until=until).output.strip())

    def put(self, source: Path, *, recovery_id: str, until: float) -> None:
        """Bring a directory that was built here into place, whole."""
        _check_source(source)
        said = self._run(scripts.PREPARE_PLACE, recovery_id, until=until)
        if said.status == scripts.IN_THE_WAY:
            raise NodeFault(
                f"another data directory is in the way: {said.output.decode().strip()}",
                subject=self._shell.node,
                next_step="Set it aside first; nothing was changed.",
            )
        answer = said.output.decode().splitlines()
        if not answer:
            return
        self._check_room(source, blocks=answer[0])
        arguments = (recovery_id, self.place.owner, "700", secrets.token_hex(4))
        if self._shell.is_here:
            self._run(scripts.COPY_HERE, *arguments, str(source.absolute()), until=until)
        else:
            self._run(scripts.RECEIVE, *arguments, until=until, feed=_archive_of(source))

    def _check_room(self, source: Path, *, blocks: str) -> None:
        free = free_bytes(blocks)
        needed = sum(path.stat().st_size for path in _files(source)) + _SPARE_BYTES
        if free is not None and free < needed:
            raise NodeFault(
                f"no space left on the node: {needed} bytes are needed beside {self.place.data_dir}, {free} are free",
                subject=self._shell.node,
                next_step="Make room on that file system (what earlier recoveries set aside may go once nobody needs "
                "it), then run the same command again.",
                context={"needed_bytes": needed, "free_bytes": free, "reason": "disk-full"},
            )

    def _run(
        self,
        script: str,
        *arguments: str,
        until: float,
        write: Write | None = None,
        feed: Callable[[Write], None] | None = None,
    ) -> Called:
        return self._shell.run(
            script,
            self.place.data_dir,
            self.place.wal_dir or "",
            *arguments,
            deadline=remaining(until),
            write=write,
            feed=feed,
        )

    def _absent(self, path: str) -> NodeFault:
        return NodeFault("does not exist on the node", subject=f"{self._shell.node}:{path}")


def free_bytes(answer: str) -> int | None:
    """Return the free bytes from `stat -f -c '%a %S'`, None where it says something else."""
    parts = answer.split()
    return int(parts[0]) * int(parts[1]) if len(parts) == 2 and all(part.isdigit() for part in parts) else None


def _check_source(source: Path) -> None:
    if not (source / "member" / "snap" / "db").is_file() or not any((source / "member" / "wal").glob("*.wal")):
        raise FileUnreadable("is not a whole data directory: it has no database or no WAL", subject=str(source))


def _files(source: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(source):
        names.sort()
        yield from (Path(directory, name) for name in sorted(files))


def _archive_of(source: Path) -> Callable[[Write], None]:
    """Return what pushes the directory as a tar archive that ends with the digests of its files."""

    def push(write: Write) -> None:
        # Not tarfile's stream mode ("w|"): its buffer is copied once for each piece that is added.
        with tarfile.TarFile(
            fileobj=_Sink(write), mode="w", format=tarfile.GNU_FORMAT, copybufsize=_READ_BYTES
        ) as archive:
            digests = []
            for directory, names, files in os.walk(source):
                names.sort()
                where = Path(directory).relative_to(source)
                archive.addfile(_directory_entry(where))
                for name in sorted(files):
                    digest = _add_file(archive, Path(directory, name), str(where / name))
                    digests.append(f"{digest}  ./{where / name}\n")
            listed = "".join(digests).encode()
            entry = _plain_entry(scripts.DIGESTS, len(listed))
            archive.addfile(entry, io.BytesIO(listed))

    return push


def _add_file(archive: tarfile.TarFile, path: Path, name: str) -> str:
    with path.open("rb") as file:
        reader = _Digesting(file)
        archive.addfile(_plain_entry(name, os.fstat(file.fileno()).st_size), reader)
        return reader.digest.hexdigest()


def _plain_entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _directory_entry(where: Path) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(where))
    entry.type, entry.mode = tarfile.DIRTYPE, 0o700
    return entry


class _Digesting:
    """A file that is hashed as it is read."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


class _Sink(io.RawIOBase):
    """Lets tarfile write into a pipe's write function."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._written = 0

    def tell(self) -> int:
        return self._written

    def write(self, chunk: Any) -> int:
        self._write(chunk)
        self._written += len(chunk)
        return len(chunk)
