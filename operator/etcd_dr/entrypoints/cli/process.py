"""What a process gives to a command: its environment, its streams, and where configuration files usually lie."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

USUAL_PLACES = (Path("etcd-dr.yaml"), Path("/etc/etcd-dr/etcd-dr.yaml"))


@dataclass(frozen=True, slots=True)
class Process:
    """The surroundings of one call. `usual_places` are tried when no configuration file is named."""

    environment: Mapping[str, str]
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    usual_places: tuple[Path, ...] = USUAL_PLACES

    @classmethod
    def this_one(cls) -> Process:
        """Return what this process really has. A stream that was closed before it began leads nowhere."""
        _fill_closed_descriptors()
        sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - open as long as the process is
        sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - open as long as the process is
        sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - open as long as the process is
        return cls(os.environ, sys.stdin, sys.stdout, sys.stderr)


def _fill_closed_descriptors() -> None:
    """Give 0, 1 and 2 away before a file or socket gets one of them, and a stray message of a library lands in it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
