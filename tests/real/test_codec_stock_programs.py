"""What we store is undone by the stock `age` and `zstd`, what they wrote is undone by us, and etcd takes the result."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.codec import (
    EnvelopeDecoder,
    EnvelopeEncoder,
    parse_recipients,
    read_identity_files,
    read_recipients_files,
)
from etcd_dr.adapters.local_cluster import LocalCluster
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import SnapshotDamaged
from real.peers.etcd_tools import StockTools

FindProgram = Callable[[str], Path]


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def identity(tmp_path: Path, stock_program: FindProgram) -> Path:
    """The file that age-keygen writes, comments and all."""
    run(stock_program("age-keygen"), "--output", tmp_path / "identity.txt")
    return tmp_path / "identity.txt"


@pytest.fixture
def recipient(identity: Path, stock_program: FindProgram) -> str:
    return run(stock_program("age-keygen"), "-y", identity).strip()


@pytest.fixture
def snapshot(tmp_path: Path, shared_cluster: LocalCluster, stock_tools: StockTools) -> Path:
    """A snapshot of a real member with some hundred kilobytes in it."""
    with shared_cluster.gateway() as gateway:
        for number in range(60):
            gateway.put_through(b"/codec/%d" % number, b"value %d " % number * 500)
    return stock_tools.save_snapshot(shared_cluster, tmp_path / "snapshot.db")


def chunks_of(path: Path, size: int = 100_000) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


def encode(encoder: EnvelopeEncoder, source: Path, target: Path) -> Path:
    with target.open("wb") as file:
        encoder.encode(chunks_of(source), file.write)
    return target


def decode(decoder: EnvelopeDecoder, source: Path, *stages: str) -> bytes:
    out = bytearray()
    facts = tuple(StageFacts(name=name) for name in stages)
    decoder.decode(chunks_of(source), out.extend, stages=facts, subject=str(source), limit_bytes=1 << 30)
    return bytes(out)


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.every_etcd
def test_stock_programs_open_what_we_stored_and_etcd_restores_it(
    snapshot: Path,
    tmp_path: Path,
    identity: Path,
    recipient: str,
    threads: int,
    stock_program: FindProgram,
    stock_tools: StockTools,
) -> None:
    """In a disaster nobody needs etcd-dr to get at the database: age, zstd and etcdutl are enough."""
    encoder = EnvelopeEncoder(threads=threads, recipients=parse_recipients([recipient]))
    stored = encode(encoder, snapshot, tmp_path / "data")
    opened, plain = tmp_path / "data.zst", tmp_path / "plain.db"

    run(stock_program("age"), "--decrypt", "--identity", identity, "--output", opened, stored)
    run(stock_program("zstd"), "--decompress", "--quiet", opened, "-o", plain)
    stock_tools.etcdutl("snapshot", "restore", plain, "--data-dir", tmp_path / "restored")

    assert plain.read_bytes() == snapshot.read_bytes()
    assert stock_tools.snapshot_status(plain) == stock_tools.snapshot_status(snapshot)
    assert (tmp_path / "restored/member/snap/db").stat().st_size


def test_the_frame_carries_a_checksum_that_the_stock_program_checks(
    snapshot: Path, tmp_path: Path, stock_program: FindProgram
) -> None:
    """Also without encryption nobody takes a changed byte for a good one."""
    stored = encode(EnvelopeEncoder(), snapshot, tmp_path / "data.zst")

    listing = run(stock_program("zstd"), "--list", "--verbose", stored)

    assert "Check: XXH64" in listing


def test_we_open_what_stock_programs_wrote(
    snapshot: Path, tmp_path: Path, identity: Path, recipient: str, stock_program: FindProgram
) -> None:
    """The files of talos-backup, and of everybody's own scripts."""
    run(stock_program("zstd"), "--quiet", "-19", "-T2", snapshot, "-o", tmp_path / "s.zst")
    run(stock_program("age"), "--recipient", recipient, "--output", tmp_path / "s.age", tmp_path / "s.zst")
    run(stock_program("age"), "--armor", "--recipient", recipient, "--output", tmp_path / "s.asc", tmp_path / "s.zst")

    decoder = EnvelopeDecoder(read_identity_files([identity]))

    assert decode(decoder, tmp_path / "s.age", "zstd", "age") == snapshot.read_bytes()
    assert decode(decoder, tmp_path / "s.asc", "zstd", "age") == snapshot.read_bytes()


def test_frames_that_stock_programs_put_behind_one_another_are_one_file(
    snapshot: Path, tmp_path: Path, stock_program: FindProgram
) -> None:
    """`cat a.zst b.zst` is a file that zstd unpacks whole, and so do we."""
    run(stock_program("zstd"), "--quiet", snapshot, "-o", tmp_path / "one.zst")
    (tmp_path / "two.zst").write_bytes((tmp_path / "one.zst").read_bytes() * 2)

    assert decode(EnvelopeDecoder(), tmp_path / "two.zst", "zstd") == snapshot.read_bytes() * 2


def test_a_cut_file_is_refused_by_us_as_by_the_stock_program(
    snapshot: Path, tmp_path: Path, identity: Path, recipient: str, stock_program: FindProgram
) -> None:
    """Both see that the end is missing."""
    stored = encode(EnvelopeEncoder(recipients=parse_recipients([recipient])), snapshot, tmp_path / "data")
    stored.write_bytes(stored.read_bytes()[:-40])

    with pytest.raises(subprocess.CalledProcessError):
        run(stock_program("age"), "--decrypt", "--identity", identity, "--output", tmp_path / "x", stored)
    with pytest.raises(SnapshotDamaged):
        decode(EnvelopeDecoder(read_identity_files([identity])), stored, "zstd", "age")


@pytest.mark.parametrize("kind", [("ed25519",), ("rsa", "-b", "2048")], ids=["ed25519", "rsa"])
def test_ssh_keys_work_on_both_sides(
    snapshot: Path, tmp_path: Path, kind: tuple[str, ...], stock_program: FindProgram
) -> None:
    """The key that an administrator has already opens the snapshot with us and with age."""
    key = tmp_path / "id"
    run(stock_program("ssh-keygen"), "-q", "-t", *kind, "-N", "", "-C", "ops@example", "-f", key)
    stored = encode(
        EnvelopeEncoder(zstd_level=None, recipients=read_recipients_files([key.with_suffix(".pub")])),
        snapshot,
        tmp_path / "data",
    )

    run(stock_program("age"), "--decrypt", "--identity", key, "--output", tmp_path / "plain.db", stored)

    assert (tmp_path / "plain.db").read_bytes() == snapshot.read_bytes()
    assert decode(EnvelopeDecoder(read_identity_files([key])), stored, "age") == snapshot.read_bytes()
