"""Short turns of the interpreter while a stream is read.

A stream of 1 KiB messages keeps the loop's thread busy in Python almost without a pause. Whoever hashes, writes and
compresses what it hands over needs the interpreter for an instant only, many times a second, and waits for it up to
5 ms each time (sys.setswitchinterval). With turns of half a millisecond a snapshot is received as fast as it is read;
the switches cost nothing that could be measured (docs/benchmarks.md).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 0.0005

_lock = threading.Lock()
_streams = 0
_before = 0.0


@contextmanager
def quick_turns() -> Iterator[None]:
    """Shorten the turns while any stream is open; the last one that ends brings back what was set before."""
    global _streams, _before  # noqa: PLW0603 - the interval is the interpreter's, so there is one of it
    with _lock:
        if _streams == 0:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(_before, _SECONDS))
        _streams += 1
    try:
        yield
    finally:
        with _lock:
            _streams -= 1
            if _streams == 0:
                sys.setswitchinterval(_before)
