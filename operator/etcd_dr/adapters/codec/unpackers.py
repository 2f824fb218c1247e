"""Decompression piece by piece, with memory that a hostile file cannot blow up.

- A few bytes of any of these formats may stand for very many. Where the library can bound one answer it is told to;
  zstandard cannot, so it is fed 4 KiB at a time: at most 128 MiB come back (32 KiB of zeros are 1 GiB in zstd).
- Several frames, members or streams behind one another are one file, as their own tools see it.
- The end must be an end: a cut file and one with other bytes behind it raise SnapshotDamaged.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from etcd_dr.errors import EtcdDrError, SnapshotDamaged, UnsupportedFormat

_ZSTD_SLICE_BYTES = 4096
_ANSWER_BYTES = 1 << 20
_ZSTD_WINDOW_BYTES = 128 << 20  # what the stock program decodes without --long as well
_XZ_MEMORY_BYTES = 256 << 20


class Unpacker(Protocol):
    """One layer being undone. Raises SnapshotDamaged or UnsupportedFormat from either method."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def finish(self) -> None: ...


class ZstdUnpacker:
    def __init__(self, subject: str) -> None:
        import zstandard  # noqa: PLC0415 - heavy, see the package

        self._subject = subject
        self._library_error = zstandard.ZstdError
        self._library: Any = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._current = self._library.decompressobj()
        self._is_between = False  # a whole frame has ended and nothing followed yet
        self._frames = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        for start in range(0, len(view), _ZSTD_SLICE_BYTES):
            yield from self._feed_slice(view[start : start + _ZSTD_SLICE_BYTES])

    def finish(self) -> None:
        if not self._is_between:
            raise _damaged(self._subject, "zstd", "the end is missing")

    def _feed_slice(self, rest: memoryview | bytes) -> Iterator[bytes]:
        while rest:
            if self._is_between:
                self._current, self._is_between = self._library.decompressobj(), False
            try:
                plain = self._current.decompress(rest)
            except self._library_error as error:
                raise self._translated(error) from error
            if plain:
                yield plain
            if not self._current.eof:
                return
            self._is_between = True
            self._frames += 1
            rest = self._current.unused_data

    def _translated(self, error: Exception) -> EtcdDrError:
        words = str(error).removeprefix("zstd decompressor error: ")
        if "Unknown frame descriptor" in words and self._frames:
            return _damaged(self._subject, "zstd", "other bytes follow its end")
        if "too much memory" in words:
            return UnsupportedFormat(
                f"was compressed with a zstd window above {_ZSTD_WINDOW_BYTES >> 20} MiB",
                subject=self._subject,
                next_step="Unpack it with the stock program first: zstd --decompress --long=31 FILE",
            )
        if "Dictionary mismatch" in words:
            return UnsupportedFormat(
                "was compressed with a zstd dictionary",
                subject=self._subject,
                next_step="Unpack it with the stock program first: zstd --decompress -D DICTIONARY FILE",
            )
        return _damaged(self._subject, "zstd", words)


class _BoundedUnpacker:
    """gzip, zlib, bzip2 and xz: the standard library's objects, which all bound what one call returns."""

    def __init__(self, subject: str, name: str, make: Callable[[], Any], errors: tuple[type[Exception], ...]) -> None:
        self._subject = subject
        self._name = name
        self._make = make
        self._errors = errors
        self._current = make()
        self._is_between = False
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        rest = data
        while rest:
            if self._is_between:
                self._current, self._is_between = self._make(), False
            yield from self._drain(rest)
            if not self._current.eof:
                return
            self._is_between = True
            self._members += 1
            rest = self._current.unused_data

    def finish(self) -> None:
        if not self._is_between:
            raise _damaged(self._subject, self._name, "the end is missing")

    def _drain(self, data: bytes) -> Iterator[bytes]:
        """Yield everything that `data` stands for up to the end of the member."""
        while True:
            try:
                plain = self._current.decompress(data, _ANSWER_BYTES)
            except self._errors as error:
                detail = "other bytes follow its end" if self._members else str(error)
                raise _damaged(self._subject, self._name, detail) from error
            if plain:
                yield plain
            data = getattr(self._current, "unconsumed_tail", b"")
            if self._current.eof or not self._has_more(plain):
                return

    def _has_more(self, plain: bytes) -> bool:
        """Tell whether the last data stand for more: bz2 and lzma keep them, zlib hands back what it did not see."""
        if hasattr(self._current, "needs_input"):
            return not self._current.needs_input
        return bool(self._current.unconsumed_tail) or len(plain) == _ANSWER_BYTES


def _gzip(subject: str) -> Unpacker:
    return _BoundedUnpacker(subject, "gzip", lambda: zlib.decompressobj(wbits=31), (zlib.error,))


def _zlib(subject: str) -> Unpacker:
    return _BoundedUnpacker(subject, "zlib", zlib.decompressobj, (zlib.error,))


def _bzip2(subject: str) -> Unpacker:
    import bz2  # noqa: PLC0415 - rare

    return _BoundedUnpacker(subject, "bzip2", bz2.BZ2Decompressor, (OSError, ValueError))


def _xz(subject: str) -> Unpacker:
    import lzma  # noqa: PLC0415 - rare

    return _BoundedUnpacker(
        subject,
        "xz",
        lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
        (lzma.LZMAError,),
    )


UNPACKERS: dict[str, Callable[[str], Unpacker]] = {
    "zstd": ZstdUnpacker,
    "gzip": _gzip,
    "zlib": _zlib,
    "bzip2": _bzip2,
    "xz": _xz,
}
"""Makers of an unpacker by the name of the stage; the argument is the subject for errors."""


def _damaged(subject: str, name: str, detail: str) -> SnapshotDamaged:
    return SnapshotDamaged(
        f"the {name} envelope is broken: {detail}",
        subject=subject,
        next_step="This copy cannot be opened. Look for another one: etcd-dr snapshot list",
    )
