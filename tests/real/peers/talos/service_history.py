"""A service of a node, as ServiceList shows it: a state, its health, and up to 64 events.

Texts and rules follow internal/app/machined/pkg/system (service_runner.go, events, health): every change of state is
an event, and of health only a change of healthiness while the service runs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2

MAX_EVENTS = 64


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """One line of the history; `at` is Unix time."""

    state: str
    message: str
    at: float


@dataclass(slots=True)
class Health:
    """`is_healthy` None is unknown: not looked at yet."""

    is_healthy: bool | None = None
    last_message: str = "Unknown"
    last_change: float = field(default_factory=time.time)


class ServiceHistory:
    """One service from the moment it is loaded; loading it again begins another history.

    `on_change` is called, in the double's loop, after every event.
    """

    def __init__(self, service_id: str, *, on_change: Callable[[str, ServiceEvent], None]) -> None:
        self.service_id = service_id
        self.state = "Initialized"
        self.health = Health()
        self.events: deque[ServiceEvent] = deque(maxlen=MAX_EVENTS)
        self._on_change = on_change

    def enter(self, state: str, message: str) -> None:
        """Change the state and write it down."""
        self.state = state
        self._record(ServiceEvent(state, message, time.time()))

    def forget_health(self) -> None:
        """Health is unknown again, as when a runner is made."""
        self.health = Health()

    def found(self, *, is_healthy: bool, message: str = "") -> None:
        """Note the outcome of a look at the service; an event only where it differs from the last one."""
        has_changed = self.health.is_healthy is not is_healthy
        last_change = time.time() if has_changed else self.health.last_change
        self.health = Health(is_healthy, message, last_change)
        if has_changed and self.state == "Running":
            text = "Health check successful" if is_healthy else f"Health check failed: {message}"
            self._record(ServiceEvent(self.state, text, time.time()))

    @property
    def is_healthy(self) -> bool:
        return self.state == "Running" and self.health.is_healthy is True

    @property
    def messages(self) -> tuple[str, ...]:
        """The texts of all events that are kept, oldest first."""
        # The loop's thread may write while another one reads: a copy is made in one go, a generator is not.
        return tuple(event.message for event in list(self.events))

    def as_message(self) -> machine_pb2.ServiceInfo:
        """Return what ServiceList answers."""
        return machine_pb2.ServiceInfo(
            id=self.service_id,
            state=self.state,
            events=machine_pb2.ServiceEvents(
                events=[
                    machine_pb2.ServiceEvent(msg=event.message, state=event.state, ts=timestamp(event.at))
                    for event in self.events
                ]
            ),
            health=machine_pb2.ServiceHealth(
                unknown=self.health.is_healthy is None,
                healthy=self.health.is_healthy is True,
                last_message=self.health.last_message,
                last_change=timestamp(self.health.last_change),
            ),
        )

    def _record(self, event: ServiceEvent) -> None:
        self.events.append(event)
        self._on_change(self.service_id, event)


def timestamp(at: float) -> common_pb2.Timestamp:
    """Return Unix time as protobuf has it."""
    return common_pb2.Timestamp(seconds=int(at), nanos=int((at % 1) * 1_000_000_000))
