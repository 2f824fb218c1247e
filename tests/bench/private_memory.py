"""How much private memory a process and its children take at most, sampled while they run.

Private means anonymous: pages of a mapped file are the kernel's to take back. By default it is RssAnon of
/proc/PID/status, where children that share pages after a fork are counted in full, so the sum is never too small.
`shared_once` is Pss_Anon of /proc/PID/smaps_rollup: a page of two processes counts half for each. It is exact, and slow
to read where much is mapped.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

_ANONYMOUS = re.compile(rb"(?:RssAnon|Pss_Anon):\s+(\d+) kB")


class PrivateMemory:
    """Samples from `with` to its end; `peak_bytes` is the largest sum over the process tree."""

    def __init__(self, pid: int, *, every_seconds: float = 0.02, shared_once: bool = False) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._table = "smaps_rollup" if shared_once else "status"
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
            self.peak_bytes = max(self.peak_bytes, sum(self._anonymous_bytes(pid) for pid in _tree(self._pid)))
            time.sleep(self._every_seconds)

    def _anonymous_bytes(self, pid: int) -> int:
        try:
            match = _ANONYMOUS.search(Path(f"/proc/{pid}/{self._table}").read_bytes())
        except OSError:
            return 0
        return int(match[1]) * 1024 if match else 0


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found
