"""The operator's desk for messages: hears of the board, keeps a ledger for each receiver and cluster, and sends.

- Jobs never wait for a receiver: they only wake the desk. Each receiver has a thread and a bounded queue of its own, so
  one that does not answer holds up no other; what does not fit into its queue is dropped and counted.
- Of several replicas the one that leads a cluster speaks of it. One that stops leading forgets what it told, so what
  is still wrong is told once more by the next one: twice is better than never. The same holds for a restart.
- A message that was not delivered is counted and logged, and not kept: the next one says what is true then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread

from etcd_dr.bootstrap.notifications import open_notifier, wishes_of
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Config
from etcd_dr.domain.notifications.conditions import Standing, conditions_of, runbook_page
from etcd_dr.domain.notifications.ledger import Entry, Ledger, Wishes, decide
from etcd_dr.domain.notifications.message import Condition, Item, Notification, Tidings
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.job_door import tell_failure
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.errors import Cancelled, EtcdDrError
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.leadership import Leadership, LeadershipMode
from etcd_dr.ports.notifier import Notifier

_HEARD_OF = ("report", "catalogue", "failures", "last_failure", "recovery")
_QUEUED_AT_MOST = 100
_LONGEST_WAIT_SECONDS = 60.0
_SHORTEST_WAIT_SECONDS = 0.05
_STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who gets messages. `runbooks` empty: without links."""

    notifier: Notifier
    wishes: Wishes
    runbooks: str = ""


class NotificationDesk:
    """`start` and `stop` belong to one thread; `hear` may be called from any."""

    def __init__(
        self,
        receivers: Sequence[Receiver],
        *,
        board: StatusBoard,
        metrics: OperatorMetrics,
        clock: Clock,
        events: EventSink,
        may_speak: Callable[[str], bool] = lambda _cluster: True,
    ) -> None:
        self._board = board
        self._clock = clock
        self._events = events
        self._may_speak = may_speak
        self._woken, self._stopped = Event(), Event()
        self._looking = Lock()
        self._ledgers: dict[tuple[str, str], Ledger] = {}
        self._judged: dict[str, tuple[ClusterState, tuple[Condition, ...]]] = {}
        self._is_failing = False
        self._outboxes = {receiver: Outbox(receiver.notifier, metrics=metrics, events=events) for receiver in receivers}
        self._thread = Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        """Begin to hear and to send. Without receivers nothing is started."""
        if self._outboxes:
            self._board.on_change(self.hear)
            for outbox in self._outboxes.values():
                outbox.start()
            self._thread.start()

    def stop(self) -> None:
        """Send no more. What is under way has two seconds, for all receivers together. Safe to call twice and without a
        start."""
        self._stopped.set()
        self._woken.set()
        for outbox in self._outboxes.values():
            outbox.close()
        for outbox in self._outboxes.values():
            outbox.join(_STOP_SECONDS / len(self._outboxes))

    def hear(self, before: ClusterState, after: ClusterState) -> None:
        """Look at the board soon, if something changed that conditions are made of. Two changes are one look."""
        if _differ(before, after):
            self._woken.set()

    def look(self) -> datetime | None:
        """Decide what has to be said now, hand it over, and return when to look again; None: when something changes."""
        now = self._clock.now()
        moments = []
        with self._looking:
            for state in self._board.all():
                speaks = self._may_speak(state.cluster)
                conditions = self._conditions_of(state)
                for receiver, outbox in self._outboxes.items():
                    key = (receiver.notifier.name, state.cluster)
                    if not speaks:
                        self._ledgers.pop(key, None)
                        continue
                    wanted = [c for c in conditions if receiver.wishes.wants(state.cluster, c)]
                    moments.append(self._decide(key, receiver, outbox, wanted, now))
        return min((moment for moment in moments if moment is not None), default=None)

    def _conditions_of(self, state: ClusterState) -> tuple[Condition, ...]:
        """Return what is wrong with a cluster; worked out once for each change, because catalogues are long."""
        judged = self._judged.get(state.cluster)
        if judged is None or _differ(judged[0], state):
            judged = self._judged[state.cluster] = (state, conditions_of(_standing(state)))
        return judged[1]

    def _decide(
        self, key: tuple[str, str], receiver: Receiver, outbox: Outbox, wanted: list[Condition], now: datetime
    ) -> datetime | None:
        verdict = decide(self._ledgers.get(key, Ledger()), wanted, now=now, wishes=receiver.wishes)
        self._ledgers[key] = verdict.ledger
        if verdict.said:
            outbox.put(Notification(key[1], now, tuple(_items(verdict.said, receiver.runbooks))))
        return verdict.look_again_at

    def _run(self) -> None:
        while not self._stopped.is_set():
            again_at = self._look_safely()
            wait = _LONGEST_WAIT_SECONDS
            if again_at is not None:
                wait = max(_SHORTEST_WAIT_SECONDS, min(wait, (again_at - self._clock.now()).total_seconds()))
            self._woken.wait(wait)
            self._woken.clear()

    def _look_safely(self) -> datetime | None:
        """Look; what goes wrong is told once, and looked past at the next change: nobody misses a desk that is silent."""
        try:
            again_at = self.look()
        except Exception as error:  # noqa: BLE001 - the last door of the thread
            if not self._is_failing:
                tell_failure(self._events, "notifications.failed", error)
            self._is_failing = True
            return None
        self._is_failing = False
        return again_at


