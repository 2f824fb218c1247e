"""The command as tests call it: in this process, with an environment, streams and places of its own.

cli = CommandLine(tmp_path)
done = cli("snapshot", "list", "--store", cli.store)
assert done.status == 0
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.program import run


class Stream(io.StringIO):
    """A stream that may claim to be a terminal."""

    def __init__(self, text: str = "", *, is_terminal: bool = False) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def error(self) -> dict[str, Any]:
        """The error as JSON: the one line of standard error that is an error document."""
        [line] = [line for line in self.err.splitlines() if line.startswith('{"error"')]
        found: dict[str, Any] = json.loads(line)["error"]
        return found


@dataclass
class CommandLine:
    """Calls the command; `directory` takes the store and whatever a test puts there."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.directory / "store").mkdir(exist_ok=True)

    @property
    def store(self) -> str:
        """An empty directory store."""
        return str(self.directory / "store")

    def __call__(self, *words: object, stdin: str | None = None, environment: Mapping[str, str] | None = None) -> Done:
        """Run one command. `stdin` is typed at a terminal; None: there is none."""
        out, err = Stream(), Stream()
        process = Process(
            environment={**self.environment, **(environment or {})},
            stdin=Stream(stdin or "", is_terminal=stdin is not None),
            stdout=out,
            stderr=err,
            usual_places=(self.directory / "etcd-dr.yaml",),
        )
        status = run([str(word) for word in words], process)
        return Done(status, out.getvalue(), err.getvalue())
