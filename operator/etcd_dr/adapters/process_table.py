"""Processes of this machine that we may not have started: found by their command line, ended by a handle.

- A process is known by what it runs, read from /proc, never by a number that was noted earlier: numbers are reused.
- It is signalled through a pidfd that was opened before its command line was read for the last time, so a signal
  never reaches a successor with the same number (pidfd_open(2), Linux 5.3).
- A process that ended and was not waited for by its parent counts as gone.
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath

Matches = Callable[[Sequence[str]], bool]

_PROC = Path("/proc")


def runs_etcd_on(data_dir: str | Path) -> Matches:
    """Return what recognises an etcd by the data directory on its command line."""
    directory = str(data_dir)
    one_word = {f"--data-dir={directory}", f"-data-dir={directory}"}

    def matches(command: Sequence[str]) -> bool:
        if PurePath(command[0]).name != "etcd":
            return False
        if one_word.intersection(command):
            return True
        return any(
            flag in ("--data-dir", "-data-dir") and value == directory for flag, value in itertools.pairwise(command)
        )

    return matches


def command_line(pid: int) -> tuple[str, ...]:
    """Return the arguments of a process, empty when it is gone."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode(errors="surrogateescape") for part in raw.split(b"\0")[:-1])


def find_process(matches: Matches) -> FoundProcess | None:
    """Return the first process that matches, None where there is none. The caller closes it."""
    for pid in _pids():
        command = command_line(pid)
        if command and matches(command):
            found = FoundProcess.open(pid, matches)
            if found is not None:
                return found
    return None


def _pids() -> Iterator[int]:
    own = os.getpid()
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


class FoundProcess:
    """A handle on one process; it has the few methods of subprocess.Popen that one needs."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle

    @classmethod
    def open(cls, pid: int, matches: Matches) -> FoundProcess | None:
        """Return a handle if the process still is what it was found to be."""
        try:
            handle = os.pidfd_open(pid)
        except (ProcessLookupError, OSError):
            return None
        command = command_line(pid)
        if not command or not matches(command):
            os.close(handle)
            return None
        return cls(pid, handle)

    @property
    def is_running(self) -> bool:
        return self._handle >= 0 and not self._ended(0)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; no-op when the process is gone."""
        if self._handle >= 0:
            try:
                signal.pidfd_send_signal(self._handle, number)
            except ProcessLookupError:
                return

    def wait(self, seconds: float) -> bool:
        """Wait until it is gone, at most so long; say whether it is."""
        return self._handle < 0 or self._ended(seconds)

    def end(self, *, until: float, check: Callable[[], object] = lambda: None) -> bool:
        """Ask it to end (SIGTERM), insist shortly before `until` (SIGKILL), and say whether it is gone.

        `until` is a moment of the monotonic clock. `check` is called now and then and may raise to give up waiting.
        """
        self.send_signal(signal.SIGCONT)  # a process that stands still would never see the request
        self.send_signal(signal.SIGTERM)
        reserve = min(2.0, max(0.0, until - time.monotonic()) / 2)
        while not self.wait(min(0.25, max(0.0, until - reserve - time.monotonic()))):
            check()
            if time.monotonic() >= until - reserve:
                self.send_signal(signal.SIGKILL)
                return self.wait(max(0.1, until - time.monotonic()))
        return True

    def close(self) -> None:
        """Let go of the handle; the process goes on. Safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> FoundProcess:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _ended(self, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return bool(waiting.poll(max(0, int(seconds * 1000))))
