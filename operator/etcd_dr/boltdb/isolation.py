"""Do the whole work in a process of its own: `python -m etcd_dr.boltdb.isolation`, asked over its standard input.

For a process that must live on, such as the operator, this buys two things. A disk that cannot give the bytes of a
mapped file ends a process by SIGBUS: then it is the other one, and the answer is FileUnreadable. And the memory that
reading takes is given back to the system when it is done.

Rules this module keeps:
- The other process is a fresh interpreter, never a fork: the caller may hold gRPC's threads.
- Question and answer are this package's own values, pickled over pipes that nobody else holds.
- An error there is the same error here. A process that ends without an answer is FileUnreadable, with how it ended.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etcd_dr import boltdb, errors
from etcd_dr.boltdb.interpreters import environment, interpreter
from etcd_dr.errors import EtcdDrError, FileUnreadable

_LOOK_EVERY_SECONDS = 0.1


def call_isolated(function: str, source: Path, *, stop: Callable[[], object] | None = None, **options: Any) -> Any:
    """Return what the function of this package of that name returns there, or raise what it or `stop` raises."""
    question = pickle.dumps((function, str(source.absolute()), options))
    with subprocess.Popen(
        interpreter("etcd_dr.boltdb.isolation"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as reader:
        answered = _answered(reader, question, stop or _never)
    if reader.returncode != 0:
        raise _ended(source, reader.returncode)
    kind, answer = pickle.loads(answered)  # noqa: S301 - written by our own child over a private pipe
    if kind == "error":
        raise _revived(**answer)
    return answer


def _never() -> None:
    """Never stop."""


def _answered(reader: subprocess.Popen[bytes], question: bytes, stop: Callable[[], object]) -> bytes:
    unasked: bytes | None = question
    try:
        while True:
            try:
                return reader.communicate(unasked, timeout=_LOOK_EVERY_SECONDS)[0]
            except subprocess.TimeoutExpired:
                unasked = None  # it may be given once
                stop()
    except BaseException:
        reader.kill()
        raise


def _ended(source: Path, status: int) -> FileUnreadable:
    is_disk = status == -signal.SIGBUS
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return FileUnreadable(
        "the file shrank, or the disk could not read all of it" if is_disk else f"its reader ended: {how}",
        subject=str(source),
        next_step="Look for input/output errors and for processes ended for want of memory: dmesg | tail",
        context={"reader": how},
    )


def _revived(name: str, message: str, **fields: Any) -> EtcdDrError:
    kind: type[EtcdDrError] = getattr(errors, name)
    return kind(message, **fields)


def _answer(function: str, source: str, options: dict[str, Any]) -> tuple[str, Any]:
    try:
        return "value", getattr(boltdb, function)(Path(source), **options)
    except EtcdDrError as error:
        return "error", {
            "name": type(error).__name__,
            "message": error.message,
            "subject": error.subject,
            "next_step": error.next_step,
            "context": dict(error.context),
        }


def _serve() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends us; two tracebacks help nobody
    question = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by our own parent over a private pipe
    pickle.dump(_answer(*question), sys.stdout.buffer)


if __name__ == "__main__":
    _serve()
