"""Stories about `snapshot status FILE`: any file has an answer."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard

from etcd_dr.domain.file_kind import FileFormat
from etcd_dr.errors import SnapshotDamaged, UnsupportedFormat
from scenarios.import_world import ImportWorld


@pytest.fixture
def world(tmp_path: Path) -> ImportWorld:
    return ImportWorld(tmp_path)


def test_a_snapshot_is_described_by_its_bytes(world: ImportWorld) -> None:
    """The numbers, the trailer, no scratch space used."""
    inspected = world.inspect(world.file("backup.db", world.snapshot_bytes))

    assert inspected.kind.format is FileFormat.SNAPSHOT
    assert inspected.layers == ()
    assert inspected.plain_bytes == len(world.snapshot_bytes)
    assert (inspected.examination.status.revision, inspected.examination.status.live_key_count) == (301, 300)
    assert inspected.examination.trailer.matches
    assert inspected.is_restorable
    assert world.scratch.expected == []


def test_layers_are_taken_off_and_named(world: ImportWorld) -> None:
    """The answer is the same as for the plain file."""
    body = zstandard.ZstdCompressor().compress(gzip.compress(world.snapshot_bytes))
    plain = world.inspect(world.file("backup.db", world.snapshot_bytes))

    inspected = world.inspect(world.file("backup.gz.zst", body))

    assert inspected.layers == ("zstd", "gzip")
    assert inspected.examination == plain.examination
    assert world.scratch.left_behind == []


def test_a_raw_database_is_intact_and_not_restorable_as_it_is(world: ImportWorld) -> None:
    """`etcdutl snapshot restore` would ask for --skip-hash-check."""
    inspected = world.inspect(world.file("db", world.database_bytes))

    assert inspected.kind.format is FileFormat.DATABASE
    assert inspected.examination.is_intact
    assert not inspected.is_restorable


def test_damage_is_an_answer_and_no_error(world: ImportWorld) -> None:
    """Whoever asks for the status of a broken file gets to see how broken it is."""
    spoiled = bytearray(world.snapshot_bytes)
    spoiled[len(spoiled) // 2] ^= 1

    inspected = world.inspect(world.file("backup.db", bytes(spoiled)))

    assert inspected.examination.trailer.matches is False
    assert not inspected.examination.is_intact
    assert not inspected.is_restorable


def test_a_file_that_was_cut_is_examined_as_far_as_it_goes(world: ImportWorld) -> None:
    """Named as cut, with findings."""
    inspected = world.inspect(world.file("backup.db", world.snapshot_bytes[: len(world.snapshot_bytes) // 2 + 7]))

    assert inspected.kind.format is FileFormat.CUT_DATABASE
    assert len(inspected.examination.errors) > 1


def test_a_file_that_lost_only_a_part_of_its_trailer_is_not_intact(world: ImportWorld) -> None:
    """All pages are there, and yet it is not what etcd sent."""
    inspected = world.inspect(world.file("backup.db", world.snapshot_bytes[:-5]))

    assert [finding.code for finding in inspected.examination.errors] == ["file.cut"]
    assert not inspected.examination.is_intact


def test_a_part_file_is_examined_with_a_warning(world: ImportWorld) -> None:
    """It may be whole after all: its trailer tells."""
    inspected = world.inspect(world.file("backup.db.part", world.snapshot_bytes))

    assert inspected.name.warning
    assert inspected.is_restorable


@pytest.mark.parametrize(("name", "body"), [("wal", b"\x04" + bytes(6) + b"\x84\x08\x04\x10\x00"), ("x.db", b"")])
def test_what_is_no_database_is_refused_by_name(world: ImportWorld, name: str, body: bytes) -> None:
    """There is nothing to state."""
    with pytest.raises(UnsupportedFormat):
        world.inspect(world.file(name, body))


def test_a_bomb_is_refused_and_the_disk_stays_free(world: ImportWorld) -> None:
    """Nothing beyond the limit is written."""
    bomb = zstandard.ZstdCompressor().compress(bytes(50 << 20))

    with pytest.raises(SnapshotDamaged):
        world.inspect(world.file("bomb.zst", bomb), limit_bytes=1 << 20)

    assert world.scratch.left_behind == []


def test_a_name_is_not_believed_against_the_bytes(world: ImportWorld) -> None:
    """A database is a database although it is called a write-ahead log, and a .gz need not be gzip."""
    for name in ("0000000000000000-0000000000000000.wal", "backup.db.gz", "Incr-00000002-00000009-1692525600"):
        assert world.inspect(world.file(name, world.snapshot_bytes)).is_restorable


def test_a_digest_of_what_was_inspected_is_that_of_etcd(world: ImportWorld) -> None:
    """The trailer is the SHA-256 of everything before it."""
    inspected = world.inspect(world.file("backup.db", world.snapshot_bytes))

    assert inspected.examination.trailer.digest == hashlib.sha256(world.database_bytes).hexdigest()
