"""Which pool a look at the schedule waits in: a cluster that does not answer holds up no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import parse_config
from etcd_dr.domain.health_rules import evaluate
from etcd_dr.entrypoints.operator.process import OperatorProcess
from fakes.clock import CountingTokens, FakeClock
from fakes.events import RecordingEvents, RecordingProgress
from fakes.observations import healthy, silent


@pytest.fixture
def switch() -> CancellationSwitch:
    return CancellationSwitch()


@pytest.fixture
def process(tmp_path: Path, switch: CancellationSwitch) -> Iterator[OperatorProcess]:
    (tmp_path / "store").mkdir()
    document = {
        "clusters": [
            {
                "name": "prod",
                "store": "main",
                "etcd": {"endpoints": ["https://127.0.0.1:1"]},
                "schedule": {"cron": "@hourly"},
            }
        ],
        "stores": [{"name": "main", "directory": {"path": str(tmp_path / "store")}}],
        "encryption": {"enabled": False},
        "operator": {"listen": "127.0.0.1:0"},
    }
    surroundings = Surroundings(
        clock=FakeClock(),
        tokens=CountingTokens(),
        events=RecordingEvents(),
        progress=RecordingProgress(),
        cancellation=switch,
    )
    with OperatorProcess(parse_config(yaml.safe_dump(document), {}, subject="test"), surroundings) as process:
        yield process


def pools(process: OperatorProcess) -> dict[str, str]:
    return {job.id: job.executor for job in process._scheduler.get_jobs()}


def test_cluster_that_does_not_answer_waits_in_a_pool_of_its_own(process: OperatorProcess) -> None:
    """Fifty clusters share two snapshot workers; eight that hang would hold them for most of a minute."""
    process.board.update("prod", report=evaluate(silent(healthy(), "m1", "m2", "m3"), cluster="prod"))

    process._look_in_turn("prod")

    assert pools(process) == {"prod/silent": "silent"}


def test_cluster_of_which_one_member_answers_is_saved_in_turn(process: OperatorProcess) -> None:
    """One is enough for a snapshot."""
    process.board.update("prod", report=evaluate(silent(healthy(), "m1", "m2"), cluster="prod"))

    process._look_in_turn("prod")

    assert "prod/silent" not in pools(process)


def test_what_waits_in_a_queue_is_not_begun_after_a_stop(process: OperatorProcess, switch: CancellationSwitch) -> None:
    """A pool that is shut down would still do all of it, for longer than the grace."""
    done: list[str] = []
    process._add(lambda: done.append("before"), None, job="one", pool="reading")
    [job] = process._scheduler.get_jobs()
    job.func()

    switch.cancel("SIGTERM")
    job.func()

    assert done == ["before"]


def test_look_that_a_look_asks_for_is_made(process: OperatorProcess) -> None:
    """APScheduler would drop it: the job of that name is not over yet."""
    was_made = Event()

    class Looking:
        count = 0

        def look_at_schedule(self) -> None:
            self.count += 1
            if self.count == 2:
                was_made.set()
                return
            process._look_again("prod", process._surroundings.clock.now())
            was_made.wait(1)  # what asks for it has still to end

    looking: Any = Looking()
    process.keepers["prod"] = looking
    process._scheduler.start()

    process._look_again("prod", process._surroundings.clock.now())

    assert was_made.wait(10)
    process._scheduler.stop()


def test_scheduler_without_its_thread_is_not_healthy(process: OperatorProcess) -> None:
    """A process that begins no job any more has to be started again."""
    process._scheduler.start()
    was_well = process.healthz()

    process._scheduler.stop()

    assert was_well.ok
    assert not process.healthz().ok


def test_error_at_a_stop_leaves_no_job_running_and_is_no_clean_end(
    process: OperatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases are let go of after a clean end only: another replica would begin beside work that goes on."""

    class BrokenClerk:
        def stop(self) -> None:
            raise ZeroDivisionError

    clerk: Any = BrokenClerk()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    process._clerk = clerk
    process._scheduler.start()

    is_clean = process.stop()

    assert not is_clean
    assert not process._scheduler.is_alive
