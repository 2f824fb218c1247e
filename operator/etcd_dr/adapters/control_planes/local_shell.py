"""Scripts on this machine: the same ones that run over ssh, so that what is tested here is what runs there."""

from __future__ import annotations

from etcd_dr.adapters.control_planes.call import Called, DeadlinePassed, Feed, Write, call
from etcd_dr.adapters.control_planes.scripts import PREAMBLE
from etcd_dr.adapters.control_planes.shell import checked
from etcd_dr.errors import NodeFault
from etcd_dr.ports.cancellation import Cancellation


class LocalShell:
    """Implements Shell with this machine's `sh`, or another program that is one (`busybox sh`)."""

    is_here = True

    def __init__(
        self, node: str, *, place: str, cancellation: Cancellation, program: tuple[str, ...] = ("sh",)
    ) -> None:
        self.node = node
        self.place = place
        self._program = program
        self._cancellation = cancellation

    def run(
        self,
        script: str,
        *arguments: str,
        deadline: float,
        feed: Feed | None = None,
        write: Write | None = None,
    ) -> Called:
        command = [*self._program, "-c", PREAMBLE + script, "etcd-dr", *arguments]
        try:
            called = call(command, deadline=deadline, cancellation=self._cancellation, feed=feed, write=write)
        except DeadlinePassed as error:
            raise NodeFault(
                f"did not finish within {deadline:g} s", subject=self.node, context={"said": str(error)}
            ) from error
        return checked(called, node=self.node, doing="the local shell")

    def close(self) -> None:
        """Nothing is held."""
