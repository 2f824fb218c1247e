"""Compare many keys at once, in bbolt's order (bytewise).

Rules this module keeps:
- The keys of the bucket `key` are revisions, 17 bytes and 18 for a deletion; as two integers they are compared by
  the million. All other keys are bytes and compared one by one.
- Both kinds answer the same questions, so that the tree is walked by one piece of code.
- A revision key that is none is named by `malformed`; its numbers then mean nothing, but they are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from etcd_dr.boltdb.findings import shown
from etcd_dr.boltdb.image import Bytes, Flags, Image, Ints, Words

REVISION_KEY = 17
TOMBSTONE_KEY = 18

HEAD_BYTES = 24
"""A revision key and the first bytes of its value, taken out in one go."""

_REVISION = np.dtype(
    {
        "names": ["main", "separator", "sub", "mark"],
        "formats": [">u8", "u1", ">u8", "u1"],
        "offsets": [0, 8, 9, 17],
        "itemsize": HEAD_BYTES,
    }
)


class Keys(Protocol):
    """Keys in a row; immutable but for `put`."""

    @classmethod
    def read(cls, image: Image, start: Ints, size: Ints) -> Self:
        """Take keys out of the file; each lies inside its page."""
        ...

    @classmethod
    def lowest(cls) -> Self:
        """Return one key that no key sorts before."""
        ...

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the keys of some rows as one row of its own."""
        ...

    def __len__(self) -> int: ...
    def take(self, index: Ints | Flags | slice) -> Self:
        """Return some of the keys, in the order of the index."""
        ...

    def put(self, mask: Flags, keys: Self) -> None:
        """Replace the keys under a mask."""
        ...

    def before(self, other: Self) -> Flags:
        """Say for each pair whether this key sorts before the other's."""
        ...

    def malformed(self) -> Flags:
        """Say for each key whether it cannot be one of this bucket's."""
        ...

    def text(self, index: int) -> str:
        """Return a key for a finding."""
        ...


class ByteKeys:
    """Keys as plain bytes."""

    def __init__(self, values: NDArray[np.object_]) -> None:
        self.values = values

    @classmethod
    def of(cls, keys: list[bytes]) -> Self:
        """Return these keys."""
        values = np.empty(len(keys), dtype=object)
        values[:] = keys
        return cls(values)

    @classmethod
    def read(cls, image: Image, start: Ints, size: Ints) -> Self:
        """See Keys."""
        return cls.of(
            [bytes(image.bytes_at(at, length)) for at, length in zip(start.tolist(), size.tolist(), strict=True)]
        )

    @classmethod
    def lowest(cls) -> Self:
        """See Keys."""
        return cls.of([b""])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """See Keys."""
        return cls(np.concatenate([part.values for part in parts]))

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Ints | Flags | slice) -> Self:
        """See Keys."""
        return type(self)(self.values[index])

    def put(self, mask: Flags, keys: Self) -> None:
        """See Keys."""
        self.values[mask] = keys.values

    def before(self, other: Self) -> Flags:
        """See Keys."""
        return np.asarray(self.values < other.values, dtype=np.bool_)

    def malformed(self) -> Flags:
        """See Keys."""
        return np.zeros(len(self.values), dtype=np.bool_)

    def text(self, index: int) -> str:
        """See Keys."""
        return shown(self.values[index])


class RevisionKeys:
    """Keys of the bucket `key`: main revision, sub revision, and whether a deletion is marked."""

    def __init__(self, main: Words, marked_sub: Words, wrong: Flags | None = None) -> None:
        self.main = main
        self.marked_sub = marked_sub
        """Twice the sub revision, plus one for a deletion: the bytewise order of equal main revisions."""
        self._wrong = wrong

    @classmethod
    def read(cls, image: Image, start: Ints, size: Ints) -> Self:
        """See Keys."""
        return cls.of_heads(image.pieces(start, HEAD_BYTES), size)

    @classmethod
    def of_heads(cls, heads: Bytes, size: Ints) -> Self:
        """Return keys of which the first `HEAD_BYTES` bytes, and what follows them, have been taken out already."""
        fields = heads.reshape(-1).view(_REVISION)
        main = fields["main"].astype(np.uint64)
        sub = fields["sub"].astype(np.uint64)
        wrong: Flags = (main | sub).view(np.int64) < 0
        wrong |= fields["separator"] != ord("_")
        unmarked = size == REVISION_KEY
        sub <<= np.uint64(1)
        if not unmarked.all():
            marked = size == TOMBSTONE_KEY
            wrong |= ~(unmarked | (marked & (fields["mark"] == ord("t"))))
            sub |= marked
        return cls(main, sub, wrong)

    @classmethod
    def lowest(cls) -> Self:
        """See Keys."""
        return cls(np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """See Keys."""
        return cls(
            np.concatenate([part.main for part in parts]),
            np.concatenate([part.marked_sub for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.main)

    def take(self, index: Ints | Flags | slice) -> Self:
        """See Keys."""
        return type(self)(self.main[index], self.marked_sub[index])

    def put(self, mask: Flags, keys: Self) -> None:
        """See Keys."""
        self.main[mask] = keys.main
        self.marked_sub[mask] = keys.marked_sub

    def before(self, other: Self) -> Flags:
        """See Keys."""
        is_before: Flags = (self.main == other.main) & (self.marked_sub < other.marked_sub)
        is_before |= self.main < other.main
        return is_before

    def malformed(self) -> Flags:
        """See Keys."""
        return np.zeros(len(self.main), dtype=np.bool_) if self._wrong is None else self._wrong

    @property
    def is_tombstone(self) -> Flags:
        """Say for each key whether it marks a deletion."""
        return (self.marked_sub & np.uint64(1)).astype(np.bool_)

    def text(self, index: int) -> str:
        """See Keys."""
        marked_sub = int(self.marked_sub[index])
        return f"revision {int(self.main[index])}_{marked_sub >> 1}{'t' if marked_sub & 1 else ''}"
