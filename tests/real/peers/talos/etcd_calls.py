"""The calls of the machine API about etcd (v1alpha1_server.go), in front of the node's real etcd.

- Calls about the local member wait for it without end where it is down: only the caller's deadline ends them.
- etcd's own refusals arrive as Unknown with etcd's words, because its Go client's errors carry no gRPC status.
- EtcdRecover looks at nothing but whether /var/lib is there; Bootstrap answers before anything was restored.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from grpclib import GRPCError
from grpclib.const import Status

from etcd_dr.adapters.etcd.proto import rpc_pb2
from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2
from real.peers.talos.calls import Call, Refusal, unknown
from real.peers.talos.etcd_rpc import EtcdClient, NotReached
from real.peers.talos.etcd_service import StartMode
from real.peers.talos.faults import DIRECTORY_NOT_EMPTY, NOT_AVAILABLE_YET, NOT_READY_FOR_RECOVERY, TIME_NOT_SYNCED
from real.peers.talos.leaving import forfeit_leadership, leave_cluster, refused_removal
from real.peers.talos.machine import Machine
from real.peers.talos.node import RECOVERY_SNAPSHOT

_ATTEMPTS = 25  # clientv3: a hundred, 25 ms apart
_RETRY_SECONDS = 0.1
_CONNECT_SECONDS = 5.0
_LARGEST_MESSAGE = 32 * 1024 * 1024  # constants.GRPCMaxMessageSize


class EtcdCalls:
    """One node's answers; methods are named after the calls."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._node = machine.node

    async def snapshot(self, call: Call, request: machine_pb2.EtcdSnapshotRequest) -> AsyncIterator[bytes]:
        """Yield the snapshot; where reading it fails midway the stream ends as if it were whole."""
        self._check_control_plane("etcd snapshot")
        faults, sent = self._node.faults, 0
        async with self._local() as client:
            with contextlib.suppress(GRPCError, *NotReached):
                async for part in client.snapshot():
                    flip, end = faults.snapshot_flips_at, faults.snapshot_ends_at
                    stall = faults.snapshot_stalls_at
                    if flip is not None and sent <= flip < sent + len(part):
                        part = part[: flip - sent] + bytes([part[flip - sent] ^ 0x10]) + part[flip - sent + 1 :]  # noqa: PLW2901
                    for position, goes_on in ((end, False), (stall, True)):
                        if position is not None and position < sent + len(part):
                            yield part[: max(0, position - sent)]
                            if goes_on:
                                await asyncio.Event().wait()
                            return
                    sent += len(part)
                    yield part

    async def recover(self, call: Call, chunks: AsyncIterator[common_pb2.Data]) -> machine_pb2.EtcdRecoverResponse:
        """Store what comes as the recovery snapshot, over an older one; nothing stays of a broken upload."""
        snapshot = self._node.path(RECOVERY_SNAPSHOT)
        if not snapshot.parent.is_dir():
            raise NOT_READY_FOR_RECOVERY
        self._check_control_plane("etcd recover")
        received, is_whole = 0, False
        try:
            with snapshot.open("wb") as file:
                async for chunk in chunks:
                    breaks_at = self._node.faults.recover_breaks_at
                    if chunk.ByteSize() > _LARGEST_MESSAGE:
                        text = f"grpc: received message larger than max ({chunk.ByteSize()} vs. {_LARGEST_MESSAGE})"
                        raise Refusal(Status.RESOURCE_EXHAUSTED, text)
                    file.write(chunk.bytes)
                    received += len(chunk.bytes)
                    if breaks_at is not None and received >= breaks_at:
                        raise Refusal(Status.UNAVAILABLE, "error reading from server: EOF")
            is_whole = True
        finally:
            if not is_whole:
                snapshot.unlink(missing_ok=True)
        return machine_pb2.EtcdRecoverResponse(messages=[machine_pb2.EtcdRecover()])

    async def bootstrap(self, call: Call, request: machine_pb2.BootstrapRequest) -> machine_pb2.BootstrapResponse:
        """Make a new cluster of this node, from the uploaded snapshot if asked to; returns before it was looked at."""
        faults, etcd = self._node.faults, self._machine.etcd
        if "cri" in faults.unmet:
            raise NOT_AVAILABLE_YET
        if not self._node.is_control_plane and self._node.release.worker_bootstrap_is_failed_precondition:
            text = "bootstrap can only be performed on a control plane node"
            raise Refusal(Status.FAILED_PRECONDITION, text)
        self._check_control_plane("bootstrap")
        await self._wait_for_the_clock()
        if not self._node.etcd_directory_is_empty:
            raise DIRECTORY_NOT_EMPTY
        await etcd.stop()
        etcd.history.enter("Finished", "Bootstrap requested")
        if not self._node.etcd_directory_is_empty:
            raise unknown("etcd data directory is not empty")
        etcd.load(
            StartMode(
                bootstrap=True,
                recover=request.recover_etcd,
                skip_hash_check=request.recover_skip_hash_check,
            )
        )
        etcd.start()
        return machine_pb2.BootstrapResponse(messages=[machine_pb2.Bootstrap()])

    async def member_list(
        self, call: Call, request: machine_pb2.EtcdMemberListRequest
    ) -> machine_pb2.EtcdMemberListResponse:
        self._check_control_plane("member list")
        asked = self._local() if request.query_local else self._any()
        members = await self._ask(asked, EtcdClient.members, failure="")
        hides = self._node.faults.hides_member_names
        names = ["" if hides else member.name for member in members]
        listed = [
            machine_pb2.EtcdMember(
                id=member.ID,
                hostname=name,
                peer_urls=member.peerURLs,
                client_urls=member.clientURLs,
                is_learner=member.isLearner,
            )
            for member, name in zip(members, names, strict=True)
        ]
        answer = machine_pb2.EtcdMembers(legacy_members=names, members=listed)
        return machine_pb2.EtcdMemberListResponse(messages=[answer])

    async def status(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.EtcdStatusResponse:
        self._check_control_plane("etcd status")
        status = await self._ask(self._local(), EtcdClient.status, failure="failed to query etcd status: ")
        member = machine_pb2.EtcdMemberStatus(
            member_id=status.header.member_id,
            protocol_version=status.version,
            db_size=status.dbSize,
            db_size_in_use=status.dbSizeInUse,
            leader=status.leader,
            raft_index=status.raftIndex,
            raft_term=status.raftTerm,
            raft_applied_index=status.raftAppliedIndex,
            errors=status.errors,
            is_learner=status.isLearner,
            # etcd tells it from 3.6; Talos makes it up for older ones.
            storage_version=status.storageVersion or ".".join([*status.version.split(".")[:2], "0"]),
        )
        return machine_pb2.EtcdStatusResponse(messages=[machine_pb2.EtcdStatus(member_status=member)])

    async def alarm_list(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.EtcdAlarmListResponse:
        self._check_control_plane("etcd alarm list")
        alarms = await self._ask(self._local(), EtcdClient.alarms, failure="failed to list etcd alarms: ")
        answer = machine_pb2.EtcdAlarm(member_alarms=_alarms(alarms))
        return machine_pb2.EtcdAlarmListResponse(messages=[answer])

    async def alarm_disarm(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.EtcdAlarmDisarmResponse:
        self._check_control_plane("etcd alarm disarm")
        alarms = await self._ask(
            self._local(), lambda client: client.alarms(disarm=True), failure="failed to disarm etcd alarm: "
        )
        answer = machine_pb2.EtcdAlarmDisarm(member_alarms=_alarms(alarms))
        return machine_pb2.EtcdAlarmDisarmResponse(messages=[answer])

    async def defragment(self, call: Call, request: common_pb2.Nothing) -> machine_pb2.EtcdDefragmentResponse:
        self._check_control_plane("etcd defragment")
        await self._ask(self._local(), EtcdClient.defragment, failure="failed to defragment etcd: ")
        return machine_pb2.EtcdDefragmentResponse(messages=[machine_pb2.EtcdDefragment()])

    async def leave_cluster(
        self, call: Call, request: machine_pb2.EtcdLeaveClusterRequest
    ) -> machine_pb2.EtcdLeaveClusterResponse:
        self._check_control_plane("etcd leave")
        await leave_cluster(self._machine)
        return machine_pb2.EtcdLeaveClusterResponse(messages=[machine_pb2.EtcdLeaveCluster()])

    async def remove_member(
        self, call: Call, request: machine_pb2.EtcdRemoveMemberByIDRequest
    ) -> machine_pb2.EtcdRemoveMemberByIDResponse:
        self._check_control_plane("etcd remove member")
        async with self._any() as client:
            try:
                await client.remove(request.member_id)
            except GRPCError as error:
                raise refused_removal(request.member_id, error.message or "") from error
        return machine_pb2.EtcdRemoveMemberByIDResponse(messages=[machine_pb2.EtcdRemoveMemberByID()])

    async def forfeit_leadership(
        self, call: Call, request: machine_pb2.EtcdForfeitLeadershipRequest
    ) -> machine_pb2.EtcdForfeitLeadershipResponse:
        self._check_control_plane("etcd forfeit leadership")
        member = await forfeit_leadership(self._machine)
        answer = machine_pb2.EtcdForfeitLeadership(member=member)
        return machine_pb2.EtcdForfeitLeadershipResponse(messages=[answer])

    def _check_control_plane(self, api: str) -> None:
        if not self._node.is_control_plane:
            raise Refusal(Status.UNIMPLEMENTED, f"{api} is only available on control plane nodes")

    async def _wait_for_the_clock(self) -> None:
        if self._node.faults.clock_is_unsynced:
            await asyncio.sleep(self._node.settings.pace.time_sync_wait)
        if self._node.faults.clock_is_unsynced:
            raise TIME_NOT_SYNCED

    @contextlib.asynccontextmanager
    async def _local(self) -> AsyncIterator[EtcdClient]:
        """Lend a connection to this node's etcd, as soon as it listens."""
        async with self._node.etcd_client() as client:
            await client.wait_until_it_listens()
            yield client

    @contextlib.asynccontextmanager
    async def _any(self) -> AsyncIterator[EtcdClient]:
        """Lend a connection to the first etcd of the control plane that listens, as soon as one does."""
        while True:
            addresses = self._node.control_planes()
            if not addresses:
                raise unknown("no controlplane endpoints discovered yet")
            for address in addresses:
                async with self._node.etcd_client(address) as client:
                    try:
                        async with asyncio.timeout(_CONNECT_SECONDS):
                            await client.connect()
                    except OSError:  # a timeout is one, too
                        continue
                    yield client
                    return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _ask(
        self,
        lent: contextlib.AbstractAsyncContextManager[EtcdClient],
        question: Callable[[EtcdClient], Coroutine[Any, Any, Any]],
        *,
        failure: str,
    ) -> Any:
        """Ask as clientv3 does: again where the connection breaks, and for a while where there is no leader."""
        refusals = 0
        async with lent as client:
            while True:
                try:
                    return await question(client)
                except GRPCError as error:
                    refusals += 1
                    if error.status is not Status.UNAVAILABLE or refusals >= _ATTEMPTS:
                        raise unknown(f"{failure}{error.message}") from error
                except NotReached:
                    await client.wait_until_it_listens()
                await asyncio.sleep(_RETRY_SECONDS)


def _alarms(alarms: list[rpc_pb2.AlarmMember]) -> list[machine_pb2.EtcdMemberAlarm]:
    # Both enums count the same: none, no space, corrupt.
    return [machine_pb2.EtcdMemberAlarm(member_id=each.memberID, alarm=int(each.alarm)) for each in alarms]  # type: ignore[arg-type]  # see above
