"""Say everything that a database file tells by itself: `snapshot status FILE`, for any file and any envelope."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from etcd_dr import boltdb
from etcd_dr.domain.database import Damage
from etcd_dr.domain.file_kind import FileFormat
from etcd_dr.domain.inspected_file import InspectedFile
from etcd_dr.workflows.receive_stream import raise_if_cancelled
from etcd_dr.workflows.unwrap_file import MAX_PLAIN_BYTES, UnwrapPorts, unwrap_file


def inspect_file(
    path: Path,
    *,
    ports: UnwrapPorts,
    limit_bytes: int = MAX_PLAIN_BYTES,
    with_hash_kv: bool = True,
    check_trailer: bool = True,
) -> InspectedFile:
    """Return what the file is and holds. Damage of the database is a value; an envelope that cannot be undone raises.

    `check_trailer` computes the SHA-256 of the whole database, which etcdutl's status does not. Raises what
    `unwrap_file` raises.
    """
    with unwrap_file(path, name=str(path), ports=ports, limit_bytes=limit_bytes) as plain:
        examination = boltdb.examine(
            plain.path,
            with_hash_kv=with_hash_kv,
            check_trailer=check_trailer,
            stop=partial(raise_if_cancelled, ports.cancellation),
        )
        if plain.kind.format is FileFormat.CUT_DATABASE:
            # Every page may be there and only the trailer cut into: whole it is not.
            cut = Damage("file.cut", "end of file", f"this is {plain.kind.description}")
            examination = replace(examination, findings=(*examination.findings, cut))
        return InspectedFile(
            path=path,
            kind=plain.kind,
            layers=plain.layers,
            plain_bytes=plain.size_bytes,
            name=plain.name,
            examination=examination,
        )
