"""Who carries out a command, as manifests and pins record it."""

from __future__ import annotations

import getpass
import socket


def whoami() -> str:
    """Return `user@host`; a user without a name (a container's) is its number."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
