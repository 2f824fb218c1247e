"""Finds loopback addresses for the nodes: 127.0.0.0/8 has room for a small network of each double's own.

Only Linux answers at all of 127.0.0.0/8 without being asked to; elsewhere there is no double.
"""

from __future__ import annotations

import random
import socket

_ATTEMPTS = 20


def free_network(count: int, *, ports: tuple[int, ...]) -> list[str]:
    """Return `count` addresses of one random network, 127.x.y.2 and up, on which all of these ports are free.

    Raises OSError when no network was free, which says that something listens on these ports at every address.
    """
    for _ in range(_ATTEMPTS):
        network = f"127.{random.randrange(2, 250)}.{random.randrange(0, 250)}"
        addresses = [f"{network}.{index + 2}" for index in range(count)]
        if all(_is_free(address, port) for address in addresses for port in ports):
            return addresses
    raise OSError(f"nothing of 127.0.0.0/8 has the ports {', '.join(map(str, ports))} free")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
