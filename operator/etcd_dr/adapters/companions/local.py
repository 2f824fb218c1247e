"""Companions from the machine where the command runs: files, globs, directories.

Links are followed where they are named or point to a file (as kubelet's certificates do); a link to a directory inside
a directory is not entered, so that nothing goes round in circles. Other kinds of file are said to be missing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from etcd_dr.domain.companions import (
    LOCAL,
    CompanionFile,
    CompanionLimits,
    companion_name,
    permission_bits,
)
from etcd_dr.domain.manifest import MissingCompanion
from etcd_dr.errors import Cancelled
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.companions import Gathered

_MAGIC = frozenset("*?[")


class LocalFiles:
    """Implements ports.companions.CompanionSource. `patterns` are absolute paths, with `*`, `?`, `[…]` and `**`."""

    def __init__(self, patterns: Sequence[str], *, origin: str = LOCAL) -> None:
        self._patterns = tuple(patterns)
        self._origin = origin

    def gather(self, *, limits: CompanionLimits, cancellation: Cancellation) -> Gathered:
        files: dict[str, CompanionFile] = {}
        missing: dict[str, str] = {}
        left = limits.total_bytes
        for path in self._paths(missing):
            if cancellation.is_cancelled:
                raise Cancelled(f"stopped on request ({cancellation.reason})")
            if path in files or path in missing:
                continue
            try:
                name = companion_name(self._origin, path)
                mode, body = _read(path, limit_bytes=left)
            except (OSError, ValueError) as error:
                missing[path] = _reason(error)
                continue
            if len(files) == limits.files:
                missing[path] = f"more than {limits.files} files"
                break
            files[path] = CompanionFile(name, mode, body)
            left -= len(body)
        return Gathered(
            tuple(files.values()),
            tuple(MissingCompanion(name=f"{self._origin}{path}", reason=reason) for path, reason in missing.items()),
        )

    def _paths(self, missing: dict[str, str]) -> Iterator[str]:
        for pattern in self._patterns:
            found = sorted(map(str, Path("/").glob(pattern.lstrip("/")))) if _MAGIC & set(pattern) else [pattern]
            if not found:
                missing[pattern] = "nothing matches"
            for path in found:
                yield from _files_of(path, missing) if Path(path).is_dir() else [path]


def _files_of(directory: str, missing: dict[str, str]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        missing[str(error.filename)] = _reason(error)

    for folder, subfolders, names in os.walk(directory, onerror=unreadable):
        subfolders.sort()
        for name in sorted(names):
            yield str(Path(folder) / name)


def _read(path: str, *, limit_bytes: int) -> tuple[int, bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("is no regular file")
        body = file.read(limit_bytes + 1)
    if len(body) > limit_bytes:
        raise ValueError(f"does not fit into the {limit_bytes} bytes that are left of companions.max_total_bytes")
    return permission_bits(facts.st_mode), body


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
