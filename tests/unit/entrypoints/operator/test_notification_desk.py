"""The desk: what changes on the board becomes messages, and nobody waits for a receiver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.notifications.ledger import Wishes
from etcd_dr.domain.notifications.message import Notification
from etcd_dr.entrypoints.operator.board import ClusterState, StatusBoard
from etcd_dr.entrypoints.operator.metrics import OperatorMetrics
from etcd_dr.entrypoints.operator.notification_desk import NotificationDesk, Outbox, Receiver, speaks_of
from etcd_dr.errors import FileUnreadable, NotificationFailed
from etcd_dr.ports.leadership import LeadershipMode, Standing
from fakes.clock import FakeClock
from fakes.conditions import message
from fakes.events import RecordingEvents
from fakes.notifier import FakeNotifier

FAILING = {"failures": 2, "last_failure": Failure("store.denied", "the key is expired", "Renew it.")}
WELL = {"failures": 0, "last_failure": None}


@dataclass
class Office:
    """A desk over a board of two clusters, with one receiver; `look` does by hand what its thread does."""

    wishes: Wishes = field(default_factory=lambda: Wishes(settle=timedelta(0)))
    may_speak: Callable[[str], bool] = lambda _cluster: True

    def __post_init__(self) -> None:
        self.clock, self.events, self.notifier = FakeClock(), RecordingEvents(), FakeNotifier()
        self.board = StatusBoard([ClusterState("prod", "main"), ClusterState("stage", "main")])
        self.metrics = OperatorMetrics(self.board)
        self.desk = NotificationDesk(
            [Receiver(self.notifier, self.wishes, "https://example.com/runbooks/")],
            board=self.board,
            metrics=self.metrics,
            clock=self.clock,
            events=self.events,
            may_speak=self.may_speak,
        )

    def count(self, result: str) -> float | None:
        labels = {"receiver": "oncall", "result": result}
        return self.metrics.registry.get_sample_value("etcd_dr_notifications_total", labels)


@pytest.fixture
def office() -> Office:
    return Office()


def wait_for(condition: Callable[[], object]) -> None:
    """Look again until it holds; a minute at most."""
    turn = threading.Event()
    for _ in range(6000):
        if condition():
            return
        turn.wait(0.01)
    raise AssertionError("it never came")


def test_change_on_the_board_becomes_a_message_and_its_end_another(office: Office) -> None:
    """Through the desk's own threads."""
    office.desk.start()
    office.board.update("prod", **FAILING)
    wait_for(lambda: len(office.notifier.delivered) == 1)
    office.board.update("prod", **WELL)
    wait_for(lambda: len(office.notifier.delivered) == 2)
    office.desk.stop()

    [raised] = office.notifier.delivered[0].items
    assert raised.condition.next_step == "Renew it."
    assert raised.runbook_url == "https://example.com/runbooks/snapshots.md"
    assert not office.notifier.delivered[1].is_firing
    assert office.count("delivered") == 2


def test_same_state_is_one_message(office: Office) -> None:
    """Rounds come every half minute."""
    sent: list[Notification] = []
    office.desk._outboxes = dict.fromkeys(office.desk._outboxes, _Kept(sent))  # type: ignore[arg-type]  # keeps instead of sending
    office.board.update("prod", **FAILING)

    for _ in range(5):
        office.desk.look()
        office.clock.advance(30)

    assert len(sent) == 1


def test_what_changes_nothing_wakes_nobody(office: Office) -> None:
    """Fifty clusters begin and end a round every half minute; only what conditions are made of is looked at."""
    office.board.on_change(office.desk.hear)

    office.board.update("prod", round_begun_at=1.0)
    quiet = office.desk._woken.is_set()
    office.board.update("prod", **FAILING)

    assert not quiet
    assert office.desk._woken.is_set()


def test_only_the_leader_of_a_cluster_speaks_of_it() -> None:
    """And whoever takes over says once more what is still wrong."""
    leads = {"prod"}
    office = Office(may_speak=lambda cluster: cluster in leads)
    sent: list[Notification] = []
    office.desk._outboxes = dict.fromkeys(office.desk._outboxes, _Kept(sent))  # type: ignore[arg-type]  # keeps instead of sending
    for cluster in ("prod", "stage"):
        office.board.update(cluster, **FAILING)

    office.desk.look()
    spoke_of = [notification.cluster for notification in sent]
    leads.clear()
    office.desk.look()
    leads.add("prod")
    office.desk.look()

    assert spoke_of == ["prod"]
    assert [notification.cluster for notification in sent] == ["prod", "prod"]


@pytest.mark.parametrize(
    ("mode", "leads", "speaks"),
    [
        (LeadershipMode.SOLE, True, True),
        (LeadershipMode.LEASES, True, True),
        (LeadershipMode.LEASES, False, False),
        (LeadershipMode.SURVIVAL, False, True),
    ],
)
def test_who_speaks(mode: LeadershipMode, leads: bool, speaks: bool) -> None:
    """The night on which the API server is gone is the one on which somebody has to."""
    leadership = _Leadership(mode, (Standing("prod", leads=leads), Standing("stage", leads=False)))

    assert speaks_of(leadership, "prod") is speaks  # type: ignore[arg-type]  # as much of the port as is asked for


