"""What a data directory on a node looks like, from the answers of a few short scripts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from etcd_dr.adapters.control_planes import scripts
from etcd_dr.adapters.control_planes.call import remaining
from etcd_dr.adapters.control_planes.data_directory import DataPlace, free_bytes
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.boltdb.peek import Peeked, PeekFailed, peek
from etcd_dr.domain.recovery.sight import DatabasePeek, DataSight
from etcd_dr.domain.wal_head import WalIdentity, WalUnreadable, read_wal_identity
from etcd_dr.errors import NodeFault

_UNIT = 1024


class NotMounted(Exception):
    """Nothing lies there because the disk that belongs there is not mounted. Does not leave this package."""


def see_data(shell: Shell, place: DataPlace, *, is_running: bool, until: float) -> tuple[DataSight, int | None]:
    """Return what lies there and the free bytes beside it. The database of a running member is not looked into.

    Raises NotMounted, NodeUnreachable, NodeDenied: where it cannot be looked at, nothing is said of the data.
    """
    try:
        said = shell.run(scripts.LOOK, place.data_dir, place.wal_dir or "", deadline=remaining(until))
    except NodeFault as error:  # the disk answers with errors
        return DataSight(place.data_dir, exists=True, damage=f"cannot be read: {error.message}"), None
    lines = [line.partition("=")[::2] for line in said.output.decode(errors="replace").splitlines()]
    found = dict(lines)
    size = int(found["database"]) if found.get("database", "").isdigit() else None
    metadata, wal_damage = _wal(found)
    peeked, database_damage = None, ""
    if size is not None and not is_running:
        peeked, database_damage = _database(shell, place.database, size=size, until=until)
    damage = _damage(exists="exists" in found, has_wal="wal" in found, size=size, seen=(wal_damage, database_damage))
    sight = DataSight(
        directory=found.get("directory", place.data_dir),
        exists="exists" in found,
        has_wal="wal" in found,
        database_bytes=size,
        cluster_id=metadata.cluster_id if metadata is not None else None,
        member_id=metadata.member_id if metadata is not None else None,
        peek=peeked,
        damage=damage,
        set_aside=tuple(value for name, value in lines if name == "aside"),
        written_at=_latest(value for name, value in lines if name == "written"),
    )
    if sight.is_empty and "unmounted" in found:
        raise NotMounted(f"{found['unmounted']} is in /etc/fstab and not mounted, so {sight.directory} tells nothing")
    return sight, free_bytes(found.get("free", ""))


def _latest(seconds: Iterable[str]) -> datetime | None:
    known = [int(text) for text in seconds if text.isdigit()]
    return datetime.fromtimestamp(max(known), tz=UTC) if known else None


def _wal(found: dict[str, str]) -> tuple[WalIdentity | None, str]:
    if "wal" not in found:
        return None, ""
    try:
        return read_wal_identity(bytes.fromhex(found.get("head", ""))), ""
    except ValueError as error:
        reason = error if isinstance(error, WalUnreadable) else "its head cannot be read"
        return None, f"the WAL file {found['wal']} cannot be read: {reason}"


def _database(shell: Shell, path: str, *, size: int, until: float) -> tuple[DatabasePeek | None, str]:
    def read_at(offset: int, count: int) -> bytes:
        first, last = offset // _UNIT, -(-min(offset + count, size) // _UNIT)
        if last <= first:
            return b""
        raw = shell.run(scripts.READ_PART, path, str(first), str(last - first), deadline=remaining(until)).output
        return raw[offset - first * _UNIT :][:count]

    try:
        peeked: Peeked = peek(read_at)
    except PeekFailed as error:
        return None, f"the database cannot be read: {error}"
    except NodeFault as error:
        return None, f"the database cannot be read: {error.message}"
    return DatabasePeek(peeked.revision, peeked.consistent_index, peeked.term), ""


def _damage(*, exists: bool, has_wal: bool, size: int | None, seen: Iterable[str]) -> str:
    """Say what is wrong; a directory with neither WAL nor database is empty, not damaged."""
    found = [text for text in seen if text]
    if exists and has_wal and size is None:
        found.append("there is a WAL and no database")
    if exists and not has_wal and size is not None:
        found.append("there is a database and no WAL")
    return "; ".join(found)
