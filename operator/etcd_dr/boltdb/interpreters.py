"""How a second interpreter of the same installation is started.

Rules this module keeps:
- It finds this package where this process found it, and nothing in the current directory (`-P`): a database may be
  examined in a directory that somebody else fills.
- One thread for numpy's linear algebra, which is not used here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import etcd_dr


def can_start() -> bool:
    """Say whether there is a program to start; an embedded interpreter has none."""
    return bool(sys.executable)


def interpreter(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this installation."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment for it."""
    found_in = str(Path(etcd_dr.__file__).resolve().parents[1])
    search = os.pathsep.join(filter(None, (found_in, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": search, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
