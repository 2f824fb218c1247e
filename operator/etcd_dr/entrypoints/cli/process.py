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
        """Return what this process really has."""
        return cls(os.environ, sys.stdin, sys.stdout, sys.stderr)
