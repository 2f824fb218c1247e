"""How a helper process comes to be: spawned or forked.

Rules this module keeps:
- A fork is cheapest: it begins where the caller stands, with everything loaded and walked. But only the thread that
  forks goes on in the child, and locks that others held stay locked for ever: gRPC's above all
  (grpc/doc/fork_support.md). So the caller must have exactly one thread, native ones counted, and no gRPC loaded.
- Everybody else gets a fresh interpreter, started with `subprocess`; it loads numpy while the caller does.
- Either way it is ended by SIGKILL or by the end of its input, and is waited for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from etcd_dr.boltdb.interpreters import environment, interpreter


class Helper(Protocol):
    """A helper process."""

    pid: int
    requests: BinaryIO
    answers: BinaryIO

    @property
    def returncode(self) -> int | None:
        """How it ended, once it was waited for; negative for a signal."""
        ...

    def kill(self) -> None:
        """End it, if it has not ended by itself."""
        ...

    def close(self) -> None:
        """Wait for its end, and close the pipes."""
        ...


def may_fork() -> bool:
    """Say whether a fork of this process is whole."""
    return "grpc" not in sys.modules and _thread_count() == 1


def keep_single_threaded() -> None:
    """Keep the library below numpy from starting threads, which cost time and forbid a fork.

    Nothing here uses its linear algebra. Without effect when numpy is loaded already.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _thread_count() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 0


class SpawnedHelper:
    """A fresh interpreter."""

    def __init__(self, number: int, files: Sequence[int]) -> None:
        self._process = subprocess.Popen(
            interpreter("etcd_dr.boltdb.helper", str(number), *map(str, files)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=files,
            env=environment(),
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None  # noqa: S101 - asked for as a pipe
        assert self._process.stdout is not None  # noqa: S101 - asked for as a pipe
        self.requests: BinaryIO = self._process.stdin  # type: ignore[assignment]  # IO[bytes] of a pipe
        self.answers: BinaryIO = self._process.stdout  # type: ignore[assignment]  # IO[bytes] of a pipe

    @property
    def returncode(self) -> int | None:
        """See Helper."""
        return self._process.returncode

    def kill(self) -> None:
        """See Helper."""
        self._process.kill()

    def close(self) -> None:
        """See Helper."""
        with suppress(BrokenPipeError):
            self.requests.close()
        self._process.wait()
        self.answers.close()


class ForkedHelper:
    """A copy of this process that serves requests and never comes back."""

    def __init__(self, serve: Callable[[BinaryIO, BinaryIO], None]) -> None:
        request_out, request_in = os.pipe()
        answer_out, answer_in = os.pipe()
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for number in (signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)  # the caller's handlers are for the caller
                os.close(request_in)
                os.close(answer_out)
                serve(os.fdopen(request_out, "rb"), os.fdopen(answer_in, "wb"))
            finally:
                os._exit(0)  # what the caller has buffered or registered is the caller's
        os.close(request_out)
        os.close(answer_in)
        self.requests: BinaryIO = os.fdopen(request_in, "wb")
        self.answers: BinaryIO = os.fdopen(answer_out, "rb")

    @property
    def returncode(self) -> int | None:
        """See Helper."""
        return self._status

    def kill(self) -> None:
        """See Helper."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """See Helper."""
        with suppress(BrokenPipeError):
            self.requests.close()
        if self._status is None:
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        self.answers.close()
