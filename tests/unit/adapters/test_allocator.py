"""Memory that was freed goes back to the system, also after a large block was freed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from etcd_dr.adapters.allocator import steady_allocator

_FREE_AND_MEASURE = """
import re, sys
from pathlib import Path
from etcd_dr.adapters.allocator import steady_allocator

def private_bytes():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

steady_allocator()
del (large := [bytearray(8 << 20)])[:]
before = private_bytes()
pinned = []
parts = []
for _ in range(10):
    parts.append(bytearray(b"x") * (3 << 20))
    pinned.append(bytearray(100_000))
del parts
print(private_bytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's habit, and /proc")
def test_freed_parts_leave_no_private_memory() -> None:
    """Ten parts between blocks that stay: what remains is the blocks, not the parts."""
    done = subprocess.run([sys.executable, "-c", _FREE_AND_MEASURE], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 5_000_000


def test_it_may_be_called_again() -> None:
    """Every entry into the pipeline calls it."""
    steady_allocator()
    steady_allocator()
