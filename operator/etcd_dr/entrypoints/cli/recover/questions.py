"""Questions to a person, as plain lines: they work on a dumb terminal, over ssh, and under a screen reader.

An answer that fits nothing is asked again, with what would fit. The end of the input, as Ctrl-D makes it, and a signal,
as Ctrl-C does, are "stop here": nothing was changed by asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.stopping import read_answer
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.errors import Cancelled
from etcd_dr.ports.cancellation import Cancellation

_STOP_WORDS = ("q", "quit", "stop")


class Questions:
    """One conversation. `subject` is what was being done, for the error when it is stopped."""

    def __init__(self, stdin: TextIO, screen: Screen, *, subject: str, cancellation: Cancellation) -> None:
        self._stdin = stdin
        self._screen = screen
        self._subject = subject
        self._cancellation = cancellation

    def stop_if_wished(self) -> None:
        """Raise Cancelled where a signal came since: what was looked at meanwhile is of no interest any more."""
        if self._cancellation.is_cancelled:
            raise self._stopped()

    def choose(self, question: str, answers: Sequence[str], *, default: str | None = None) -> str:
        """Return one of `answers`; an empty line is the default. `q` and the end of the input raise Cancelled."""
        hint = "/".join(f"[{answer}]" if answer == default else answer for answer in answers)
        while True:
            said = self.line(f"{question} ({hint}, q to stop): ").lower()
            if not said and default is not None:
                return default
            if said in answers:
                return said
            if said in _STOP_WORDS:
                raise self._stopped()
            self._screen.line(f"That is none of: {', '.join(answers)}, q")

    def confirm_by_typing(self, question: str, wanted: str) -> None:
        """Return once exactly `wanted` was typed. Raises Cancelled for anything else: there is no second try."""
        if self.line(f"{question}: ") != wanted:
            raise Cancelled(
                f"was not confirmed (expected: {wanted}), so nothing was changed",
                subject=self._subject,
                next_step="Look at the plan again, and type what it asks for: etcd-dr recover run",
            )

    def line(self, prompt: str) -> str:
        """Return what was typed, without the spaces around it. Raises Cancelled at the end of the input."""
        self.stop_if_wished()
        self._screen.write(plain(prompt))
        said = read_answer(self._stdin)
        if not said:
            self._screen.line()
            raise self._stopped()
        return said.strip()

    def _stopped(self) -> Cancelled:
        return Cancelled(
            "was stopped before anything was changed",
            subject=self._subject,
            next_step="Begin again whenever you like: etcd-dr recover run",
        )
