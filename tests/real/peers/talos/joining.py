"""How a node finds its way into a running cluster: as a learner first, then as a voter (services/etcd.go).

A member of the same name is taken for an earlier life of the node and removed. Promotion is asked for in the
background, for a while, and only by a node that joined in this life: a learner that reboots stays a learner. An
attempt that an election cuts off costs time only: what up to 1.13 is for ever then, a test has to ask for.
"""

from __future__ import annotations

import asyncio

from grpclib import GRPCError

from etcd_dr.adapters.etcd.proto import rpc_pb2
from real.peers.talos.etcd_rpc import EtcdClient, NotReached
from real.peers.talos.faults import LOOK_AGAIN_SECONDS
from real.peers.talos.node import Node
from real.peers.talos.restoring import PreStageFailed


class _NotYet(Exception):
    """This attempt to join failed; the text says why."""


async def join_cluster(node: Node) -> tuple[str, int]:
    """Add this node as a learner; return etcd's `--initial-cluster` and the learner's id.

    Tries until it works or the time for joining is over, which is a PreStageFailed.
    """
    pace = node.settings.pace
    deadline = asyncio.get_running_loop().time() + pace.join_for
    node.log(
        "etcd is waiting to join the cluster, if this node is the first node in the cluster, please run "
        f"`talosctl bootstrap` against one of the following IPs: [{node.address}]"
    )
    while True:
        try:
            async with asyncio.timeout(pace.join_attempt):
                return await _attempt(node)
        except (_NotYet, TimeoutError) as error:
            reason = str(error) or "context deadline exceeded"
        node.log(f"retrying error: {reason}")
        if asyncio.get_running_loop().time() >= deadline:
            raise PreStageFailed(f"failed to build initial etcd cluster: failed to build cluster arguments: {reason}")
        await asyncio.sleep(pace.join_every)


async def _attempt(node: Node) -> tuple[str, int]:
    client, members = await _first_that_answers(node)
    async with client:
        try:
            for member in members:
                if member.name == node.hostname:
                    await client.remove(member.ID)
            adopted = _adopted(node, members)
            learner_id = adopted or await client.add_learner(list(node.peer_urls))
            if node.faults.breaks_off_joining:
                node.faults.breaks_off_joining = False
                node.faults.has_broken_off_joining = True
                raise _NotYet("error getting second etcd member list: context deadline exceeded")
            members = await client.members()
        except GRPCError as error:
            raise _NotYet(f"error adding member: {error.message}") from error
        except NotReached as error:
            raise _NotYet(f"error adding member: {error}") from error
    return _initial_cluster(node, members, learner_id), learner_id


def _adopted(node: Node, members: list[rpc_pb2.Member]) -> int:
    """Return the learner of an earlier attempt that never started, if it is to be taken up again; else 0."""
    if node.faults.has_broken_off_joining and not node.release.adopts_nameless_learners:
        return 0
    own = set(node.peer_urls)
    return next((member.ID for member in members if not member.name and set(member.peerURLs) == own), 0)


async def _first_that_answers(node: Node) -> tuple[EtcdClient, list[rpc_pb2.Member]]:
    """Return a connection, which the caller closes, and the member list that came over it."""
    addresses = [] if node.faults.never_joins else [each for each in node.control_planes() if each != node.address]
    reason = "no controlplane endpoints discovered yet"
    for address in addresses:
        client = node.etcd_client(address)
        try:
            return client, await client.members()
        except GRPCError as error:
            reason = f"error getting etcd member list: {error.message}"
        except NotReached as error:
            reason = f"error getting etcd member list: {error}"
        client.close()
    raise _NotYet(reason)


def _initial_cluster(node: Node, members: list[rpc_pb2.Member], learner_id: int) -> str:
    named = [(node.hostname if learner_id == member.ID else member.name, member.peerURLs) for member in members]
    return ",".join(f"{name}={url}" for name, urls in named for url in urls)


async def keep_asking_for_promotion(node: Node, learner_id: int) -> None:
    """Ask one control plane node after another to promote this one, until one does or the time is over."""
    if node.faults.is_never_promoted:
        return
    pace = node.settings.pace
    while node.faults.promotion_is_withheld:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    await asyncio.sleep(node.faults.promotion_takes)
    deadline = asyncio.get_running_loop().time() + pace.promote_for
    while asyncio.get_running_loop().time() < deadline:
        for address in node.control_planes():
            reason = await _promotion_refused_by(node, address, learner_id)
            if reason is None:
                node.log("successfully promoted etcd member")
                return
        node.log(f"retrying error: {reason}")
        await asyncio.sleep(pace.promote_every)
    node.log("failed promoting member: timeout")


async def _promotion_refused_by(node: Node, address: str, learner_id: int) -> str | None:
    """Return why the node at that address did not promote, or None when it did."""
    async with node.etcd_client(address) as client:
        try:
            await client.promote(learner_id)
        except GRPCError as error:
            return error.message or ""
        except NotReached as error:
            return str(error)
    return None
