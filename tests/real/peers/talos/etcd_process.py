"""The etcd program of a node: started, waited for, ended, by its process id."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from etcd_dr.adapters.local_cluster.child import start_child


class EtcdProcess:
    """One run of the program; it dies with this interpreter at the latest."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    @classmethod
    async def start(cls, command: Sequence[str | Path], *, log: Path) -> EtcdProcess:
        return cls(await asyncio.to_thread(start_child, command, log=log))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return not self._ended.done()

    async def wait(self) -> int:
        """Wait for the end and return the exit code as a container runtime counts it: 128 and the signal's number."""
        return await asyncio.shield(self._ended)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; no-op when the process has ended."""
        if self.is_running:
            self._process.send_signal(number)

    async def stop(self, *, deadline_seconds: float = 10.0) -> None:
        """Ask the process to end, wait for it, and kill it when the deadline passes."""
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), deadline_seconds)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.wait()

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        status = self._process.wait()
        self._ended.set_result(status if status >= 0 else 128 - status)