def test_desk_looks_again_when_something_has_settled() -> None:
    """Without anything happening on the board."""
    office = Office(wishes=Wishes(settle=timedelta(minutes=5)))
    office.board.update("prod", **FAILING)

    assert office.desk.look() == office.clock.now() + timedelta(minutes=5)


def test_failure_is_counted_and_told_and_the_next_message_is_sent(office: Office) -> None:
    """Its text names the receiver and no address."""
    office.notifier.faults.append(NotificationFailed("it answered 503", subject="receiver oncall", next_step="Look."))
    outbox = Outbox(office.notifier, metrics=office.metrics, events=office.events)

    outbox.send(message())
    outbox.send(message())

    [told] = office.events.of("notification.failed")
    assert (told.level, told.fields["error_code"], told.fields["receiver"]) == (
        "error",
        "notification.failed",
        "oncall",
    )
    assert (office.count("failed"), office.count("delivered")) == (1, 1)


def test_bug_in_a_receiver_is_told_without_its_text(office: Office) -> None:
    """Nobody knows what a text that nobody foresaw holds."""

    class Broken(FakeNotifier):
        def deliver(self, notification: Notification) -> None:
            raise RuntimeError("https://hooks.example.com/s3cr3t")

    Outbox(Broken(), metrics=office.metrics, events=office.events).send(message())

    assert "s3cr3t" not in str(office.events.told)
    assert office.count("failed") == 1


def test_bug_in_a_look_is_told_once_and_the_desk_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk whose thread has ended looks like a cluster in good order."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    broken = [True]

    def may_speak(_cluster: str) -> bool:
        if broken:
            raise ZeroDivisionError("not ours")
        return True

    office = Office(may_speak=may_speak)
    office.desk.start()
    office.board.update("prod", failures=1)
    wait_for(lambda: office.events.of("notifications.failed"))
    office.board.update("stage", failures=1)
    broken.clear()

    office.board.update("prod", **FAILING)
    wait_for(lambda: office.notifier.delivered)
    office.desk.stop()

    [told] = office.events.of("notifications.failed")
    assert "bug" in str(told.fields["next_step"])


def test_receiver_that_hangs_holds_up_nobody_and_its_overflow_is_counted(office: Office) -> None:
    """A hundred messages wait, the rest is dropped; jobs and other receivers go on."""
    begun, released = threading.Event(), threading.Event()

    class Hanging(FakeNotifier):
        def deliver(self, notification: Notification) -> None:
            begun.set()
            released.wait(60)

    outbox = Outbox(Hanging(), metrics=office.metrics, events=office.events)
    outbox.start()
    outbox.put(message())
    assert begun.wait(60)
    for _ in range(105):
        outbox.put(message())
    released.set()
    outbox.close()
    outbox.join(60)

    assert office.count("dropped") == 5
    assert office.events.of("notification.dropped")


def test_receivers_that_hang_hold_a_stop_up_for_two_seconds_together(office: Office) -> None:
    """A pod has seconds to end, and some of them are for work."""
    begun, released = threading.Semaphore(0), threading.Event()

    class Hanging(FakeNotifier):
        def deliver(self, notification: Notification) -> None:
            begun.release()
            released.wait(60)

    receivers = [Receiver(Hanging(name=f"r{n}"), office.wishes) for n in range(20)]
    desk = NotificationDesk(
        receivers, board=office.board, metrics=office.metrics, clock=office.clock, events=office.events
    )
    desk.start()
    office.board.update("prod", **FAILING)
    assert all(begun.acquire(timeout=60) for _ in receivers)
    stopping_since = time.monotonic()

    desk.stop()

    assert time.monotonic() - stopping_since < 20  # two seconds for each would be forty
    released.set()


def test_receiver_that_cannot_be_told_anything_is_named_at_the_start(office: Office) -> None:
    """A missing file of a receiver would otherwise be noticed in the first outage."""
    gone = FileUnreadable("No such file or directory", subject="/etc/notify/url", next_step="Put it there.")
    outbox = Outbox(FakeNotifier(mistake=gone), metrics=office.metrics, events=office.events)

    outbox.start()
    outbox.put(message())
    outbox.close()
    outbox.join(60)

    [told] = office.events.of("notification.unready")
    assert (told.level, told.fields["error_code"], told.fields["receiver"]) == ("error", "file.unreadable", "oncall")


def test_counters_are_there_before_the_first_message(office: Office) -> None:
    """An increase from nothing is one that Prometheus does not see."""
    assert [office.count(result) for result in ("delivered", "failed", "dropped")] == [0, 0, 0]


def test_without_receivers_nothing_runs() -> None:
    """Those who have Alertmanager pay nothing."""
    board = StatusBoard([ClusterState("prod", "main")])
    before = threading.active_count()
    desk = NotificationDesk(
        [], board=board, metrics=OperatorMetrics(board), clock=FakeClock(), events=RecordingEvents()
    )

    desk.start()
    desk.stop()

    assert threading.active_count() == before


@dataclass(frozen=True)
class _Leadership:
    """As much of ports.leadership.Leadership as is asked for."""

    mode: LeadershipMode
    held: tuple[Standing, ...]

    def standings(self) -> tuple[Standing, ...]:
        return self.held


class _Kept:
    """An outbox that keeps."""

    def __init__(self, sent: list[Notification]) -> None:
        self._sent = sent

    def put(self, notification: Notification) -> None:
        self._sent.append(notification)
