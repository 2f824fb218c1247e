"""What a file is, judged by its first and last bytes and its size; its name is never believed against them.

Rules this module keeps:
- Pure: it sees `HEAD_BYTES` from the front and `TAIL_BYTES` from the end, and opens nothing.
- Three answers: a database of etcd, a layer around something (to be undone and looked at again), or something else,
  with what it is in words and what to do about it.
- A database with etcd's trailer is recognised as etcd does it: its size is 32 above a multiple of 512 (etcdutl's
  v3_snapshot.go, hasChecksum). Without one it must be whole pages.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum

HEAD_BYTES = 128 << 10
"""Enough for both meta pages at the largest page size that bbolt files have in practice (64 KiB)."""
TAIL_BYTES = 64 << 10

_TRAILER_BYTES = 32
_SECTOR_BYTES = 512
_META_MAGIC = struct.pack("<II", 0xED0CDAED, 2)  # magic and version, bbolt's db.go
_META_OFFSET = 16
_PAGE_SIZES = tuple(512 << shift for shift in range(8))


class FileFormat(StrEnum):
    """`snapshot` and `database` are etcd's: with trailer and without. The layers are named as stages are."""

    SNAPSHOT = "snapshot"
    DATABASE = "database"
    CUT_DATABASE = "cut-database"
    EMPTY = "empty"

    ZSTD = "zstd"
    AGE = "age"
    GZIP = "gzip"
    ZLIB = "zlib"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZIP = "zip"

    OTHER = "other"


