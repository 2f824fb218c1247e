"""Starts child processes that cannot outlive this one, and finds loopback ports for them.

Linux ends a child when its parent's thread ends, if the child asked for it (prctl(2), PR_SET_PDEATHSIG). So:
- the child asks by itself, in a few lines of Python that then become the program; code between fork and exec in
  *this* process would not be safe beside gRPC's threads;
- children are started by one thread that lives as long as the interpreter, because the bond is to the thread.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Runs in the child: argv is the expected parent, then the program with its arguments. The second check closes the gap
# in which the parent may have died before the child asked.
_BECOME = f"""\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, {signal.SIGKILL.value})
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvpe(sys.argv[2], sys.argv[2:], os.environ)
"""

# Below Linux's ephemeral range (ip(7), ip_local_port_range: 32768 and up), so no outgoing connection takes one away.
_PORTS = range(10_240, 32_768)
_SHARE = "ETCD_DR_TEST_PORTS"

_given: set[int] = set()

_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-starter")


def start_child(
    command: Sequence[str | Path], *, log: Path, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program whose standard output and error are appended to `log`; the caller ends it and waits for it.

    The process ends with SIGKILL when this interpreter does. `environ` replaces the whole environment.
    Raises OSError only when Python itself cannot be started; a missing program shows as exit status 1 and in the log.
    """
    return _starter.submit(_start, [str(part) for part in command], log, environ).result()


def _start(command: list[str], log: Path, environ: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
            start_new_session=True,  # Ctrl-C on the terminal is for the owner, who then ends its children in order
        )


def stand_still(process: subprocess.Popen[bytes]) -> None:
    """Stop a child in its tracks (SIGSTOP), and return once all of its threads stand, or it has ended.

    Its sockets stay open, the kernel goes on to take connections, and nothing answers. SIGCONT lets it go on.
    """
    process.send_signal(signal.SIGSTOP)
    # The signal is only sent by now; a thread on another processor may still answer one more call.
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def free_ports(count: int, *, environ: Mapping[str, str] | None = None) -> list[int]:
    """Return ports on 127.0.0.1 that nothing listens on now, all different, and none a second time while others are left.

    So a server of this process that is down finds its ports free when it is started again. Another process may take one
    before it is used: whoever starts a server must be ready to ask again. `ETCD_DR_TEST_PORTS`, as in `10240-15871`,
    is this process' share where several look for ports at once.
    """
    ports = _share(os.environ if environ is None else environ)
    chosen: list[int] = []
    for port in sorted(random.sample(ports, len(ports)), key=_given.__contains__):
        if len(chosen) == count:
            break
        if _is_free(port):
            chosen.append(port)
    if len(chosen) < count:
        raise OSError(f"no {count} free ports between {ports.start} and {ports.stop}")
    _given.update(chosen)
    return chosen


def _share(environ: Mapping[str, str]) -> range:
    first, _, last = environ.get(_SHARE, "").partition("-")
    return range(int(first), int(last) + 1) if last else _PORTS


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


def log_tail(log: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log, for an error's context; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 400 * lines))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
