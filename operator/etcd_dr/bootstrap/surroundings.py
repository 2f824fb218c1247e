"""What all workflows of one process share."""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock, TokenSource
from etcd_dr.ports.events import EventSink, Progress


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, randomness, where events and progress go, and the wish to stop."""

    clock: Clock
    tokens: TokenSource
    events: EventSink
    progress: Progress
    cancellation: Cancellation
