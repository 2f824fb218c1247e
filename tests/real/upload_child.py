"""A process that uploads, to be killed or measured: `python upload_child.py SPEC` with SPEC as JSON.

    {"store": {"directory": DIR} or {"bucket", "endpoint", "access", "secret"}, "key", "megabytes", "waits_after"}

It prints `waiting` when `waits_after` MiB are written and then reads a line; at the end it prints one JSON object with
the peak of its private memory above what it had before the first byte.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from etcd_dr.adapters.stores import DirectorySettings, S3Settings, open_store
from etcd_dr.adapters.stores.settings import KeyFiles
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens

MIB = 1024 * 1024
_CHUNK = 64 * 1024


def private_bytes() -> int:
    """Return the memory that is this process's alone (Linux, smaps_rollup)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))


class PeakWatch:
    """Samples private memory in a thread until left."""

    def __enter__(self) -> PeakWatch:
        self.before = self.peak = private_bytes()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.02):
            self.peak = max(self.peak, private_bytes())


def settings_of(spec: dict[str, Any]) -> DirectorySettings | S3Settings:
    if "directory" in spec:
        return DirectorySettings(Path(spec["directory"]))
    return S3Settings(
        bucket=spec["bucket"],
        endpoint=spec["endpoint"],
        credentials=KeyFiles(Path(spec["access"]), Path(spec["secret"])),
        **spec.get("more", {}),
    )


def main() -> None:
    spec = json.loads(sys.argv[1])
    store = open_store(settings_of(spec["store"]), clock=SystemClock(), tokens=SystemTokens())
    if spec.get("waits_after") is None:
        store.put("warm/up", b"x", if_absent=True)  # connections, TLS and the probe are not what is measured
    block = os.urandom(MIB)
    with PeakWatch() as watch:
        upload = store.begin_upload(spec["key"])
        for number in range(spec["megabytes"]):
            for start in range(0, MIB, _CHUNK):
                upload.write(memoryview(block)[start : start + _CHUNK])
            if number + 1 == spec.get("waits_after"):
                print("waiting", flush=True)
                sys.stdin.readline()
        upload.commit()
    print(json.dumps({"before": watch.before, "growth": watch.peak - watch.before, "peak": watch.peak}), flush=True)


if __name__ == "__main__":
    main()
