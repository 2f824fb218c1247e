"""Reads a node's file system the way Copy, Read and List do (v1alpha1_server.go and pkg/archiver).

Texts of errors name paths as they are on the node.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from grpclib.const import Status

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2
from real.peers.talos.calls import Refusal, unknown
from real.peers.talos.node import Node

_PART_BYTES = 64 * 1024
_LISTED_TYPES = machine_pb2.ListRequest.Type


async def copy(node: Node, request: machine_pb2.CopyRequest) -> AsyncIterator[bytes | common_pb2.Data]:
    """Yield a gzipped tar of a file or a directory; what went wrong comes last, inside of the stream."""
    if not request.root_path.startswith("/"):
        raise unknown(f"path is not absolute {request.root_path}")
    root = node.path(request.root_path)
    if not root.exists():
        error = f"lstat {request.root_path}: no such file or directory"
        yield common_pb2.Data(metadata=common_pb2.Metadata(error=error))
        return
    with tempfile.TemporaryFile() as archive:
        await asyncio.to_thread(_pack, root, archive)
        archive.seek(0)
        while part := archive.read(_PART_BYTES):
            yield part


async def read(node: Node, request: machine_pb2.ReadRequest) -> AsyncIterator[bytes]:
    """Yield a regular file as it is."""
    path = node.path(request.path)
    if not path.exists():
        raise Refusal(Status.NOT_FOUND, f"stat {request.path}: no such file or directory")
    if not path.is_file():
        raise unknown("path must be a regular file")
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            yield part


async def list_files(node: Node, request: machine_pb2.ListRequest) -> AsyncIterator[machine_pb2.FileInfo]:
    """Yield the root and what is below it, in lexical order, as deep as asked for."""
    root_on_node = "/" + request.root.strip("/")
    root = node.path(root_on_node)
    if not root.exists():
        raise unknown(f"lstat {root_on_node}: no such file or directory")
    depth = 0 if not request.recurse else request.recursion_depth or 1_000
    wanted = {_LISTED_TYPES.Name(each) for each in request.types}
    for path in _walk(root, depth=depth):
        if not wanted or _type_name(path) in wanted:
            yield _file_info(node, root, path)


def _walk(root: Path, *, depth: int) -> Iterator[Path]:
    """Yield like Go's filepath.Walk; the root's own entries come at any depth."""
    yield root
    if not root.is_dir():
        return
    for entry in sorted(root.iterdir()):
        if depth > 1 and entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry, depth=depth - 1)
        else:
            yield entry


def _type_name(path: Path) -> str:
    if path.is_symlink():
        return "SYMLINK"
    return "DIRECTORY" if path.is_dir() else "REGULAR"


def _file_info(node: Node, root: Path, path: Path) -> machine_pb2.FileInfo:
    try:
        status = path.lstat()
    except OSError as error:  # it went away in between
        return machine_pb2.FileInfo(name=node.as_on_the_node(str(path)), error=error.strerror or "")
    return machine_pb2.FileInfo(
        name=node.as_on_the_node(str(path)),
        relative_name=path.name if root == path and not path.is_dir() else os.path.relpath(path, root),
        size=status.st_size,
        mode=_go_mode(status.st_mode),
        modified=int(status.st_mtime),
        is_dir=stat.S_ISDIR(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _go_mode(mode: int) -> int:
    """Return the mode as Go's io/fs has it: permissions as ever, the kind of file in the highest bits."""
    kind = (1 << 31) if stat.S_ISDIR(mode) else (1 << 27) if stat.S_ISLNK(mode) else 0
    return kind | stat.S_IMODE(mode)


def _pack(root: Path, archive: object) -> None:
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:  # type: ignore[call-overload]  # a file
        if root.is_file():
            tar.add(root, arcname=root.name)
            return
        for path in sorted(root.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(root)), recursive=False)
