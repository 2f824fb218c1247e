"""Runs one program of this machine to its end: bytes in, bytes out, a deadline, and a wish to stop.

Rules this module keeps:
- The program ends with the call: at the deadline, on cancellation and on any error it is killed with all that it
  started, and waited for.
- Standard error goes to a file, never to a pipe: a background process that the program leaves behind (ssh's shared
  connection) may keep it open for long.
- Whatever `feed` or `write` raise comes out as it was raised, after the program was ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from etcd_dr.errors import Cancelled, ToolMissing
from etcd_dr.ports.cancellation import Cancellation

Write = Callable[[bytes], object]
Feed = Callable[[Write], None]
"""Pushes what the program reads on its standard input; called in a thread of its own."""

_CHUNK_BYTES = 1 << 18
_COMPLAINT_BYTES = 8192


class DeadlinePassed(Exception):
    """The program did not end in time and was killed. Does not leave this package."""


@dataclass(frozen=True, slots=True)
class Called:
    """How the program ended. `output` is empty where it was written elsewhere; `complaint` ends standard error."""

    status: int
    output: bytes
    complaint: str


def call(
    command: Sequence[str],
    *,
    deadline: float,
    cancellation: Cancellation,
    feed: Feed | None = None,
    write: Write | None = None,
    environ: Mapping[str, str] | None = None,
) -> Called:
    """Run the program and return how it ended. Raises DeadlinePassed, Cancelled, ToolMissing."""
    if cancellation.is_cancelled:
        raise Cancelled("stopped on request", context={"reason": cancellation.reason})
    with tempfile.TemporaryFile() as errors:
        process = _start(command, errors, has_input=feed is not None, environ=environ)
        with _Ending(process, seconds=deadline) as ending, cancellation.on_cancel(ending.kill):
            feeder = _Feeder(process, feed, end=ending.kill)
            output = _read_all(process, write)
            feeder.finish()
            status = process.wait()
        if cancellation.is_cancelled and status != 0:
            raise Cancelled("stopped on request", context={"reason": cancellation.reason})
        if ending.came:
            raise DeadlinePassed(_end_of(errors))
        if feeder.error is not None:
            raise feeder.error
        return Called(status, output, _end_of(errors))


def _start(
    command: Sequence[str], errors: IO[bytes], *, has_input: bool, environ: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=None if environ is None else dict(environ),
            start_new_session=True,  # Ctrl-C is for us: we end the program in order
        )
    except FileNotFoundError as error:
        raise ToolMissing(
            "is not installed on this machine",
            subject=command[0],
            next_step=f"Install it, or put {command[0]} on PATH.",
        ) from error


class _Ending:
    """Kills the process when its time is over, and whatever happens when the context is left."""

    def __init__(self, process: subprocess.Popen[bytes], *, seconds: float) -> None:
        self._process = process
        self._timer = threading.Timer(max(0.0, seconds), self._end)
        self._timer.daemon = True
        self.came = False

    def kill(self) -> None:
        """End the process and its group: it leads a session of its own. No-op once it was waited for.

        One that ended already may have left others behind, which hold its output open. Until it is waited for, nobody
        else gets its number.
        """
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _end(self) -> None:
        self.came = True
        self.kill()

    def __enter__(self) -> _Ending:
        self._timer.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._timer.cancel()
        if self._process.returncode is None:
            self.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class _Feeder:
    """Pushes standard input from a thread, so that a program that answers early is heard."""

    def __init__(self, process: subprocess.Popen[bytes], feed: Feed | None, *, end: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._process, self._feed, self._end = process, feed, end
        self._thread = threading.Thread(target=self._run, name="node-feed", daemon=True) if feed is not None else None
        if self._thread is not None:
            self._thread.start()

    def finish(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        stdin = self._process.stdin
        if stdin is None or self._feed is None:
            return
        try:
            self._feed(stdin.write)
            stdin.close()
        except BrokenPipeError:
            pass  # the program ended first; its status says why
        except BaseException as error:  # noqa: BLE001 - it is raised again by the caller's thread
            self.error = error
            self._end()  # a half-fed program must not take what it has for the whole


def _read_all(process: subprocess.Popen[bytes], write: Write | None) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    if write is None:
        return process.stdout.read()
    read = process.stdout.read1  # type: ignore[attr-defined]  # Popen's pipes are BufferedReader
    while chunk := read(_CHUNK_BYTES):
        write(chunk)
    return b""


def _end_of(errors: IO[bytes]) -> str:
    size = errors.seek(0, 2)
    errors.seek(max(0, size - _COMPLAINT_BYTES))
    return errors.read().decode(errors="replace").strip()


def remaining(until: float) -> float:
    """Return the seconds that are left until a moment of the monotonic clock, at least a tenth."""
    return max(0.1, until - time.monotonic())


def pushing(body: bytes) -> Feed:
    """Return what pushes a few bytes."""

    def push(write: Write) -> None:
        write(body)

    return push
