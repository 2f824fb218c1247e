"""How every failure leaves the command: what happened, what to do next, and an exit status.

- Text goes to standard error as `error: ...` and `  next: ...`; with `-o json` or `-o yaml` the same facts go there as
  one JSON object in one line, so that it can be told from the answer and picked out of log lines.
- The status is that of the error's class (docs/exit-statuses.md). `health` ends with 3, unknown, as Nagios reads it.
- What nobody expected is called a bug, in two lines; its traceback is shown at log level debug only.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.pasting import Paste
from etcd_dr.entrypoints.cli.terminal import ReaderGone, Screen
from etcd_dr.errors import Cancelled, EtcdDrError, EtcdError, LocalStorageFull


@dataclass(frozen=True, slots=True)
class FailureReport:
    """How failures of this run are told. `status` replaces the class's exit status where the command has its own."""

    stream: TextIO
    as_json: bool = False
    debug: bool = False
    status: int | None = None
    paste: Paste = field(default_factory=lambda: Paste(GlobalOptions()))

    def status_of(self, error: EtcdDrError) -> int:
        """Return the exit status. What a signal ended has its own everywhere."""
        return error.exit_status if self.status is None or isinstance(error, Cancelled) else self.status

    def tell(self, error: EtcdDrError) -> int:
        """Tell an error and return the exit status. A standard error that nobody reads any more is no reason to fail."""
        error.next_step = self.paste.completed(error.next_step)
        with suppress(ReaderGone, LocalStorageFull, ValueError):
            self._write(error)
        return self.status_of(error)

    def _write(self, error: EtcdDrError) -> None:
        if self.as_json:
            self._line(json.dumps({"error": failure_document(error)}, ensure_ascii=False))
        else:
            for line in failure_lines(error, debug=self.debug):
                self._line(line)
        if self.debug:
            self._line("".join(traceback.format_exception(error)).rstrip())

    def _line(self, text: str) -> None:
        Screen(self.stream).line(text)


def failure_document(error: EtcdDrError) -> dict[str, object]:
    """Return the error as docs/json-output.md promises it."""
    return {
        "code": error.code,
        "message": error.message,
        "subject": error.subject,
        "next_step": error.next_step,
        "retryable": error.retryable,
        "context": dict(error.context),
    }


def failure_lines(error: EtcdDrError, *, debug: bool) -> Iterator[str]:
    """Yield the error for a person; the evidence and the causes only with `debug`."""
    yield f"error: {plain(str(error))}"
    if error.next_step:
        first, *more = error.next_step.splitlines()
        yield f"  next: {plain(first)}"
        yield from (f"        {plain(line)}" for line in more)
    if debug:
        yield from (f"  {key}: {plain(str(value))}" for key, value in error.context.items())


def bug(error: BaseException) -> EtcdDrError:
    """Return what nobody expected as an error that can be told; the class is the root, its status 70."""
    told = EtcdDrError(
        f"this is a bug in etcd-dr, or a case that it does not know: {type(error).__name__}: {error}"[:500],
        next_step="Run the same command with --log-level debug, and report what it prints (etcd-dr docs exit-statuses).",
    )
    told.__cause__ = error
    return told


def status_of_code(code: str) -> int:
    """Return the exit status of the class with this code; 69, unavailable, for a code that is none of ours."""
    known = {kind.code: kind.exit_status for kind in _descendants(EtcdDrError)}
    return known.get(code, EtcdError.exit_status)


def _descendants(kind: type[EtcdDrError]) -> Iterator[type[EtcdDrError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)
