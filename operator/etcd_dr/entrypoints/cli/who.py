"""Who carries out a command: as manifests and pins record it, and where what is theirs lies."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

from etcd_dr.errors import ConfigError


def whoami() -> str:
    """Return `user@host`; a user without a name (a container's) is its number."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def home_directory(*, instead: str) -> Path:
    """Return the home directory. Raises ConfigError where none is known: a user without a name, and no HOME.

    `instead` is the sentence that says what to name so that none is needed.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError("has no home directory that is known", subject=whoami(), next_step=instead) from error
