"""One run of a tool: its output captured, its end awaited, its life cut short when the work is cancelled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from etcd_dr.domain.etcd_programs import plain_environment
from etcd_dr.errors import Cancelled, ToolMissing
from etcd_dr.ports.cancellation import Cancellation


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `status` is negative for a signal; `output` is both of its streams."""

    status: int
    output: str


def run_tool(command: Sequence[str], *, cancellation: Cancellation) -> Ended:
    """Run a program to its end. Raises Cancelled (the program is gone by then) and ToolMissing."""
    _raise_if_cancelled(cancellation)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=plain_environment(os.environ),
            start_new_session=True,  # Ctrl-C on the terminal is for us, who then end it
        )
    except OSError as error:
        raise ToolMissing(f"cannot be run: {error.strerror}", subject=command[0]) from error
    try:
        with cancellation.on_cancel(process.kill):
            output, _ = process.communicate()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    _raise_if_cancelled(cancellation)
    return Ended(process.returncode, output.decode(errors="replace"))


def _raise_if_cancelled(cancellation: Cancellation) -> None:
    if cancellation.is_cancelled:
        raise Cancelled(f"stopped: {cancellation.reason}")
