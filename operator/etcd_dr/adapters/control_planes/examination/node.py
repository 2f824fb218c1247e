"""A node that is asked one script after the other until its deadline, and what it said by then."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from etcd_dr.adapters.control_planes.examination.sections import Sections
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.domain.answer import Failure
from etcd_dr.domain.doctor.hosts.observation import HostObservation
from etcd_dr.errors import NodeError, NodeUnreachable
from etcd_dr.ports.clock import Clock

_MOST_BYTES = 4 << 20
_LEAST_SECONDS = 0.2


class LoginShell(Shell, Protocol):
    """A shell that can also say how a person gets there."""

    def login(self) -> str:
        """Return a command that leads to the node and takes one more word: what to run there."""
        ...


class Interview:
    """One node's answers, script after script. After a failure nothing more is asked.

    `asked_at` is our Unix time before the first script was sent, login included; `answered_at` that at which its first
    answer was whole.
    """

    def __init__(self, shell: Shell, *, clock: Clock, until: float, seconds_per_command: int) -> None:
        self._shell = shell
        self._clock = clock
        self._until = until
        self._seconds = seconds_per_command
        self.failure: Failure | None = None
        self.silent_at = ""
        self.asked_at: float | None = None
        self.answered_at: float | None = None

    def ask(self, script: str, *arguments: str) -> Sections:
        """Return what was answered, which is less than everything where the node fell silent."""
        left = self._until - time.monotonic()
        if self.failure is not None:
            return Sections(())
        self.asked_at = self.asked_at or self._clock.now().timestamp()
        mark = f"etcd-dr-{secrets.token_hex(8)}"
        output = bytearray()
        try:
            if left < _LEAST_SECONDS:
                raise NodeUnreachable("no time was left to ask", subject=self._shell.node)
            self._shell.run(
                script, mark, str(self._seconds), *arguments, deadline=left, write=self._into(output, mark.encode())
            )
        except NodeError as error:
            self.failure = Failure.of(error)
        said = Sections.read(bytes(output), mark=mark)
        if self.failure is not None:
            self.silent_at = said.last
        return said

    def _into(self, output: bytearray, mark: bytes) -> Callable[[bytes], None]:
        def write(chunk: bytes) -> None:
            if len(output) < _MOST_BYTES:
                output.extend(chunk)
            if self.answered_at is None and output.count(mark) > 1:  # the second answer begins
                self.answered_at = self._clock.now().timestamp()

        return write


class Platform(Protocol):
    def examine(self, interview: Interview, *, name: str, place: str, login: str) -> HostObservation:
        """Ask and return what it means; raises nothing."""
        ...


class ShellExaminedNode:
    """Implements ports.node_examiner.ExaminedNode."""

    def __init__(self, shell: LoginShell, platform: Platform, *, clock: Clock) -> None:
        self._shell = shell
        self._platform = platform
        self._clock = clock

    @property
    def name(self) -> str:
        return self._shell.node

    def examine(self, *, deadline: float) -> HostObservation:
        interview = Interview(
            self._shell,
            clock=self._clock,
            until=time.monotonic() + deadline,
            seconds_per_command=max(1, int(deadline / 4)),
        )
        shell = self._shell
        return self._platform.examine(interview, name=shell.node, place=shell.place, login=shell.login())

    def close(self) -> None:
        self._shell.close()


class ExaminedGroup:
    """Implements ports.node_examiner.ExaminedNodes."""

    def __init__(self, platform: str, nodes: Sequence[ShellExaminedNode]) -> None:
        self.platform = platform
        self.nodes = tuple(nodes)
