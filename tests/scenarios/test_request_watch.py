"""The watch hears of requests for as long as the process lives, whatever the API does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event, Thread
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from etcd_dr.domain.request import RequestKind, Wish
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.entrypoints.operator.request_watch import RequestWatch
from etcd_dr.errors import ApiUnreachable
from etcd_dr.ports.events import Level
from fakes.clock import FakeClock
from fakes.events import RecordingEvents, Value
from fakes.request_desk import FakeRequestDesk

GONE = ApiUnreachable("connection refused", subject="https://api")
SECONDS = 30


class WatchWorld(RecordingEvents):
    """A watch in its thread; `wait_until` is woken by news and by events."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = Condition()
        self.desk = FakeRequestDesk(FakeClock())
        self.registry = CollectorRegistry()
        self.watch = RequestWatch(
            RequestKind.SNAPSHOT,
            desk=self.desk,
            clock=self.desk.clock,
            events=self,
            metrics=RequestMetrics(self.registry),
            resync_seconds=3600,
            on_news=self.wake,
        )

    def emit(self, event: str, *, level: Level = "info", **fields: Value) -> None:
        super().emit(event, level=level, **fields)
        self.wake()

    def wake(self) -> None:
        with self.woken:
            self.woken.notify_all()

    def wait_until(self, condition: Callable[[], object]) -> None:
        with self.woken:
            assert self.woken.wait_for(condition, timeout=SECONDS)

    def names(self) -> list[str]:
        return sorted(each.name for each in self.watch.known())

    @property
    def is_followed(self) -> float | None:
        return self.registry.get_sample_value("etcd_dr_requests_followed", {"kind": "EtcdSnapshot"})


@pytest.fixture
def world() -> Iterator[WatchWorld]:
    world = WatchWorld()
    yield world
    world.watch.stop()
    world.watch.join()


def test_what_was_left_before_and_after_the_start_is_heard(world: WatchWorld) -> None:
    """The listing has the one, what happens after it the other, and what is removed is forgotten."""
    early = world.desk.leave(Wish(RequestKind.SNAPSHOT, "prod", "early"))
    world.watch.start()
    world.wait_until(lambda: world.names() == ["early"])

    world.desk.leave(Wish(RequestKind.SNAPSHOT, "prod", "late"))
    world.wait_until(lambda: world.names() == ["early", "late"])
    world.desk.remove(early)
    world.wait_until(lambda: world.names() == ["late"])

    assert world.watch.listings == 1


def test_an_api_that_is_gone_is_told_once_and_asked_again(world: WatchWorld) -> None:
    """A long outage is one line at its beginning and one at its end, and a metric between."""
    world.desk.failure = GONE
    world.watch.start()
    world.wait_until(lambda: world.of("requests.unheard"))
    followed_while_gone = world.is_followed
    world.desk.wait_for_failures(world.desk.failures_met + 1, seconds=SECONDS)

    world.desk.failure = None
    world.wait_until(lambda: world.of("requests.heard_again"))

    assert followed_while_gone == 0
    assert world.is_followed == 1
    assert len(world.of("requests.unheard")) == 1


def test_a_history_that_is_gone_is_listed_again(world: WatchWorld) -> None:
    """Compaction loses no request."""
    world.watch.start()
    world.wait_until(lambda: world.watch.listings == 1)
    world.desk.leave(Wish(RequestKind.SNAPSHOT, "prod", "meanwhile"))
    world.desk.forget_history()

    world.wait_until(lambda: world.names() == ["meanwhile"])

    assert world.of("requests.unheard") == []


def test_an_answer_that_nobody_foresaw_does_not_make_it_deaf(world: WatchWorld) -> None:
    """A bug is told as one, and the watch goes on."""
    world.desk.failure = ZeroDivisionError("not ours")  # type: ignore[assignment]  # on purpose
    world.watch.start()
    world.wait_until(lambda: world.of("requests.unheard"))
    world.desk.failure = None
    world.desk.leave(Wish(RequestKind.SNAPSHOT, "prod", "after"))

    world.wait_until(lambda: world.names() == ["after"])

    assert "bug" in str(world.of("requests.unheard")[0].fields["next_step"])


def test_stop_does_not_wait_for_an_api_that_does_not_begin_to_answer(world: WatchWorld) -> None:
    """It would for more than a minute, and cost the process its clean end and other replicas the wait for its leases."""
    asked, ended = Event(), Event()

    @contextmanager
    def follow(*_: Any, **__: Any) -> Iterator[Any]:
        asked.set()
        ended.wait(SECONDS)
        raise GONE
        yield

    desk: Any = world.desk
    desk.follow = follow
    world.watch.start()
    assert asked.wait(SECONDS)
    began = time.monotonic()

    world.watch.stop()
    stopping = Thread(target=world.watch.join, daemon=True)
    stopping.start()
    stopping.join(SECONDS / 2)

    assert not stopping.is_alive()
    assert time.monotonic() - began < SECONDS / 2
    ended.set()
