"""Stories about files of other tools that become snapshots."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
import zstandard

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.manifest import TopologyMember, canonical_json
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.errors import (
    Cancelled,
    DecryptionFailed,
    FileUnreadable,
    IdentityMissing,
    LocalStorageFull,
    ObjectMissing,
    SnapshotDamaged,
    StoreUnreachable,
    UnsupportedFormat,
)
from fakes.catalogue import moment, snapshot
from scenarios.import_world import NOON, ImportWorld

ALICE = pyrage.x25519.Identity.generate()


@pytest.fixture
def world(tmp_path: Path) -> ImportWorld:
    (tmp_path / "alice").write_text(str(ALICE))
    return ImportWorld(tmp_path, identities=(tmp_path / "alice",))


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def encrypted(body: bytes) -> bytes:
    return pyrage.encrypt(body, [ALICE.to_public()])


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


OTHER_TOOLS: dict[str, tuple[str, Callable[[bytes], bytes], tuple[str, ...], str]] = {
    "etcdctl": ("backup.db", lambda b: b, (), "etcd"),
    "k3s": ("etcd-snapshot-node-1-1692525600", lambda b: b, (), "k3s"),
    "k3s-zip": (
        "on-demand-node-1-1692525600.zip",
        lambda b: zipped(("on-demand-node-1-1692525600", b)),
        ("zip",),
        "k3s",
    ),
    "openshift": ("snapshot_2023-08-20_100000.db", lambda b: b, (), "openshift"),
    "etcd-backup-restore": (
        "Full-00000000-00000301-1692525600.gz",
        gzip.compress,
        ("gzip",),
        "etcd-backup-restore",
    ),
    "etcd-backup-restore-zlib": (
        "Full-00000000-00000301-1692525600.zlib",
        zlib.compress,
        ("zlib",),
        "etcd-backup-restore",
    ),
    "talos": ("prod-2023-08-20T10:00:00Z.snap", lambda b: b, (), "talos"),
    "talos-full": (
        "prod-2023-08-20T10:00:00Z.snap.zst.age",
        lambda b: encrypted(zstd(b)),
        ("age", "zstd"),
        "talos",
    ),
    "by-hand": ("x.gz.zst", lambda b: zstd(gzip.compress(b)), ("zstd", "gzip"), "etcd"),
}


@pytest.mark.parametrize("tool", OTHER_TOOLS)
def test_snapshots_of_other_tools_become_proven_snapshots(world: ImportWorld, tool: str) -> None:
    """Whatever the envelope, the same database arrives: with its facts, its origin and two proofs."""
    name, wrap, layers, platform = OTHER_TOOLS[tool]

    outcome = world.import_file(world.file(name, wrap(world.snapshot_bytes)))

    (found,) = world.catalogue.snapshots
    manifest = found.manifest
    assert outcome.is_new
    assert outcome.layers == layers
    assert found.is_proven
    assert {proof.level for proof in found.proofs} == {ProofLevel.STORED, ProofLevel.INTACT}
    assert manifest.plain_digest == Digest.of_sha256(hashlib.sha256(world.snapshot_bytes).digest())
    assert manifest.trailer_digest == Digest.of_sha256(world.snapshot_bytes[-32:])
    assert (manifest.source.kind, manifest.source.platform, manifest.source.original_name) == ("import", platform, name)
    assert (manifest.database.revision, manifest.database.live_keys) == (301, 300)
    assert [member.name for member in manifest.topology] == ["m1"]
    assert manifest.labels["import.layers"] == ",".join(layers)
    assert manifest.labels["import.trailer"] == "original"
    assert world.scratch.left_behind == []


@pytest.mark.parametrize("tool", ["k3s", "openshift", "etcd-backup-restore", "talos-full"])
def test_the_time_in_a_name_becomes_the_snapshots(world: ImportWorld, tool: str) -> None:
    """So that it takes its place in the history."""
    name, wrap, _, _ = OTHER_TOOLS[tool]

    outcome = world.import_file(world.file(name, wrap(world.snapshot_bytes)))

    assert outcome.snapshot.taken_at == moment("2023-08-20 10:00")
    assert outcome.snapshot.manifest.labels["import.taken_at"] == "name"


def test_a_file_whose_name_tells_nothing_gets_its_own_time_and_a_warning(world: ImportWorld) -> None:
    """The time of the last change is the best there is."""
    outcome = world.import_file(world.file("backup.db", world.snapshot_bytes))

    assert outcome.snapshot.taken_at == moment("2026-08-01")
    assert outcome.snapshot.manifest.labels["import.taken_at"] == "file"
    assert any("last change" in warning for warning in outcome.warnings)


def test_a_time_that_is_said_counts_more_than_names(world: ImportWorld) -> None:
    """Whoever imports knows better."""
    file = world.file("etcd-snapshot-node-1-1692525600", world.snapshot_bytes)

    outcome = world.import_file(file, taken_at=moment("2022-02-02 02:02"), platform="rke2", labels={"team": "blue"})

    assert outcome.snapshot.taken_at == moment("2022-02-02 02:02")
    assert outcome.snapshot.manifest.source.platform == "rke2"
    assert outcome.snapshot.manifest.labels["team"] == "blue"


def test_a_time_in_the_future_becomes_the_present(world: ImportWorld) -> None:
    """A snapshot from the future would stand outside every rule of retention."""
    file = world.file("backup.db", world.snapshot_bytes, changed_at=moment("2036-01-01"))

    outcome = world.import_file(file)

    assert outcome.snapshot.taken_at == NOON
    assert any("future" in warning for warning in outcome.warnings)


def test_a_database_without_a_trailer_gets_one_when_it_is_intact(world: ImportWorld) -> None:
    """What is stored then is what etcd would have sent, so it restores without --skip-hash-check."""
    outcome = world.import_file(world.file("db", world.database_bytes))

    manifest = outcome.snapshot.manifest
    assert manifest.plain_digest == Digest.of_sha256(hashlib.sha256(world.snapshot_bytes).digest())
    assert manifest.database.size_bytes == len(world.snapshot_bytes)
    assert manifest.labels["import.trailer"] == "appended"
    assert any("trailer" in warning for warning in outcome.warnings)
    assert "appended" in outcome.snapshot.proofs[1].detail


@pytest.mark.parametrize("has_trailer", [True, False])
def test_an_imported_snapshot_verifies_from_the_store(world: ImportWorld, has_trailer: bool) -> None:
    """The manifest says the truth about the stored bytes, for an appended trailer too."""
    body = world.snapshot_bytes if has_trailer else world.database_bytes
    outcome = world.import_file(world.file("backup.db", body))

    verified = world.verify(outcome.snapshot)

    assert not verified.is_damaged
    assert not verified.not_made
    assert verified.snapshot.level is ProofLevel.INTACT


def test_the_same_database_is_imported_once(world: ImportWorld) -> None:
    """In whatever envelope and under whatever name it comes again."""
    first = world.import_file(world.file("backup.db", world.snapshot_bytes))

    again = world.import_file(world.file("Full-00000000-00000301-1692525600.gz", gzip.compress(world.snapshot_bytes)))
    raw = world.import_file(world.file("db", world.database_bytes))

    assert [again.is_new, raw.is_new] == [False, False]
    assert again.snapshot.id == raw.snapshot.id == first.snapshot.id
    assert len(world.catalogue.snapshots) == 1


def test_a_damaged_copy_in_the_store_does_not_stop_a_good_one(world: ImportWorld) -> None:
    """Importing again is how it is repaired."""
    first = world.import_file(world.file("backup.db", world.snapshot_bytes))
    world.store.flip_bit(world.layout.data(first.snapshot.id), offset=100)
    world.verify(first.snapshot)

    again = world.import_file(world.file("backup.db", world.snapshot_bytes))

    assert again.is_new
    assert world.catalogue.newest_proven.id == again.snapshot.id


def test_an_object_of_the_store_is_imported_by_its_key(world: ImportWorld) -> None:
    """Where another tool wrote into the same bucket, nothing has to be downloaded by hand."""
    key = "talos/prod-2023-08-20T10:00:00Z.snap.zst"
    world.store.plant(key, zstd(world.snapshot_bytes))

    outcome = world.import_object(key)

    assert outcome.snapshot.taken_at == moment("2023-08-20 10:00")
    assert outcome.snapshot.manifest.source.original_name == "prod-2023-08-20T10:00:00Z.snap.zst"
    assert key in world.store.keys
    assert world.scratch.left_behind == []


def test_members_that_the_cluster_never_had_are_a_warning(world: ImportWorld) -> None:
    """The cluster id is not in the file, so this is the only hint at a file from elsewhere."""
    stranger = TopologyMember(id="1", name="z9", peer_urls=("https://z9.example:2380",), client_urls=())
    known = snapshot("2026-08-19")
    manifest = known.manifest.model_copy(update={"topology": (stranger,)})
    world.store.plant(world.layout.manifest(known.id), canonical_json(manifest))

    outcome = world.import_file(world.file("backup.db", world.snapshot_bytes))

    assert any("(m1)" in warning and "right cluster" in warning for warning in outcome.warnings)


def test_warnings_of_a_name_are_passed_on(world: ImportWorld) -> None:
    """A forced OpenShift backup is imported, with a word about it."""
    outcome = world.import_file(world.file("snapshot_2023-08-20_100000__POSSIBLY_DIRTY__.db", world.snapshot_bytes))

    assert any("forced" in warning for warning in outcome.warnings)
    assert any("UTC" in warning for warning in outcome.warnings)


# What is refused, with nothing left behind.


def flipped(body: bytes, place: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: flipped(b, len(b) // 2),
        lambda b: flipped(b, len(b) - 1),
        lambda b: b[:-4096],
        lambda b: b[: len(b) // 2],
        lambda b: b[:-31],
        lambda b: bytes(4096) + b[4096:],
        lambda b: b[:8192] + bytes(len(b) - 8192),
    ],
    ids=["bit", "trailer-bit", "page-missing", "half", "cut-trailer", "first-page", "zeros"],
)
def test_a_damaged_file_is_not_imported(world: ImportWorld, spoil: Callable[[bytes], bytes]) -> None:
    """The store holds nothing that is known to be bad."""
    with pytest.raises(SnapshotDamaged):
        world.import_file(world.file("backup.db", spoil(world.snapshot_bytes)))

    assert world.has_left_nothing


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("empty.db", b"", "empty"),
        ("page.html", b"<html><body>404</body></html>", "web page"),
        ("Incr-00000002-00000009-1692525600.gz", gzip.compress(b'[{"etcdEvent":{}}]'), "delta snapshot"),
        ("Incr-00000002-00000009-1692525600", b"\x01\x02\x03\x04", "delta snapshot"),
        ("Full-00000000-00000301-1692525600.Z", b"\x01\x02\x03\x04\x05" * 99, "LZW"),
        ("0000000000000002-00000000000186a1.snap", b"\x08\x01\x12\x03abc", "raft snapshot"),
        ("state.db", b"SQLite format 3\0" + bytes(99), "SQLite"),
        ("two.zip", zipped(("a", b"1"), ("b", b"2")), "2 files"),
        ("none.zip", zipped(), "0 files"),
        ("deep.gz", gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x"))))), "layers"),
        ("inside.zst", zstd(b"nothing but a text"), "inside zstd"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,  # bytes with a time in them make no stable name
)
def test_what_is_no_database_is_refused_with_its_name_and_advice(
    world: ImportWorld, name: str, body: bytes, words: str
) -> None:
    """The error says what it is instead, and what to do."""
    with pytest.raises(UnsupportedFormat) as caught:
        world.import_file(world.file(name, body))

    assert words in str(caught.value)
    assert name in str(caught.value)
    assert caught.value.next_step
    assert world.has_left_nothing


@pytest.mark.parametrize("wrap", [gzip.compress, zstd, encrypted, lambda b: zipped(("db", b))])
def test_an_envelope_that_was_cut_is_damaged(world: ImportWorld, wrap: Callable[[bytes], bytes]) -> None:
    """What is inside is not looked at."""
    with pytest.raises(SnapshotDamaged):
        world.import_file(world.file("backup", wrap(world.snapshot_bytes)[:-100]))

    assert world.has_left_nothing


@pytest.mark.parametrize("wrap", [gzip.compress, zstd, encrypted, lambda b: zipped(("db", b))])
def test_a_file_that_unpacks_beyond_the_limit_is_refused(world: ImportWorld, wrap: Callable[[bytes], bytes]) -> None:
    """Disk is spent up to the limit and no further."""
    limit = len(world.snapshot_bytes) - 1

    with pytest.raises(SnapshotDamaged) as caught:
        world.import_file(world.file("backup", wrap(world.snapshot_bytes)), limit_bytes=limit)

    assert caught.value.context["limit_bytes"] == limit
    assert world.has_left_nothing


def test_a_zip_that_lies_about_its_size_is_damaged(world: ImportWorld) -> None:
    """The announced size bounds what is read, and the checksum tells that it was not all."""
    body = bytearray(zipped(("db", world.snapshot_bytes)))
    size = len(world.snapshot_bytes).to_bytes(4, "little")
    directory = body.rindex(size)
    body[directory : directory + 4] = (4096).to_bytes(4, "little")

    with pytest.raises((SnapshotDamaged, UnsupportedFormat)):
        world.import_file(world.file("lying.zip", bytes(body)))

    assert world.has_left_nothing


def test_without_the_right_identity_nothing_is_imported(world: ImportWorld, tmp_path: Path) -> None:
    """None, or another one than the file was encrypted to."""
    (tmp_path / "bob").write_text(str(pyrage.x25519.Identity.generate()))
    for folder, identities, error in (
        ("none", (), IdentityMissing),
        ("wrong", (tmp_path / "bob",), DecryptionFailed),
    ):
        (tmp_path / folder).mkdir()
        stranger = ImportWorld(tmp_path / folder, identities=identities)
        file = stranger.file("prod.snap.age", encrypted(world.snapshot_bytes))

        with pytest.raises(error):
            stranger.import_file(file)

        assert stranger.has_left_nothing


def test_a_missing_file_and_a_directory_are_unreadable(world: ImportWorld) -> None:
    """A data directory is answered with the place of its database."""
    with pytest.raises(FileUnreadable):
        world.import_file(world.files / "none.db")
    with pytest.raises(FileUnreadable) as caught:
        world.import_file(world.files)

    assert "member/snap/db" in caught.value.next_step


def test_a_pipe_is_refused_at_once(world: ImportWorld) -> None:
    """Opening one would wait for a writer that may never come."""
    pipe = world.files / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(FileUnreadable, match="not a regular file"):
        world.import_file(pipe)


def test_a_missing_object_is_missing(world: ImportWorld) -> None:
    """The store's own error."""
    with pytest.raises(ObjectMissing):
        world.import_object("talos/none.snap")


