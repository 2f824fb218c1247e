"""Talos' service `etcd`: from `Starting` over the join loop or a restore to a watched process, in Talos' own words.

    Starting -> Waiting (for …) -> Preparing (pre stage) -> Preparing (runner) -> Running <-> Waiting (after a crash)

- A failed pre stage is final: nothing repeats it but a bootstrap or a reboot.
- `load` begins another history, as Talos does when it bootstraps: the events of before are gone from ServiceList.
- The process is looked at from outside, by a read with quorum; what that found is the service's health.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from grpclib import GRPCError

from etcd_dr.adapters.local_cluster import ClusterSettings
from etcd_dr.adapters.local_cluster.child import log_tail
from real.peers.talos.etcd_process import EtcdProcess
from real.peers.talos.etcd_rpc import NotReached
from real.peers.talos.joining import join_cluster, keep_asking_for_promotion
from real.peers.talos.node import ETCD_DIRECTORY, Node
from real.peers.talos.restoring import PreStageFailed, recover_from_snapshot
from real.peers.talos.service_history import ServiceEvent, ServiceHistory


@dataclass(frozen=True, slots=True)
class StartMode:
    """How the service begins where there is no data; `formed_with` is a cluster that all nodes start at once."""

    bootstrap: bool = False
    recover: bool = False
    skip_hash_check: bool = False
    formed_with: str | None = None


class EtcdService:
    """One node's etcd; all methods run in the double's loop."""

    def __init__(self, node: Node, *, on_change: Callable[[str, ServiceEvent], None]) -> None:
        self._node = node
        self._on_change = on_change
        self._mode = StartMode()
        self._learner_id: int | None = None
        self._is_in_pre_stage = False
        self._lost_power = False
        self._run_task: asyncio.Task[None] | None = None
        self.process: EtcdProcess | None = None
        self.history = ServiceHistory("etcd", on_change=on_change)

    @property
    def is_running(self) -> bool:
        """Whether the service was started and has neither finished nor failed; its process may be down."""
        return self._run_task is not None and not self._run_task.done()

    @property
    def is_healthy(self) -> bool:
        return self.history.is_healthy

    def load(self, mode: StartMode | None = None) -> None:
        """Begin anew; the service must not run."""
        self._mode = mode or StartMode()
        self.history = ServiceHistory("etcd", on_change=self._on_change)

    def start(self) -> None:
        """Start the service and return at once."""
        self._lost_power = False
        self.history.enter("Starting", "Starting service")
        self._run_task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop the service and wait until it is down. No-op where it is down already."""
        if self._run_task is None or self._run_task.done():
            return
        was_in_pre_stage, state = self._is_in_pre_stage, self.history.state
        self._run_task.cancel()
        await asyncio.gather(self._run_task, return_exceptions=True)
        if self._node.release.stopping_before_start_is_a_failure and state != "Running":
            stage = "Failed to run pre stage" if was_in_pre_stage else "Condition failed"
            self.history.enter("Failed", f"{stage}: context canceled")
        else:
            self.history.enter("Finished", "Service finished successfully")

    async def cut_power(self) -> None:
        """End the process at once; nobody is left to write that down."""
        if self._run_task is None or self._run_task.done():
            return
        self._lost_power = True
        self._run_task.cancel()
        await asyncio.gather(self._run_task, return_exceptions=True)

    async def _run(self) -> None:
        node = self._node
        await self._wait_for_conditions()
        self.history.enter("Preparing", "Running pre state")
        self._is_in_pre_stage = True
        try:
            arguments = await self._pre_stage()
        except PreStageFailed as error:
            self.history.enter("Failed", f"Failed to run pre stage: {error}")
            return
        finally:
            self._is_in_pre_stage = False
        self.history.enter("Preparing", "Creating service runner")
        self.history.forget_health()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._stop_process)
            self._beside(stack, self._look_after_health())
            if self._learner_id is not None:
                self._beside(stack, keep_asking_for_promotion(node, self._learner_id))
            while True:
                await self._run_process(arguments)
                await asyncio.sleep(node.settings.pace.restart_after)

    def _beside(self, stack: contextlib.AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        stack.callback(task.cancel)

    async def _wait_for_conditions(self) -> None:
        pending = dict(
            (
                *([("volumes", 'volumes "/var/lib", "ETCD" to be mounted')] if self._names_volumes else []),
                ("cri", 'service "cri" to be "up"'),
                ("time", "time sync"),
                ("network", "network"),
                ("etcd spec", "etcd spec"),
            )
        )
        pace = self._node.settings.pace
        self.history.enter("Waiting", f"Waiting for {', '.join(pending.values())}")
        while pending:
            await asyncio.sleep(pace.condition)
            met = next((name for name in pending if not self._is_unmet(name)), None)
            if met is None:
                continue
            del pending[met]
            if pending:
                self.history.enter("Waiting", f"Waiting for {', '.join(pending.values())}")

    @property
    def _names_volumes(self) -> bool:
        return self._node.release.names_volumes_while_waiting

    def _is_unmet(self, condition: str) -> bool:
        faults = self._node.faults
        return condition in faults.unmet or (condition == "time" and faults.clock_is_unsynced)

    async def _pre_stage(self) -> list[str]:
        """Prepare the data directory; return what decides how etcd comes to its cluster. Raises PreStageFailed."""
        node, mode = self._node, self._mode
        self._learner_id = None
        await asyncio.sleep(node.faults.image_pull_takes)
        # A machine of type init never restores: its arguments are built elsewhere (services/etcd.go, argsForInit).
        if mode.recover and node.machine_type != "init":
            await recover_from_snapshot(node, skip_hash_check=mode.skip_hash_check)
        if not node.etcd_directory_is_empty:
            return ["--initial-cluster-state=existing"]
        if mode.formed_with is not None:
            return ["--initial-cluster-state=new", f"--initial-cluster={mode.formed_with}"]
        if mode.bootstrap or node.machine_type == "init":
            return ["--initial-cluster-state=new", f"--initial-cluster={node.initial_cluster}"]
        initial_cluster, self._learner_id = await join_cluster(node)
        return ["--initial-cluster-state=existing", f"--initial-cluster={initial_cluster}"]

    async def _run_process(self, arguments: list[str]) -> None:
        """Start etcd, wait for its end, and write down how it ended."""
        node = self._node
        await self._start_process(arguments)
        assert self.process is not None
        self.history.enter("Running", f"Started task etcd (PID {self.process.pid}) for container etcd")
        code = await self.process.wait()
        if code == 0:
            ending = "Runner Containerd(etcd) exited without error, going to restart it"
        else:
            last = log_tail(node.etcd_log, lines=1).replace("\\", "\\\\").replace('"', '\\"')
            failed = f'task "etcd" failed: exit code {code} (last log "{last}")'
            ending = f"Error running Containerd(etcd), going to restart forever: {failed}"
        self.history.enter("Waiting", ending)
        self.history.found(is_healthy=False, message="service not running")

    async def _start_process(self, arguments: list[str]) -> None:
        """Start etcd, and know its process even where the service is stopped in the same moment."""
        starting = asyncio.ensure_future(EtcdProcess.start(self._command_line(arguments), log=self._node.etcd_log))
        try:
            self.process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self.process = await starting
            raise

    async def _stop_process(self) -> None:
        process = self.process
        if process is None or not process.is_running:
            return
        if self._lost_power:
            process.signal(signal.SIGKILL)
            await process.wait()
            return
        self.history.enter("Stopping", f"Sending SIGTERM to task etcd (PID {process.pid}, container etcd)")
        await process.stop()
        self.history.found(is_healthy=False, message="service not running")

    async def _look_after_health(self) -> None:
        pace = self._node.settings.pace
        await asyncio.sleep(pace.health_delay)
        while True:
            complaint = await self._complaint()
            self.history.found(is_healthy=complaint is None, message=complaint or "")
            await asyncio.sleep(pace.health_every)

    async def _complaint(self) -> str | None:
        async with self._node.etcd_client() as client:
            try:
                async with asyncio.timeout(self._node.settings.pace.health_timeout):
                    await client.wait_until_it_listens()
                    await client.check_quorum()
            except GRPCError as error:
                return error.message or str(error.status)
            except NotReached:
                return "context deadline exceeded"
        return None

    def _command_line(self, arguments: list[str]) -> list[str]:
        node, tls = self._node, self._node.etcd_tls
        if node.faults.etcd_crashes_with is not None:
            return ["/bin/sh", "-c", 'echo "$0"; exit 1', node.faults.etcd_crashes_with]
        client_urls, peer_urls = (",".join(urls) for urls in (node.client_urls, node.peer_urls))
        return [
            str(node.settings.binaries.etcd),
            f"--name={node.hostname}",
            f"--data-dir={node.path(ETCD_DIRECTORY)}",
            f"--listen-client-urls={client_urls}",
            f"--advertise-client-urls={client_urls}",
            f"--listen-peer-urls={peer_urls}",
            f"--initial-advertise-peer-urls={peer_urls}",
            "--client-cert-auth",
            f"--trusted-ca-file={tls.ca}",
            f"--cert-file={tls.certificate}",
            f"--key-file={tls.key}",
            "--peer-client-cert-auth",
            f"--peer-trusted-ca-file={tls.ca}",
            f"--peer-cert-file={tls.certificate}",
            f"--peer-key-file={tls.key}",
            "--logger=zap",
            *ClusterSettings(flags=node.settings.etcd_flags).command_line(node.settings.binaries),
            *arguments,
        ]
