"""Take many small pieces out of a mapped file at once, safely.

Rules this module keeps:
- Nothing outside the bytes is ever touched; a piece that would reach over the end is filled with zeros.
- Callers check offsets against pages first. This is the second fence, not the first.
- Nothing is copied but the pieces asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


class Image:
    """The bytes of a database, addressed by byte offset."""

    def __init__(self, view: memoryview, *, data_size: int) -> None:
        self.view = view
        self.size = len(view)
        self.data_size = data_size
        """Bytes that belong to the database; what follows is the trailer."""
        self._pieces: dict[int, NDArray[np.void]] = {}

    def pieces(self, offsets: Ints, width: int) -> Bytes:
        """Return `width` bytes from each offset as the rows of a new array."""
        last = self.size - width
        if len(offsets) == 0 or last < 0 or int(offsets.max()) > last:
            return self._pieces_at_the_end(offsets, width)
        return self._overlapping(width)[offsets].view(np.uint8).reshape(-1, width)

    def _overlapping(self, width: int) -> NDArray[np.void]:
        """Every run of `width` bytes, one starting at each byte; a view, not a copy."""
        if width not in self._pieces:
            if len(self._pieces) > 64:
                self._pieces.clear()
            self._pieces[width] = np.ndarray(
                (self.size - width + 1,), dtype=f"V{width}", buffer=self.view, strides=(1,)
            )
        return self._pieces[width]

    def _pieces_at_the_end(self, offsets: Ints, width: int) -> Bytes:
        rows = np.zeros((len(offsets), width), dtype=np.uint8)
        last = self.size - width
        inner = offsets <= last
        if last >= 0 and inner.any():
            rows[inner] = self._overlapping(width)[offsets[inner]].view(np.uint8).reshape(-1, width)
        for row in np.flatnonzero(~inner).tolist():
            tail = self.view[int(offsets[row]) : self.size]
            rows[row, : len(tail)] = np.frombuffer(tail, dtype=np.uint8)
        return rows

    def bytes_at(self, start: int, size: int) -> memoryview:
        """Return a slice without copying it; shorter where the file ends."""
        return self.view[start : start + size]