def test_a_full_scratch_disk_ends_the_import(world: ImportWorld) -> None:
    """With the place that is full."""
    world.scratch.capacity_bytes = 10_000

    with pytest.raises(LocalStorageFull):
        world.import_file(world.file("backup.gz", gzip.compress(world.snapshot_bytes)))

    assert world.has_left_nothing


@pytest.mark.parametrize("operation", ["begin_upload", "write", "commit"])
def test_a_store_that_fails_during_the_upload_leaves_nothing(world: ImportWorld, operation: str) -> None:
    """Neither an object nor an upload under way."""
    world.store.fail(operation, StoreUnreachable("connection reset", subject="fake://store"))

    with pytest.raises(StoreUnreachable):
        world.import_file(world.file("backup.db", world.snapshot_bytes))

    assert world.has_left_nothing


def test_a_proof_that_cannot_be_written_leaves_nothing(world: ImportWorld) -> None:
    """A snapshot is never visible with less than is known of it."""
    world.store.fail("put", StoreUnreachable("connection reset", subject="fake://store"))

    with pytest.raises(StoreUnreachable):
        world.import_file(world.file("backup.db", world.snapshot_bytes))

    assert world.has_left_nothing


def test_a_file_that_changes_while_it_is_imported_is_refused(world: ImportWorld) -> None:
    """A copy in progress, or a live database: what was examined is not what would be stored."""
    file = world.file("backup.db", world.snapshot_bytes)

    def change(operation: str, key: str) -> None:
        world.store.faults.on_chunk = None
        file.write_bytes(flipped(world.snapshot_bytes, len(world.snapshot_bytes) // 2))

    world.store.faults.on_chunk = change
    # The first piece leaves the encoder before the file is read to its end.
    world.encoder = type(world.encoder)(compress=False, recipients=("age1alice",))

    with pytest.raises(SnapshotDamaged) as caught:
        world.import_file(file)

    assert "changed while" in str(caught.value)
    assert world.has_left_nothing


def test_a_stop_leaves_nothing(world: ImportWorld) -> None:
    """Wherever it comes."""
    file = world.file("backup.gz", gzip.compress(world.snapshot_bytes))
    world.cancellation.cancel("SIGTERM")

    with pytest.raises(Cancelled):
        world.import_file(file)

    assert world.has_left_nothing


def test_the_file_itself_is_only_read(world: ImportWorld) -> None:
    """Rancher once truncated the backup that it restored from (rancher #18599)."""
    for body in (world.snapshot_bytes, world.database_bytes, zipped(("db", world.snapshot_bytes))):
        file = world.file("backup.db", body)
        before = file.stat().st_mtime_ns
        file.chmod(0o400)

        world.import_file(file)

        assert file.read_bytes() == body
        assert file.stat().st_mtime_ns == before
        file.unlink()


def test_progress_is_shown_while_a_file_is_hashed(world: ImportWorld) -> None:
    """Before anything is stored a large file is read once, and whoever waits sees how far that is."""
    plain = world.file("etcd.db", world.snapshot_bytes)

    world.import_file(plain)

    assert world.progress.phases[:1] == ["hashing"]
    assert world.progress.count_bytes >= len(world.snapshot_bytes)


def test_examination_of_a_file_stops_on_request(world: ImportWorld) -> None:
    """A wish to stop ends the examination itself, not only what comes after it."""
    plain = world.file("etcd.db", world.snapshot_bytes)
    world.cancellation.cancel("SIGTERM")

    with pytest.raises(Cancelled):
        world.inspect(plain)
