"""What lies in a directory store, in the order of keys: regular files under names that could be keys.

Links, sockets, hidden names, `lost+found` and names that no key has are other people's and are passed over. A folder
that cannot be read is an error: an incomplete list must never look like a complete one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etcd_dr.adapters.stores.directory.folders import Folders
from etcd_dr.adapters.stores.keys import is_segment

_OF_THE_FILE_SYSTEM = ("lost+found",)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file; `path` is its segments below the root, hidden first segment included."""

    path: tuple[str, ...]
    size_bytes: int
    modified_at_ns: int

    @property
    def key(self) -> str:
        return "/".join(self.path)


def walk(folders: Folders, *, below: Sequence[str], beginning: str) -> Iterator[FoundFile]:
    """Yield the files whose path below `below` begins with the text `beginning`, in order of the whole path."""
    *steps, rest = beginning.split("/")
    start = (*below, *steps)
    for name, found in _entries(folders, start):
        if not name.startswith(rest):
            continue
        if found is None:
            yield from walk(folders, below=(*start, name.removesuffix("/")), beginning="")
        else:
            yield found


def folder_names(folders: Folders, path: Sequence[str]) -> Iterator[str]:
    """Yield the names of the folders directly in `path` that have a file somewhere below them."""
    for name, found in _entries(folders, tuple(path)):
        folder = name.removesuffix("/")
        if found is None and next(walk(folders, below=(*path, folder), beginning=""), None):
            yield folder


def _entries(folders: Folders, path: tuple[str, ...]) -> list[tuple[str, FoundFile | None]]:
    """Return what is in one folder, read at once so that no descriptor is held while a caller thinks.

    A folder's name ends with `/` here: that is how it sorts among keys (`a-b` comes before `a/b`).
    """
    found: list[tuple[str, FoundFile | None]] = []
    try:
        with folders.opened(path) as descriptor:
            for name in os.listdir(descriptor):  # noqa: PTH208 - pathlib knows no descriptors
                entry = _entry(descriptor, path, name)
                if entry is not None:
                    found.append(entry)
    except (FileNotFoundError, NotADirectoryError):
        return []  # nothing was ever written below it, or somebody has just removed the last of it
    return sorted(found, key=lambda entry: entry[0])


def _entry(descriptor: int, path: tuple[str, ...], name: str) -> tuple[str, FoundFile | None] | None:
    if not is_segment(name) or name in _OF_THE_FILE_SYSTEM:
        return None
    try:
        facts = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(facts.st_mode):
        return f"{name}/", None
    if stat.S_ISREG(facts.st_mode):
        return name, FoundFile((*path, name), facts.st_size, facts.st_mtime_ns)
    return None
