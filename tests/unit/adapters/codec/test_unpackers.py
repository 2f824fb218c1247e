"""Layers of other tools and hostile files: all frames, an exact end, bounded memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from etcd_dr.adapters.codec import EnvelopeDecoder
from etcd_dr.domain.manifest import StageFacts
from etcd_dr.errors import EtcdDrError, SnapshotDamaged, UnsupportedFormat

PLAIN = random.Random(5).randbytes(400_000) + bytes(3_000_000)


def zstd(plain: bytes, **settings: object) -> bytes:
    return zstandard.ZstdCompressor(**settings).compress(plain)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstd,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def unpacked(name: str, body: bytes, *, limit_bytes: int = 1 << 30, chunk_bytes: int = 10_007) -> bytes:
    out = bytearray()
    chunks = (body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes))
    EnvelopeDecoder().decode(
        chunks, out.extend, stages=(StageFacts(name=name),), subject="a file", limit_bytes=limit_bytes
    )
    return bytes(out)


@pytest.mark.parametrize("chunk_bytes", [1, 10_007, 1 << 22])
@pytest.mark.parametrize("name", PACKERS)
def test_each_format_is_undone_whatever_the_chunks(name: str, chunk_bytes: int) -> None:
    """Chunk borders mean nothing."""
    plain = PLAIN if chunk_bytes > 1 else PLAIN[-3_000:]
    body = PACKERS[name](plain)

    assert unpacked(name, body, chunk_bytes=chunk_bytes) == plain


@pytest.mark.parametrize("name", PACKERS)
def test_several_members_are_one_file(name: str) -> None:
    """Concatenated frames, members and streams are what their own tools make of them: one file."""
    body = PACKERS[name](b"first ") + PACKERS[name](b"second")

    assert unpacked(name, body) == b"first second"


def test_skippable_zstd_frames_are_skipped() -> None:
    """pzstd and seekable zstd put frames of their own between and behind the data."""
    skippable = struct.pack("<II", 0x184D2A50, 5) + b"index"

    assert unpacked("zstd", skippable + zstd(PLAIN) + skippable) == PLAIN


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("garbage", [b"x", b"\0", b"other bytes" * 1_000], ids=["x", "zero", "many"])
def test_other_bytes_behind_the_end_are_damage(name: str, garbage: bytes) -> None:
    """What follows the end does not belong to it."""
    with pytest.raises(SnapshotDamaged):
        unpacked(name, PACKERS[name](PLAIN) + garbage)


@pytest.mark.parametrize("name", PACKERS)
def test_a_file_that_was_cut_is_damage_wherever_it_was_cut(name: str) -> None:
    """A shorter file never passes as the whole one."""
    body = PACKERS[name](PLAIN[:5_000])

    for size in [*range(0, len(body), 97), len(body) - 1]:
        with pytest.raises(SnapshotDamaged):
            unpacked(name, body[:size])


@pytest.mark.parametrize("name", ["zstd", "gzip", "bzip2", "xz"])
def test_a_flipped_bit_of_the_content_is_damage(name: str) -> None:
    """The formats' own checksums are looked at."""
    pack = PACKERS[name] if name != "zstd" else lambda plain: zstd(plain, write_checksum=True)
    body = bytearray(pack(PLAIN[:100_000]))
    body[len(body) // 2] ^= 4

    with pytest.raises(SnapshotDamaged):
        unpacked(name, bytes(body))


@pytest.mark.parametrize(
    ("name", "size_mib", "most_mib"),
    [("zstd", 1024, 160), ("gzip", 64, 16), ("zlib", 64, 16), ("bzip2", 64, 16), ("xz", 64, 16)],
)
def test_a_bomb_is_refused_at_the_limit_with_little_memory(name: str, size_mib: int, most_mib: int) -> None:
    """A small file that stands for very much costs neither disk nor memory beyond the limit."""
    body = PACKERS[name](bytes(size_mib << 20))
    limit = 4 << 20

    tracemalloc.start()
    with pytest.raises(SnapshotDamaged) as caught:
        unpacked(name, body, limit_bytes=limit, chunk_bytes=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert caught.value.context["limit_bytes"] == limit
    assert peak < most_mib << 20


def test_a_window_too_large_is_refused_by_name() -> None:
    """A frame that would need gigabytes to decode is not tried; the stock program is named."""
    settings = zstandard.ZstdCompressionParameters.from_level(1, window_log=29)
    compressor = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    body = compressor.compress(PLAIN) + compressor.flush()

    with pytest.raises(UnsupportedFormat, match="window"):
        unpacked("zstd", body)


def test_a_dictionary_is_refused_by_name() -> None:
    """Without its dictionary such a frame cannot be read, and it is not damaged either."""
    samples = [b"/registry/pods/%d " % number * 20 for number in range(3_000)]
    body = zstd(samples[5] * 9, dict_data=zstandard.train_dictionary(4_000, samples))

    with pytest.raises(UnsupportedFormat, match="dictionary"):
        unpacked("zstd", body)


@pytest.mark.parametrize("name", PACKERS)
def test_other_content_under_the_name_is_damage(name: str) -> None:
    """An error page that was stored as a snapshot ends as damage with the subject."""
    with pytest.raises(EtcdDrError) as caught:
        unpacked(name, b"<html><body>503 Service Unavailable</body></html>" * 50)

    assert isinstance(caught.value, SnapshotDamaged)
    assert caught.value.subject == "a file"
