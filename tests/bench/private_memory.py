"""How much private memory a process and its children take at most, sampled while they run.

Private means anonymous (RssAnon of /proc/PID/status): pages of a mapped file are the kernel's to take back. Children
that share pages after a fork are counted in full, so the sum is never too small.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

_ANONYMOUS = re.compile(rb"RssAnon:\s+(\d+) kB")


class PrivateMemory:
    """Samples from `with` to its end; `peak_bytes` is the largest sum over the process tree."""

    def __init__(self, pid: int, *, every_seconds: float = 0.02) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PrivateMemory:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.is_set():
            self.peak_bytes = max(self.peak_bytes, sum(map(_anonymous_bytes, _tree(self._pid))))
            time.sleep(self._every_seconds)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _anonymous_bytes(pid: int) -> int:
    try:
        match = _ANONYMOUS.search(Path(f"/proc/{pid}/status").read_bytes())
    except OSError:
        return 0
    return int(match[1]) * 1024 if match else 0
