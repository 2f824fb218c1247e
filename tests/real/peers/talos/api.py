"""One node's machine API: every call is checked against the caller's roles, bent by the node's faults, and answered.

An answer to a stream is a sequence of messages and of raw bytes; bytes are for the server to cut into `common.Data`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from grpclib.const import Status

from etcd_dr.adapters.talos.proto import machine_pb2
from real.peers.talos.calls import NOT_AUTHORIZED, Call, Refusal
from real.peers.talos.etcd_calls import EtcdCalls
from real.peers.talos.machine import Machine
from real.peers.talos.machine_calls import MachineCalls, not_implemented
from real.peers.talos.resetting import reset
from real.peers.talos.roles import may_call


class MachineApi:
    """What a node answers, whoever passed the call on; `answer` for one message, `stream` for many."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        etcd, own = EtcdCalls(machine), MachineCalls(machine)
        self._handlers: dict[str, Callable[[Call, Any], Any]] = {
            "Bootstrap": etcd.bootstrap,
            "EtcdAlarmDisarm": etcd.alarm_disarm,
            "EtcdAlarmList": etcd.alarm_list,
            "EtcdDefragment": etcd.defragment,
            "EtcdForfeitLeadership": etcd.forfeit_leadership,
            "EtcdLeaveCluster": etcd.leave_cluster,
            "EtcdMemberList": etcd.member_list,
            "EtcdRecover": etcd.recover,
            "EtcdRemoveMemberByID": etcd.remove_member,
            "EtcdSnapshot": etcd.snapshot,
            "EtcdStatus": etcd.status,
            "Containers": own.containers,
            "Copy": own.copy,
            "Events": own.watch_events,
            "Hostname": own.hostname,
            "List": own.list_files,
            "Logs": own.logs,
            "Mounts": own.mounts,
            "Read": own.read,
            "Reboot": own.reboot,
            "Reset": self._reset,
            "ServiceList": own.service_list,
            "ServiceRestart": own.service_restart,
            "ServiceStart": own.service_start,
            "ServiceStop": own.service_stop,
            "State/Get": own.get,
            "State/List": own.list_resources,
            "State/Watch": own.watch_resources,
            "Time": own.now,
            "Version": own.version,
        }

    async def answer(self, call: Call, request: Any) -> Any:
        """Answer a call with one message. `request` is a message, or a stream of them for an upload."""
        await self._admit(call)
        reply = await self._handlers[call.method](call, request)
        self._strike_afterwards(call)
        return reply

    async def stream(self, call: Call, request: Any) -> AsyncIterator[Any]:
        """Answer a call with a stream."""
        await self._admit(call)
        async for part in self._handlers[call.method](call, request):
            yield part
        self._strike_afterwards(call)

    async def _admit(self, call: Call) -> None:
        machine = self.machine
        if call.method not in self._handlers or call.method in machine.node.release.missing_calls:
            raise not_implemented(call.method)
        if not may_call(call.method, call.roles, release=machine.node.release):
            raise Refusal(Status.PERMISSION_DENIED, NOT_AUTHORIZED)
        if call.method in machine.faults.hanging_calls:
            machine.faults.calls_that_hang.append(call.method)
            await asyncio.Event().wait()
        if (refusal := machine.faults.next_refusal(call.method)) is not None:
            raise refusal

    def _strike_afterwards(self, call: Call) -> None:
        machine = self.machine
        if machine.faults.reboots_after(call.method):
            machine.begin("reboot", [machine.stop_services, machine.restart], actor_id="")

    async def _reset(self, call: Call, request: machine_pb2.ResetRequest) -> machine_pb2.ResetResponse:
        return await reset(self.machine, request)
