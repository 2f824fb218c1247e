"""The short way of `snapshot status FILE`: the same answer, without the libraries that read options and configuration.

Reading the words of any command costs a fifth of a second, which is nothing beside the work of most of them and a third
of this one's. So the common call is recognised by hand, and everything else goes the whole way (`program`).

Rules this module keeps:
- It takes only what it understands entirely: the two words, one plain database file, `-o` and `-q`. Whatever else is
  said, and whatever goes wrong before an answer, is left to the whole way, which says it in its own words.
- It prints what the whole way prints, to the letter (tests/unit/entrypoints/cli/test_short_way.py).
- No configuration is read: a file that nothing wraps needs none.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from etcd_dr.domain.database import Examination
from etcd_dr.domain.file_kind import HEAD_BYTES, TAIL_BYTES, FileFormat, FileKind, recognise
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.errors import Cancelled, EtcdDrError, SnapshotDamaged

_COMMAND = ("snapshot", "status")
_OUTPUT_OPTIONS = ("-o", "--output", "-w", "--write-out")
_OUTPUTS = ("table", "json", "yaml")
_QUIET_OPTIONS = ("-q", "--quiet")
_PLAIN = (FileFormat.SNAPSHOT, FileFormat.DATABASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that can go the short way."""

    file: Path
    output: str


class _Stopped(BaseException):
    """A signal asked for an end."""


def asked(words: Sequence[str]) -> Asked | None:
    """Return what was asked for, or None where the words have anything else in them."""
    operands: list[str] = []
    output = "table"
    rest = iter(words)
    for word in rest:
        name, separator, value = word.partition("=")
        if name in _OUTPUT_OPTIONS and (name.startswith("--") or not separator):
            output = value if separator else next(rest, "")
        elif word.startswith("-"):
            if word not in _QUIET_OPTIONS:
                return None
        else:
            operands.append(word)
    if output not in _OUTPUTS or len(operands) != 3 or tuple(operands[:2]) != _COMMAND:
        return None
    return Asked(Path(operands[2]), output)


def go() -> None:
    """Answer this process's call and end the process; return where the call must go the whole way."""
    process = Process.this_one()
    status = answer(sys.argv[1:], process)
    if status is not None:
        with suppress(OSError, ValueError):
            process.stdout.flush()
        os._exit(status)  # taking numpy apart in order would be a tenth of the time


def answer(words: Sequence[str], process: Process) -> int | None:
    """Answer the call and return its exit status; None where it must go the whole way."""
    call = asked(words)
    if call is None:
        return None
    gc.disable()  # a short life: what is not freed at once is freed at its end
    try:
        with _stopped_by_signals():
            return _answered(call, process)
    except _Stopped as stop:
        return _tell(call, process, _stopped(str(stop)))
    finally:
        gc.enable()


def _answered(call: Asked, process: Process) -> int | None:
    from etcd_dr.boltdb import examine  # noqa: PLC0415 - not before it is known to be wanted
    from etcd_dr.entrypoints.cli.terminal import READER_GONE_STATUS, ReaderGone  # noqa: PLC0415 - as above

    kind = _plain_database(call.file)
    if kind is None:
        return None
    try:
        examination = examine(call.file, stop=_Loading(call.output))
    except EtcdDrError:
        return None
    try:
        _print(call, kind, examination, process)
    except ReaderGone:
        return READER_GONE_STATUS
    except EtcdDrError as error:  # half of the answer may be out: nothing may be said twice
        return _tell(call, process, error)
    return 0 if examination.is_intact else SnapshotDamaged.exit_status


def _plain_database(path: Path) -> FileKind | None:
    """Return what the file is if it is a database that nothing wraps."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold us up
    except (OSError, ValueError):
        return None
    try:
        facts = os.fstat(fd)
        if not S_ISREG(facts.st_mode):
            return None
        head, tail = os.pread(fd, HEAD_BYTES, 0), os.pread(fd, TAIL_BYTES, max(0, facts.st_size - TAIL_BYTES))
    except OSError:
        return None
    finally:
        os.close(fd)
    kind = recognise(head=head, tail=tail, size_bytes=facts.st_size)
    return kind if kind.format in _PLAIN else None


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Raise _Stopped at a signal that ends a command."""
    heard = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if _is_heard(number)]
    before = {number: signal.signal(number, _stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Loading:
    """Loads what draws the answer when it is called first: a helper, where there is one, is at work by then."""

    def __init__(self, output: str) -> None:
        self._is_needed = output == "table"

    def __call__(self) -> None:
        if self._is_needed:
            self._is_needed = False
            import etcd_dr.entrypoints.cli.snapshot.status_page  # noqa: F401, PLC0415 - see above


def _is_heard(number: signal.Signals) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN  # nohup says so on purpose


def _stop(number: int, _frame: object) -> None:
    raise _Stopped(signal.Signals(number).name)


def _stopped(signal_name: str) -> Cancelled:
    from etcd_dr.entrypoints.cli.doors import SNAPSHOT  # noqa: PLC0415 - only at an end
    from etcd_dr.entrypoints.cli.stopping import stopped  # noqa: PLC0415 - as above

    error = stopped(signal_name)
    error.next_step = next(door.when_stopped for door in SNAPSHOT.doors if door.name == _COMMAND[1])
    return error


def _tell(call: Asked, process: Process, error: EtcdDrError) -> int:
    from etcd_dr.entrypoints.cli.failures import FailureReport  # noqa: PLC0415 - only at an end

    return FailureReport(process.stderr, as_json=call.output != "table").tell(error)


def _print(call: Asked, kind: FileKind, examination: Examination, process: Process) -> None:
    from etcd_dr.domain.file_name import read_file_name  # noqa: PLC0415 - not before the helper works
    from etcd_dr.domain.inspected_file import InspectedFile  # noqa: PLC0415 - as above
    from etcd_dr.entrypoints.cli.answers import Output, print_answer  # noqa: PLC0415 - as above
    from etcd_dr.entrypoints.cli.snapshot.status_document import status_document  # noqa: PLC0415 - as above
    from etcd_dr.entrypoints.cli.terminal import Screen  # noqa: PLC0415 - as above

    inspected = InspectedFile(
        path=call.file,
        kind=kind,
        layers=(),
        plain_bytes=examination.file_size_bytes,
        name=read_file_name(call.file.name),
        examination=examination,
    )
    screen = Screen(process.stdout)

    def table() -> None:
        from etcd_dr.entrypoints.cli.snapshot.status_page import draw_page  # noqa: PLC0415 - JSON needs no rich

        draw_page(screen, inspected)

    print_answer(screen, Output(call.output), document=status_document(inspected), table=table)
