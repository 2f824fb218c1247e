"""Helper processes that share the work on one large file.

Rules this module keeps:
- All look at the same open file. The queue is a file that they read through one shared offset: the kernel hands each
  number out once.
- A helper may be late or die; what it took and did not answer is done again here. Results never depend on it. Only a
  helper ended by SIGBUS says something of its own: the disk could not give the file's bytes.
- Whether helpers are spawned or forked is `hiring`'s to know. Spawned ones are started at once, so that they load
  numpy while the caller does; forked ones when the caller is ready to work.
- It imports nothing heavy.
"""

from __future__ import annotations

import json
import os
import signal
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO

from etcd_dr.boltdb.hiring import ForkedHelper, Helper, SpawnedHelper, keep_single_threaded, may_fork
from etcd_dr.boltdb.interpreters import can_start
from etcd_dr.boltdb.source import OpenedSource
from etcd_dr.errors import FileUnreadable

WORTHWHILE_BYTES = 48 << 20
"""Below this size a forked helper costs more than it brings."""
WORTHWHILE_BYTES_SPAWNED = 512 << 20
"""The same for a fresh interpreter, which takes a fifth of a processor second to start."""
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
    """The helpers of one run, possibly none; valid inside the `with` of `gathered`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._source_name = ""
        self._helpers: list[Helper] = []
        self._dismissed: list[Helper] = []
        self._to_fork = 0
        self.queue = Queue(-1)
        self.marks_file = -1
        self.hash_files: list[int] = []
        """One for each process; ours is the first."""

    @property
    def has_helpers(self) -> bool:
        """Say whether anybody would share the work."""
        return bool(self._helpers) or self._to_fork > 0

    def hire(self, source: OpenedSource, *, workers: int | None, has_threads: bool = False) -> None:
        """Get the helpers that are worth it for this source. `has_threads`: the caller is about to start some."""
        keep_single_threaded()
        forks = may_fork() and not has_threads
        count = _helper_count(source, workers, worthwhile=WORTHWHILE_BYTES if forks else WORTHWHILE_BYTES_SPAWNED)
        if count == 0:
            return
        self._source_name = source.name
        files = [self._memory_file() for _ in range(3 + count)]
        self.queue, self.marks_file, self.hash_files = Queue(files[0]), files[1], files[2:]
        if forks:
            self._to_fork = count
        else:
            numbers = range(1, count + 1)
            self._helpers.extend(SpawnedHelper(number, [source.fd or 0, *files]) for number in numbers)

    def fork(self, serve: Callable[[int, BinaryIO, BinaryIO], None]) -> None:
        """Start the helpers that were to be forked: `serve` gets the number of its helper, requests and answers."""
        count, self._to_fork = self._to_fork, 0
        for number in range(1, count + 1):
            if may_fork():
                self._helpers.append(ForkedHelper(partial(serve, number)))

    def _memory_file(self) -> int:
        file = os.memfd_create("etcd-dr")
        self._stack.callback(os.close, file)
        return file

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to every helper."""
        line = json.dumps(message).encode() + b"\n"
        for helper in self._helpers:
            with suppress(BrokenPipeError):
                helper.requests.write(line)
                helper.requests.flush()

    def answers(self) -> list[Any]:
        """Wait for one answer of each helper; those that died are let go and have none."""
        answers = []
        for helper in list(self._helpers):
            line = helper.answers.readline()
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
        self._to_fork = 0

    def end(self) -> None:
        """Dismiss all and wait until they are gone."""
        self.dismiss()
        for helper in self._dismissed:
            helper.close()

    def _bury(self, helper: Helper) -> None:
        helper.kill()  # without effect on one that ended by itself, which keeps its own status
        helper.close()
        if helper.returncode == -signal.SIGBUS:
            raise FileUnreadable(
                "the file shrank, or the disk could not read all of it",
                subject=self._source_name,
                next_step="Look for input/output errors: dmesg | tail",
            )


@contextmanager
def gathered() -> Iterator[Crew]:
    """Give a crew without helpers yet, and end those that were hired.

    It is to be entered before the source is opened: so that the system takes the helpers apart while the caller lets
    go of its own mapping.
    """
    with ExitStack() as stack:
        crew = Crew(stack)
        stack.callback(crew.end)
        yield crew


def _helper_count(source: OpenedSource, workers: int | None, *, worthwhile: int) -> int:
    if source.fd is None or not can_start() or not hasattr(os, "memfd_create"):
        return 0
    if workers is None:
        processors = len(os.sched_getaffinity(0))
        return 1 if processors > 1 and source.size >= worthwhile else 0
    return max(0, min(workers, 16) - 1)
