"""What a file is, by its bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import pyrage
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from etcd_dr.domain.file_kind import HEAD_BYTES, TAIL_BYTES, FileFormat, FileKind, recognise

PAGE = 4096


def recognised(body: bytes) -> FileKind:
    return recognise(head=body[:HEAD_BYTES], tail=body[-TAIL_BYTES:], size_bytes=len(body))


def meta_page(number: int, page_size: int = PAGE) -> bytes:
    header = struct.pack("<QHHI", number, 4, 0, 0)
    return (header + struct.pack("<IIII", 0xED0CDAED, 2, page_size, 0)).ljust(page_size, b"\1")


def database(pages: int = 6, page_size: int = PAGE) -> bytes:
    return meta_page(0, page_size) + meta_page(1, page_size) + b"\7" * page_size * (pages - 2)


def tar(name: str, body: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    return out.getvalue()


def zipped(name: str, body: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return out.getvalue()


@pytest.mark.parametrize("page_size", [512, 4096, 16_384, 65_536])
def test_a_database_with_a_trailer_is_a_snapshot(page_size: int) -> None:
    """Judged by size as etcd judges it, whatever the page size of the machine it came from."""
    assert recognised(database(page_size=page_size) + bytes(32)).format is FileFormat.SNAPSHOT


@pytest.mark.parametrize("page_size", [512, 4096, 16_384, 65_536])
def test_whole_pages_without_a_trailer_are_a_raw_database(page_size: int) -> None:
    """What was copied out of a data directory."""
    assert recognised(database(page_size=page_size)).format is FileFormat.DATABASE


@pytest.mark.parametrize("cut", [1, 31, 33, 100, 4000])
def test_a_database_that_was_cut_off_is_named_as_that(cut: int) -> None:
    """Neither whole pages nor pages and a trailer."""
    kind = recognised((database() + bytes(32))[:-cut])

    assert kind.format is FileFormat.CUT_DATABASE
    assert kind.is_database
    assert kind.advice


def test_a_damaged_first_page_does_not_hide_a_database() -> None:
    """The second meta page is as good a sign; the examination will tell what is wrong."""
    assert recognised(bytes(PAGE) + database()[PAGE:] + bytes(32)).format is FileFormat.SNAPSHOT


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (zstandard.ZstdCompressor().compress(b"x" * 99), FileFormat.ZSTD),
        (struct.pack("<II", 0x184D2A50, 4) + b"skip" + zstandard.ZstdCompressor().compress(b"x"), FileFormat.ZSTD),
        (gzip.compress(b"x" * 99), FileFormat.GZIP),
        (zlib.compress(b"x" * 99), FileFormat.ZLIB),
        (zlib.compress(b"x" * 99, 9), FileFormat.ZLIB),
        (zlib.compress(b"x" * 99, 1), FileFormat.ZLIB),
        (lzma.compress(b"x" * 99), FileFormat.XZ),
        (bz2.compress(b"x" * 99), FileFormat.BZIP2),
        (bz2.compress(b""), FileFormat.BZIP2),
        (zipped("db", b"x"), FileFormat.ZIP),
        (pyrage.encrypt(b"x", [pyrage.x25519.Identity.generate().to_public()]), FileFormat.AGE),
        (pyrage.encrypt(b"x", [pyrage.x25519.Identity.generate().to_public()], armored=True), FileFormat.AGE),
    ],
    ids=lambda value: value if isinstance(value, FileFormat) else "",
)
def test_layers_are_recognised_and_named_as_stages_are(body: bytes, expected: FileFormat) -> None:
    """So that the decoder can be asked to undo them."""
    kind = recognised(body)

    assert kind.format is expected
    assert kind.is_layer
    assert not kind.is_database


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (bytes(9_000), "nothing but zeros"),
        (tar("db", database()), "a tar archive"),
        (b"\x04\x22\x4d\x18" + b"abc" * 9, "lz4"),
        (b"\x1f\x9d\x90abc", "LZW"),
        (b"7z\xbc\xaf\x27\x1c\0\4abc", "7-Zip"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQIM", "OpenPGP"),
        (b"\x85\x02\x0c\x03\x12\x34", "OpenPGP"),
        (b"Salted__\1\2\3\4\5\6\7\x08", "openssl"),
        (b"SQLite format 3\0" + bytes(999), "SQLite"),
        (b"\x7fELF\2\1\1", "a program"),
        (bytes.fromhex("0400000000000084 0804 1000 00000000"), "a write-ahead log"),
        (bytes.fromhex("0800000000000000 0804 10 f1b2c3d40f"), "a write-ahead log"),
        (bytes.fromhex("08 f1b2c3d40f 12 8003") + b'{"Root":', "a raft snapshot"),
        (b"<!DOCTYPE html>\n<html><body>503</body></html>", "a web page"),
        (b"\xef\xbb\xbf  <HTML>", "a web page"),
        (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>', "object store"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "object store"),
        (b'<?xml version="1.0"?><plist/>', "XML"),
        (b'[{"etcdEvent":{"type":0}}]', "delta snapshot"),
        (b'{"kind":"Status","code":403}', "JSON"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "PEM"),
        (b"apiVersion: v1\nkind: Pod\n", "a text file"),
        ("Größe: 5\n".encode() * 99, "a text file"),
        (b"\x00\x01\x02\x03garbage" * 99, "no format"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_is_no_database_is_named_with_advice(body: bytes, words: str) -> None:
    """Somebody who fetched the wrong thing learns what it is and what to do."""
    kind = recognised(body)

    assert words in kind.description
    assert kind.advice
    assert not kind.is_database
    assert not kind.is_layer


@given(st.binary(max_size=2_000), st.integers(0, 1 << 40))
@example(b"\x00" * 16 + struct.pack("<II", 0xED0CDAED, 2), 24)
@example(b"\xc3", 1)
def test_any_bytes_have_an_answer(head: bytes, more: int) -> None:
    """No file makes the recognition fail."""
    kind = recognise(head=head, tail=head, size_bytes=len(head) + more)

    assert kind.description


def test_a_compressed_database_is_not_taken_for_a_plain_one() -> None:
    """A zstd frame of data that does not compress holds the database's first page in clear, 16 bytes in."""
    page_header = struct.pack("<IIII", 0xED0CDAED, 2, 4096, 0)
    head = b"\x28\xb5\x2f\xfd" + bytes(12) + page_header + bytes(4096)

    kind = recognise(head=head[:HEAD_BYTES], tail=head[-TAIL_BYTES:], size_bytes=12_345)

    assert kind.format is FileFormat.ZSTD
