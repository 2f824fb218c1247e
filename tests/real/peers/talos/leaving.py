"""How a member gives up its place or its leadership (internal/pkg/etcd of siderolabs/talos), and how that is refused."""

from __future__ import annotations

import asyncio
import shutil

from grpclib import GRPCError
from grpclib.const import Status

from real.peers.talos.calls import Refusal, unknown
from real.peers.talos.etcd_rpc import NotReached
from real.peers.talos.machine import Machine
from real.peers.talos.node import ETCD_DIRECTORY

# The last four are elections, with which Talos gives up; here that would be a fault that nobody asked for.
_RETRIED = (
    "etcdserver: unhealthy cluster",
    "etcdserver: server stopped",
    "etcdserver: no leader",
    "etcdserver: leader changed",
    "etcdserver: request timed out",
    "raft proposal dropped",
)
_RETRY_SECONDS = 0.5  # 10


async def leave_cluster(machine: Machine) -> None:
    """Remove this node's member, stop etcd, and clear its directory; etcd stays down until a reboot.

    Waits for the node to be a healthy member, and asks again where the cluster is unhealthy or elects, without end.
    """
    member_id = await _local_member_id(machine)
    while (refusal := await _refused(machine, member_id)) is not None:
        if refusal.startswith(_RETRIED):
            await asyncio.sleep(_RETRY_SECONDS)
        elif refusal.startswith("etcdserver: member not found"):
            break
        else:
            raise unknown(f"failed to leave cluster: failed to remove member {member_id}: {refusal}")
    await machine.etcd.stop()
    directory = machine.node.path(ETCD_DIRECTORY)
    shutil.rmtree(directory, ignore_errors=True)
    if not machine.node.release.leaving_removes_the_directory:
        directory.mkdir(mode=0o700)


async def forfeit_leadership(machine: Machine) -> str:
    """Move the leadership to another member and return its name; empty where this one does not lead."""
    member_id = await _local_member_id(machine)
    async with machine.node.etcd_client() as client:
        try:
            members = await client.members()
            if len(members) == 1:
                raise unknown("failed to forfeit leadership: cannot forfeit leadership, only one member")
            if (await client.status()).leader != member_id:
                return ""
            heir = next(member for member in members if member_id != member.ID)
            await client.move_leader(heir.ID)
        except (GRPCError, *NotReached) as error:
            raise unknown(f"failed to forfeit leadership: {getattr(error, 'message', error)}") from error
    return str(heir.name)


def refused_removal(member_id: int, message: str) -> Refusal:
    """Return how EtcdRemoveMemberByID passes on what etcd said; the id is decimal in it."""
    text = f"failed to remove member {member_id}: {message}"
    if message == "etcdserver: member not found":
        return Refusal(Status.NOT_FOUND, text)
    return unknown(f"failed to remove member: {text}")


async def _local_member_id(machine: Machine) -> int:
    """Wait for the resource EtcdMembers/local, which exists while etcd is healthy, and return its id."""
    while not machine.etcd.is_healthy:
        await asyncio.sleep(0.05)
    async with machine.node.etcd_client() as client:
        return int((await client.status()).header.member_id)


async def _refused(machine: Machine, member_id: int) -> str | None:
    """Remove the member; return what etcd said against it, or None."""
    reason: str | None = "no endpoint answered"
    for address in machine.node.control_planes():
        async with machine.node.etcd_client(address) as client:
            try:
                await client.remove(member_id)
            except GRPCError as error:
                return error.message or ""
            except NotReached as error:
                reason = str(error)
            else:
                return None
    return reason
