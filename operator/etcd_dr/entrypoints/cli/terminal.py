"""Where answers go: standard output as a terminal, a dumb terminal or a pipe.

A reader that went away (`| head`) is no error of ours: ReaderGone ends the command without a word. Drawing with
colours and columns is the matter of `tables`, so that commands which print a word need no library for it.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import TextIO

from etcd_dr.errors import LocalStorageFull

_USUAL_COLUMNS = 80
READER_GONE_STATUS = 141  # 128 + SIGPIPE, as a program that dies of it has


class ReaderGone(Exception):
    """Whoever read our standard output has closed it."""


class Screen:
    """One stream for people or programs. `columns` fixes the width; None asks the terminal."""

    def __init__(self, stream: TextIO, *, columns: int | None = None) -> None:
        self.stream = stream
        self.columns = columns

    @property
    def is_terminal(self) -> bool:
        return self.stream.isatty()

    @property
    def width(self) -> int | None:
        """How many columns there are; None where nothing limits them. COLUMNS counts before what the terminal says."""
        if self.columns is not None or not self.is_terminal:
            return self.columns
        said = os.environ.get("COLUMNS", "")
        if said.isdigit() and int(said):
            return int(said)
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or _USUAL_COLUMNS
        except (OSError, ValueError):
            return _USUAL_COLUMNS

    def check_reader(self) -> None:
        """Raise ReaderGone where the other end of a pipe was closed, which a write would only find out later."""
        try:
            poll = select.poll()
            poll.register(self.stream.fileno(), 0)
            is_gone = any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
        except (OSError, ValueError):
            return  # no descriptor, nobody to look for
        if is_gone and not self.is_terminal:
            silence(self.stream)
            raise ReaderGone

    @property
    def can_redraw(self) -> bool:
        """Whether lines that were written can be written over."""
        return self.is_terminal and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")

    def write(self, text: str) -> None:
        """Write text as it is and flush. Raises ReaderGone, and LocalStorageFull where the output cannot be kept."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except BrokenPipeError as error:
            silence(self.stream)
            raise ReaderGone from error
        except UnicodeEncodeError:
            self.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        except OSError as error:
            silence(self.stream)
            raise LocalStorageFull(f"cannot be written: {error.strerror}", subject="standard output") from error

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(f"{text}\n")


def silence(stream: TextIO) -> None:
    """Let the interpreter's own last flush of a closed stream go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
