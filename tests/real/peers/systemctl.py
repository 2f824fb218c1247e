"""The client side of our systemd, behind `systemctl` and `journalctl` on a node's PATH: asks over its socket.

    python -I -S systemctl.py SOCKET systemctl WORD...

Standard library only, and little of it: a driver asks often.
"""

from __future__ import annotations

import json
import socket
import sys


def ask(path: str, words: list[str]) -> tuple[int, str]:
    """Return the exit status and what is printed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(words).encode() + b"\n")
        with connection.makefile() as answer:
            status, text = json.loads(answer.readline())
    return int(status), str(text)


if __name__ == "__main__":
    exit_status, said = ask(sys.argv[1], sys.argv[2:])
    (sys.stderr if exit_status else sys.stdout).write(said)
    raise SystemExit(exit_status)
