"""A port that takes connections and never says a word: a server that hangs, or a firewall that swallows the answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_port() -> Iterator[int]:
    """Lend such a port on loopback; the kernel completes the handshakes."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as held:
        yield held.getsockname()[1]
