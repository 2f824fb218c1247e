"""The event stream of a node (`talosctl events`): what its services, its sequences and the machine itself do.

An actor id ties the events of one reset or reboot to the call that asked for it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2

_KEPT = 1000


class RuntimeEvents:
    """The events since the node's boot; used in the double's loop only."""

    def __init__(self) -> None:
        self._events: deque[machine_pb2.Event] = deque(maxlen=_KEPT)
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()

    def publish(self, payload: Any, *, actor_id: str = "") -> None:
        """Append an event that holds one of the messages of machine.proto."""
        self._events.append(_event(payload, number=next(self._numbers), actor_id=actor_id))
        self._news.set()
        self._news = asyncio.Event()

    def service_state(self, service_id: str, *, state: str, message: str) -> None:
        """Append a change of a service's state."""
        self.publish(machine_pb2.ServiceStateEvent(service=service_id, action=state.upper(), message=message))

    async def watch(self, request: machine_pb2.EventsRequest) -> AsyncIterator[machine_pb2.Event]:
        """Yield an empty event at once, then the tail that was asked for, then what happens, without end."""
        tail = len(self._events) if request.tail_events < 0 else request.tail_events
        seen = self._last_number - tail
        yield machine_pb2.Event(actor_id=request.with_actor_id)
        while True:
            news = self._news  # also of what happens while an event is on its way to the client
            for event in list(self._events):
                number = int(event.id, 16)
                if number > seen:
                    seen = number
                    if request.with_actor_id in ("", event.actor_id):
                        yield event
            await news.wait()

    @property
    def _last_number(self) -> int:
        return int(self._events[-1].id, 16) if self._events else 0


def _event(payload: Any, *, number: int, actor_id: str) -> machine_pb2.Event:
    return machine_pb2.Event(
        data=common_pb2.Payload(
            type_url=f"talos/runtime/{payload.DESCRIPTOR.full_name}", value=payload.SerializeToString()
        ),
        id=f"{number:020x}",
        actor_id=actor_id,
    )