class Outbox:
    """Messages on their way to one receiver, in order."""

    def __init__(self, notifier: Notifier, *, metrics: OperatorMetrics, events: EventSink) -> None:
        self._notifier = notifier
        self._events = events
        self._count = {
            result: metrics.notifications.labels(receiver=notifier.name, result=result)
            for result in ("delivered", "failed", "dropped")
        }
        self._queue: Queue[Notification | None] = Queue(_QUEUED_AT_MOST)
        self._thread = Thread(target=self._run, name=f"notify-{notifier.name}", daemon=True)

    def start(self) -> None:
        """Begin to send; first tell of a receiver that cannot be told anything as it is described."""
        try:
            self._notifier.check()
        except EtcdDrError as error:
            self._events.emit(
                "notification.unready",
                level="error",
                receiver=self._notifier.name,
                error_code=error.code,
                error=str(error),
                next_step=error.next_step,
            )
        self._thread.start()

    def put(self, notification: Notification) -> None:
        """Add a message, or drop it where a hundred wait already."""
        try:
            self._queue.put_nowait(notification)
        except Full:
            self._count["dropped"].inc()
            self._events.emit(
                "notification.dropped", level="error", receiver=self._notifier.name, cluster=notification.cluster
            )

    def close(self) -> None:
        """Drop what waits, and end the thread after what is under way."""
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
        with suppress(Full):
            self._queue.put_nowait(None)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, so long at most."""
        if self._thread.is_alive():
            self._thread.join(timeout=seconds)

    def send(self, notification: Notification) -> None:
        """Deliver one message, and count and tell how that went; raises nothing."""
        told: dict[str, str] = {
            "receiver": self._notifier.name,
            "cluster": notification.cluster,
            "severity": notification.severity.value,
            "conditions": ",".join(item.condition.code for item in notification.items),
        }
        try:
            self._notifier.deliver(notification)
        except Cancelled:
            return
        except EtcdDrError as error:
            self._failed(told, error.code, error=str(error), next_step=error.next_step)
        except Exception as error:  # noqa: BLE001 - the last door of this thread; the text may hold the address
            self._failed(told, type(error).__name__)
        else:
            self._count["delivered"].inc()
            self._events.emit("notification.delivered", level="info", **told)

    def _failed(self, told: dict[str, str], code: str, **more: str) -> None:
        self._count["failed"].inc()
        self._events.emit("notification.failed", level="error", error_code=code, **told, **more)

    def _run(self) -> None:
        while (notification := self._queue.get()) is not None:
            self.send(notification)


def speaks_of(leadership: Leadership, cluster: str) -> bool:
    """Return whether this process tells people of a cluster: where it leads; without leases everybody, because twice is
    better than never."""
    if leadership.mode is LeadershipMode.SURVIVAL:
        return True
    return any(standing.cluster == cluster and standing.leads for standing in leadership.standings())


def _differ(before: ClusterState, after: ClusterState) -> bool:
    """Return whether anything changed that conditions are made of."""
    return any(getattr(before, name) is not getattr(after, name) for name in _HEARD_OF)


def make_desk(
    config: Config,
    surroundings: Surroundings,
    *,
    board: StatusBoard,
    metrics: OperatorMetrics,
    may_speak: Callable[[str], bool],
) -> NotificationDesk:
    """Return the desk with the receivers that are configured; nothing is started."""
    receivers = [
        Receiver(open_notifier(section, surroundings.cancellation), wishes_of(section), section.runbook_url)
        for section in config.notifications
    ]
    return NotificationDesk(
        receivers,
        board=board,
        metrics=metrics,
        clock=surroundings.clock,
        events=surroundings.events,
        may_speak=may_speak,
    )


def _standing(state: ClusterState) -> Standing:
    return Standing(
        report=state.report,
        catalogue=state.catalogue,
        failures=state.failures,
        last_failure=state.last_failure,
        recovery=state.recovery.value,
    )


def _items(said: Sequence[tuple[Tidings, Entry]], runbooks: str) -> Iterator[Item]:
    for tidings, entry in said:
        link = f"{runbooks.rstrip('/')}/{runbook_page(entry.condition.code)}" if runbooks else ""
        yield Item(tidings, entry.condition, since=entry.since, runbook_url=link)
