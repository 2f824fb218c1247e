"""Helper processes that share the work on one large file.

Rules this module keeps:
- Helpers are fresh interpreters started with `subprocess`, never forks: the caller may hold gRPC threads, and a fork
  of those is undefined (grpc/doc/fork_support.md).
- They get the open file itself, not its name, so all look at the same bytes.
- The queue is a file that all of them read through one shared offset: the kernel hands each number out once.
- A helper may be late or die; what it took and did not answer is done again here. Results never depend on it. Only a
  helper ended by SIGBUS says something of its own: the disk could not give the file's bytes.
- It imports nothing heavy: a helper's start-up runs while the caller still imports numpy.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any

from etcd_dr.boltdb.interpreters import can_start, environment, interpreter
from etcd_dr.boltdb.source import OpenedSource
from etcd_dr.errors import FileUnreadable

WORTHWHILE_BYTES = 48 << 20
"""Below this size a second interpreter costs more than it brings."""
_NUMBER = struct.Struct("<I")


class Queue:
    """Numbers that several processes take from, each number once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fill(self, numbers: Iterable[int]) -> None:
        """Put numbers into the queue; nobody may be taking."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        rest = memoryview(b"".join(map(_NUMBER.pack, numbers)))
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.lseek(self._fd, 0, os.SEEK_SET)

    def __iter__(self) -> Iterator[int]:
        while len(raw := os.read(self._fd, _NUMBER.size)) == _NUMBER.size:
            yield _NUMBER.unpack(raw)[0]


class Crew:
    """The helpers of one run, possibly none; valid inside the `with` of `crew`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._source_name = ""
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._dismissed: list[subprocess.Popen[bytes]] = []
        self.queue = Queue(-1)
        self.marks_file = -1
        self.hash_files: list[int] = []
        """One for each process; ours is the first."""

    @property
    def has_helpers(self) -> bool:
        """Say whether anybody would share the work."""
        return bool(self._helpers)

    def hire(self, source: OpenedSource, *, workers: int | None) -> None:
        """Start the helpers that are worth it for this source."""
        count = _helper_count(source, workers)
        if count == 0:
            return
        self._source_name = source.name
        files = [self._memory_file() for _ in range(3 + count)]
        self.queue, self.marks_file, self.hash_files = Queue(files[0]), files[1], files[2:]
        for number in range(1, count + 1):
            self._helpers.append(_start(number, [source.fd or 0, *files]))

    def _memory_file(self) -> int:
        file = os.memfd_create("etcd-dr")
        self._stack.callback(os.close, file)
        return file

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to every helper."""
        line = json.dumps(message).encode() + b"\n"
        for helper in self._helpers:
            with suppress(BrokenPipeError):
                _pipe(helper.stdin).write(line)
                _pipe(helper.stdin).flush()

    def answers(self) -> list[Any]:
        """Wait for one answer of each helper; those that died are let go and have none."""
        answers = []
        for helper in list(self._helpers):
            line = _pipe(helper.stdout).readline()
            if line.endswith(b"\n"):
                answers.append(json.loads(line))
            else:
                self._helpers.remove(helper)
                self._bury(helper)
        return answers

    def dismiss(self) -> None:
        """Let all helpers go, without waiting for the system to take them apart; safe to call twice."""
        for helper in self._helpers:
            helper.kill()  # a helper holds nothing that needs an orderly end
        self._dismissed += self._helpers
        self._helpers.clear()

    def end(self) -> None:
        """Dismiss all and wait until they are gone."""
        self.dismiss()
        for helper in self._dismissed:
            _close(helper)

    def _bury(self, helper: subprocess.Popen[bytes]) -> None:
        helper.kill()  # without effect on one that ended by itself, which keeps its own status
        _close(helper)
        if helper.returncode == -signal.SIGBUS:
            raise FileUnreadable(
                "the file shrank, or the disk could not read all of it",
                subject=self._source_name,
                next_step="Look for input/output errors: dmesg | tail",
            )


@contextmanager
def crew() -> Iterator[Crew]:
    """Give a crew without helpers yet, and end those that were hired.

    It is to be entered before the source is opened: so that the system takes the helpers apart while the caller lets
    go of its own mapping.
    """
    with ExitStack() as stack:
        helpers = Crew(stack)
        stack.callback(helpers.end)
        yield helpers


def _helper_count(source: OpenedSource, workers: int | None) -> int:
    if source.fd is None or not can_start() or not hasattr(os, "memfd_create"):
        return 0
    if workers is None:
        processors = len(os.sched_getaffinity(0))
        return 1 if processors > 1 and source.size >= WORTHWHILE_BYTES else 0
    return max(0, min(workers, 16) - 1)


def _start(number: int, fds: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        interpreter("etcd_dr.boltdb.helper", str(number), *map(str, fds)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=fds,
        env=environment(),
    )


def _close(helper: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a helper that was killed or has died, and close its pipes."""
    with suppress(BrokenPipeError):
        _pipe(helper.stdin).close()
    helper.wait()
    _pipe(helper.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - both ends were asked for as pipes
    return stream
