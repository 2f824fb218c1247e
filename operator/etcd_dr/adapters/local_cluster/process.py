"""One etcd member as a process: started, waited for, killed, stopped, paused, wiped, started again.

- A member keeps its ports and its data directory over restarts; what it starts as (`MemberSettings`) may be changed
  while it is down.
- Stopping waits for the process itself, not for its port: etcd lets go of its peers slowly, and a successor that comes
  too early meets the old member.
- Nothing is deleted but by `wipe`.
- A process that somebody else started on the same data directory, as a recovery does, counts as this member's: it is
  found by its command line once our own has ended.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from etcd_dr.adapters.local_cluster.binaries import EtcdBinaries
from etcd_dr.adapters.local_cluster.child import log_tail, stand_still, start_child
from etcd_dr.adapters.local_cluster.gateway import EtcdGateway
from etcd_dr.adapters.local_cluster.pki import TlsFiles
from etcd_dr.adapters.process_table import FoundProcess, find_process, runs_etcd_on
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable

_LOOK_EVERY_SECONDS = 0.05
_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """All that a member is started with. `initial_cluster` maps names to peer URLs, this member's included.

    `flags` come last on the command line, so they win over what is set here.
    """

    name: str
    data_dir: Path
    client_port: int
    peer_port: int
    server_tls: TlsFiles
    peer_tls: TlsFiles
    initial_cluster: Mapping[str, str]
    cluster_token: str
    joins_existing: bool = False
    is_learner: bool = False
    flags: tuple[str, ...] = ()

    @property
    def client_url(self) -> str:
        return f"https://127.0.0.1:{self.client_port}"

    @property
    def peer_url(self) -> str:
        return f"https://127.0.0.1:{self.peer_port}"

    def command_line(self, etcd: Path) -> list[str]:
        """Return the program with its arguments."""
        initial_cluster = ",".join(f"{name}={url}" for name, url in self.initial_cluster.items())
        return [
            str(etcd),
            f"--name={self.name}",
            f"--data-dir={self.data_dir}",
            f"--listen-client-urls={self.client_url}",
            f"--advertise-client-urls={self.client_url}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            f"--initial-cluster={initial_cluster}",
            f"--initial-cluster-state={'existing' if self.joins_existing else 'new'}",
            f"--initial-cluster-token={self.cluster_token}",
            "--client-cert-auth",
            f"--trusted-ca-file={self.server_tls.ca}",
            f"--cert-file={self.server_tls.certificate}",
            f"--key-file={self.server_tls.key}",
            "--peer-client-cert-auth",
            f"--peer-trusted-ca-file={self.peer_tls.ca}",
            f"--peer-cert-file={self.peer_tls.certificate}",
            f"--peer-key-file={self.peer_tls.key}",
            "--logger=zap",
            *self.flags,
        ]


class EtcdProcess:
    """A member that may run or not; one owner, not for several threads at once."""

    def __init__(
        self,
        settings: MemberSettings,
        *,
        binaries: EtcdBinaries,
        log: Path,
        client_tls: TlsFiles,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self._environ = environ
        self.binaries = binaries
        self.log = log
        self._client_tls = client_tls
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def endpoint(self) -> str:
        return self.settings.client_url

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    @property
    def pid(self) -> int | None:
        """The process id while it runs, paused or not."""
        if self._is_ours_running:
            return self._process.pid if self._process is not None else None
        with self._successor() as other:
            return other.pid if other is not None else None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    def describe(self) -> dict[str, object]:
        """Return how this member is started, as `node.json` of a local control plane has it (docs/control-planes.md)."""
        command = self.settings.command_line(self.binaries.etcd)
        return {"etcd": command, "environment": {}, "log": str(self.log.absolute()), "writers": []}

    def start(self) -> None:
        """Start the process and return at once; `wait_until_healthy` says when it is of use. No-op while it runs."""
        if self.is_running:
            return
        self._process = start_child(self.settings.command_line(self.binaries.etcd), log=self.log, environ=self._environ)

    def wait_until_healthy(self, *, deadline_seconds: float = 30.0) -> None:
        """Return when the member reads with quorum; for a learner, which may not, when it answers at all.

        Raises MemberUnreachable when the process ends first, and MemberTimeout when the deadline passes; both carry
        the end of its log.
        """
        with self.gateway(timeout_seconds=1.0) as gateway:
            self._wait(gateway.is_serving if self.settings.is_learner else gateway.is_healthy, deadline_seconds)

    def wait_until_serving(self, *, deadline_seconds: float = 30.0) -> None:
        """Return when the member answers at all, with or without quorum. Raises as `wait_until_healthy` does."""
        with self.gateway(timeout_seconds=1.0) as gateway:
            self._wait(gateway.is_serving, deadline_seconds)

    def wait_until(self, is_ready: Callable[[], bool], *, deadline_seconds: float) -> None:
        """Return when `is_ready` says so, asked again and again. Raises as `wait_until_healthy` does."""
        self._wait(is_ready, deadline_seconds)

    @property
    def ended_with(self) -> int | None:
        """The status the process ended with, negative for a signal; None while it runs or before it did."""
        return None if self._process is None else self._process.poll()

    def gateway(self, *, timeout_seconds: float = 5.0) -> EtcdGateway:
        """Return a new way to speak to this member, whether it runs or not; the caller closes it."""
        return EtcdGateway(port=self.settings.client_port, tls=self._client_tls, timeout_seconds=timeout_seconds)

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL) and wait for it. No-op when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with self._successor() as other:
            if other is not None:
                other.send_signal(signal.SIGKILL)
                other.wait(_KILL_SECONDS)

    def stop(self, *, deadline_seconds: float = 20.0) -> None:
        """Ask the process to end (SIGTERM), wait for it, and kill it when the deadline passes."""
        if self._process is None or not self._is_ours_running:
            with self._successor() as other:
                if other is not None:
                    other.end(until=time.monotonic() + deadline_seconds)
            return
        self.resume()  # a paused process would never see the request
        self._process.terminate()
        try:
            self._process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def pause(self) -> None:
        """Stand the process still (SIGSTOP): its sockets stay open and nothing answers, as on a stalled host."""
        if self._process is not None and self._is_ours_running:
            stand_still(self._process)

    def resume(self) -> None:
        """Let a paused process go on. No-op when it is not paused."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def restart(self, *, deadline_seconds: float = 30.0) -> None:
        """Stop, start and wait until the member is healthy again."""
        self.stop()
        self.start()
        self.wait_until_healthy(deadline_seconds=deadline_seconds)

    def wipe(self) -> None:
        """Kill the process and delete its data directory, as a lost disk would."""
        self.kill()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def log_tail(self, *, lines: int = 20) -> str:
        """Return the last lines of the member's log, over all its starts."""
        return log_tail(self.log, lines=lines)

    def _wait(self, is_ready: Callable[[], bool], deadline_seconds: float) -> None:
        deadline = time.monotonic() + deadline_seconds
        while not is_ready():
            if time.monotonic() >= deadline:
                raise self._failed(MemberTimeout, f"member {self.name} was not ready within {deadline_seconds:g} s")
            self._pass_time()

    def _pass_time(self) -> None:
        """Wait a moment, or until the process ends: then there is nothing left to wait for."""
        if not self._is_ours_running and self.is_running:
            time.sleep(_LOOK_EVERY_SECONDS)
            return
        if self._process is None:
            raise self._failed(MemberUnreachable, f"member {self.name} was never started")
        try:
            status = self._process.wait(_LOOK_EVERY_SECONDS)
        except subprocess.TimeoutExpired:
            return
        raise self._failed(MemberUnreachable, f"member {self.name} ended with status {status} before it was ready")

    @property
    def _is_ours_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @contextlib.contextmanager
    def _successor(self) -> Iterator[FoundProcess | None]:
        """Lend the process that somebody else started on this member's data directory."""
        other = None if self._is_ours_running else find_process(runs_etcd_on(self.data_dir))
        try:
            yield other
        finally:
            if other is not None:
                other.close()

    def _failed(self, kind: type[EtcdError], message: str) -> EtcdError:
        return kind(
            message,
            subject=self.endpoint,
            next_step=f"Read its log: tail {self.log}",
            context={"log": self.log_tail(lines=8)},
        )
