"""The directory in which one recovery works, held by a lock that goes with its process (flock)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etcd_dr.adapters.journal.files import FILE_MODE, make_directory, translated
from etcd_dr.domain.digest import Digest
from etcd_dr.domain.recovery.record import is_recovery_id
from etcd_dr.errors import Busy, UsageError

_BLOCK_BYTES = 1 << 20


class DirectoryWorkPlace:
    """Implements ports.work_place.WorkPlace."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def directory(self) -> Path:
        return self._directory

    def path(self, *names: str) -> Path:
        path = self._directory.joinpath(*names)
        if not path.resolve().is_relative_to(self._directory.resolve()):
            raise UsageError("lies outside of the place of this recovery", subject=str(path))
        with translated(self._directory):
            make_directory(path.parent)
        return path

    def free_bytes(self) -> int:
        with translated(self._directory):
            return shutil.disk_usage(self._directory).free

    def digest(self, path: Path) -> Digest | None:
        sha256 = hashlib.sha256()
        with translated(path):
            try:
                with path.open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        sha256.update(block)
            except FileNotFoundError:
                return None
        return Digest.of_sha256(sha256.digest())

    def is_same(self, path: Path, other: Path) -> bool:
        with translated(path):
            try:
                with path.open("rb") as one, other.open("rb") as two:
                    while (block := one.read(_BLOCK_BYTES)) == two.read(_BLOCK_BYTES):
                        if not block:
                            return True
            except FileNotFoundError:
                pass
        return False

    def size_bytes(self, path: Path) -> int | None:
        with translated(path):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def append(self, path: Path, body: bytes) -> None:
        with translated(path), path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())

    def read_head(self, path: Path, *, limit_bytes: int) -> bytes:
        with translated(path), path.open("rb") as file:
            return file.read(limit_bytes)

    def names(self, path: Path) -> tuple[str, ...]:
        with translated(path):
            return tuple(sorted(entry.name for entry in path.iterdir())) if path.is_dir() else ()

    def discard(self, path: Path) -> None:
        inside = self.path(str(path.relative_to(self._directory)))
        with translated(inside):
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside)
            else:
                inside.unlink(missing_ok=True)


class DirectoryWorkPlaces:
    """Implements ports.work_place.WorkPlaces below `root`: `<root>/<recovery id>/work/`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        return str(self._root)

    @contextmanager
    def hold(self, recovery_id: str) -> Iterator[DirectoryWorkPlace]:
        if not is_recovery_id(recovery_id):
            raise UsageError("is not the id of a recovery", subject=recovery_id[:80])
        directory = self._root / recovery_id / "work"
        with translated(directory):
            make_directory(directory)
            descriptor = os.open(directory / ".held", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(
                    "is being carried out by another process of this machine",
                    subject=f"recovery {recovery_id}",
                    next_step=f"See how far it is: etcd-dr recover status {recovery_id}",
                    context={"place": str(directory)},
                ) from error
            yield DirectoryWorkPlace(directory)
        finally:
            os.close(descriptor)