LAYERS = frozenset(
    {
        FileFormat.ZSTD,
        FileFormat.AGE,
        FileFormat.GZIP,
        FileFormat.ZLIB,
        FileFormat.XZ,
        FileFormat.BZIP2,
        FileFormat.ZIP,
    }
)


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is. `description` is a phrase ("an etcd snapshot with its trailer"), `advice` a sentence for what
    cannot be used, with a command where there is one."""

    format: FileFormat
    description: str
    advice: str = ""

    @property
    def is_database(self) -> bool:
        """Whether it is a database that can be examined; a cut one ends in findings."""
        return self.format in (FileFormat.SNAPSHOT, FileFormat.DATABASE, FileFormat.CUT_DATABASE)

    @property
    def is_layer(self) -> bool:
        return self.format in LAYERS


def recognise(*, head: bytes, tail: bytes, size_bytes: int) -> FileKind:
    """Return what a file is. `head` and `tail` are its first and last bytes, or all of a small one."""
    if not size_bytes:
        return _EMPTY
    return (
        # Signatures first: a database's page 0 begins with its own id, which is eight zeros, while the page header of
        # a database may well stand in clear inside a compressed file.
        _by_signature(head)
        or _database(head, size_bytes)
        or _zlib(head)
        or _text(head)
        or _blank(head, tail)
        or FileKind(FileFormat.OTHER, "of no format that etcd-dr knows", _NOT_A_DATABASE)
    )


_NOT_A_DATABASE = (
    "An etcd snapshot comes from: etcdctl snapshot save FILE (or etcd-dr snapshot save). "
    "A member's own database is member/snap/db below its data directory."
)
_EMPTY = FileKind(
    FileFormat.EMPTY,
    "empty",
    "Nothing was ever written to it, or its upload failed. Look for another one where it came from.",
)


def _database(head: bytes, size_bytes: int) -> FileKind | None:
    page_size = _page_size(head)
    if page_size is None:
        return None
    if size_bytes % _SECTOR_BYTES == _TRAILER_BYTES:
        return FileKind(FileFormat.SNAPSHOT, "an etcd snapshot with its trailer")
    if size_bytes % page_size == 0:
        return FileKind(FileFormat.DATABASE, "an etcd database without a trailer, as it lies in a data directory")
    return FileKind(
        FileFormat.CUT_DATABASE,
        f"the beginning of an etcd database: {size_bytes} bytes are neither whole pages nor pages and a trailer",
        "A download or a disk cut it off. Fetch it again where it came from, and compare the sizes.",
    )


def _page_size(head: bytes) -> int | None:
    """Return the page size where either meta page is recognised; the first one may be damaged (bbolt's db.go)."""
    if head[_META_OFFSET : _META_OFFSET + 8] == _META_MAGIC and len(head) >= _META_OFFSET + 12:
        (page_size,) = struct.unpack_from("<I", head, _META_OFFSET + 8)
        return page_size if page_size in _PAGE_SIZES else 4096
    for page_size in _PAGE_SIZES:
        # The page size is part of what is looked for: a tar archive has a database's first page at offset 512.
        if head[page_size + _META_OFFSET :][:12] == _META_MAGIC + struct.pack("<I", page_size):
            return page_size
    return None


_SIGNATURES: tuple[tuple[re.Pattern[bytes], FileKind], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", FileKind(FileFormat.ZSTD, "compressed with zstd")),
        (rb"age-encryption\.org/v1\r?\n", FileKind(FileFormat.AGE, "encrypted with age")),
        (rb"\s*-----BEGIN AGE ENCRYPTED FILE-----", FileKind(FileFormat.AGE, "encrypted with age, in armor")),
        (rb"\x1f\x8b\x08", FileKind(FileFormat.GZIP, "compressed with gzip")),
        (rb"\xfd7zXZ\x00", FileKind(FileFormat.XZ, "compressed with xz")),
        (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", FileKind(FileFormat.BZIP2, "compressed with bzip2")),
        (rb"PK\x03\x04|PK\x05\x06", FileKind(FileFormat.ZIP, "a zip archive")),
        (
            rb".{257}ustar",
            FileKind(
                FileFormat.OTHER, "a tar archive", "Unpack it, and name the database in it: tar --extract --file FILE"
            ),
        ),
        (
            rb"\x04\x22\x4d\x18",
            FileKind(FileFormat.OTHER, "compressed with lz4", "Unpack it first: lz4 --decompress FILE OUTPUT"),
        ),
        (
            rb"\x1f\x9d",
            FileKind(
                FileFormat.OTHER, "compressed with compress (LZW)", "Unpack it first: uncompress -c FILE > OUTPUT"
            ),
        ),
        (rb"7z\xbc\xaf\x27\x1c", FileKind(FileFormat.OTHER, "a 7-Zip archive", "Unpack it first: 7z x FILE")),
        (
            rb"-----BEGIN PGP MESSAGE-----|\x85[\x01-\x04].\x03|[\x84\xc1].\x03",
            FileKind(
                FileFormat.OTHER, "encrypted with OpenPGP", "Decrypt it first: gpg --output OUTPUT --decrypt FILE"
            ),
        ),
        (
            rb"Salted__",
            FileKind(
                FileFormat.OTHER, "encrypted with openssl", "Decrypt it first: openssl enc -d -in FILE -out OUTPUT …"
            ),
        ),
        (
            rb"SQLite format 3\x00",
            FileKind(
                FileFormat.OTHER,
                "an SQLite database",
                "A single k3s server keeps its state in SQLite instead of etcd; etcd-dr does not read that. "
                "Move it to etcd with: k3s server --cluster-init",
            ),
        ),
        (rb"\x7fELF", FileKind(FileFormat.OTHER, "a program", _NOT_A_DATABASE)),
        # The first record of every WAL is {type: crc}, behind its length and padding in 8 bytes (wal/encoder.go).
        (
            rb".\x00\x00\x00\x00\x00\x00[\x00\x80-\x87]\x08\x04\x10",
            FileKind(
                FileFormat.OTHER,
                "a write-ahead log of etcd",
                "It holds raft entries, not the database: take member/snap/db of the same data directory.",
            ),
        ),
        (
            rb"\x08[\x80-\xff]{4}[\x01-\x0f]\x12",
            FileKind(
                FileFormat.OTHER,
                "a raft snapshot of etcd",
                "It holds the membership, not the keys: take the file db beside it, in member/snap.",
            ),
        ),
    )
)


def _by_signature(head: bytes) -> FileKind | None:
    return next((kind for signature, kind in _SIGNATURES if signature.match(head)), None)


def _zlib(head: bytes) -> FileKind | None:
    """zlib has no signature: two bytes that name deflate and are divisible by 31 (RFC 1950)."""
    if len(head) < 6 or head[0] != 0x78 or int.from_bytes(head[:2], "big") % 31 or head[1] & 0x20:
        return None
    return FileKind(FileFormat.ZLIB, "compressed with zlib")


_TEXTS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"<!doctype html|<html", re.IGNORECASE),
        "a web page",
        "A download saved an error or log-in page in place of the snapshot: read it, and fetch the snapshot again.",
    ),
    (
        re.compile(r"(<\?xml[^>]*>\s*)?<Error>"),
        "an error message of an object store",
        "The download failed and saved the answer: read it, and fetch the snapshot again.",
    ),
    (re.compile(r"<\?xml"), "an XML document", _NOT_A_DATABASE),
    (
        re.compile(r"\[?\s*\{\s*\"etcdEvent\""),
        "a delta snapshot of etcd-backup-restore",
        "It holds changes since a full snapshot, not a database: import the newest Full-… file before it.",
    ),
    (re.compile(r"[{\[]"), "a JSON document", _NOT_A_DATABASE),
    (re.compile(r"-----BEGIN "), "a PEM file, such as a certificate or key", _NOT_A_DATABASE),
    (re.compile(r""), "a text file", _NOT_A_DATABASE),
)


def _text(head: bytes) -> FileKind | None:
    sample = head[:512]
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # a character may be cut at the end of the sample
            return None
        text = sample[: error.start].decode("utf-8")
    if any(ord(character) < 32 and character not in "\t\n\r\f" for character in text):
        return None
    stripped = text.lstrip("\ufeff \t\r\n")
    return next(
        FileKind(FileFormat.OTHER, description, advice)
        for signature, description, advice in _TEXTS
        if signature.match(stripped)
    )


def _blank(head: bytes, tail: bytes) -> FileKind | None:
    if any(head) or any(tail):
        return None
    return FileKind(
        FileFormat.OTHER,
        "nothing but zeros",
        "Its blocks were reserved and never written, or lost. Look for another one where it came from.",
    )
