"""The thread that holds the leases: it begins, ends, survives what nobody foresaw, and says how things stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens, steady_seconds
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.kubernetes_model import KubernetesSection
from etcd_dr.config.lease_model import LeaseSection
from etcd_dr.domain.leadership import LeaseTimings
from etcd_dr.entrypoints.operator.leadership_parts import make_leadership, told_lines
from etcd_dr.entrypoints.operator.lease_leadership import LeaseLeadership, LeaseParts
from etcd_dr.entrypoints.operator.sole_leadership import SoleLeadership
from etcd_dr.errors import ConfigError
from etcd_dr.ports.leadership import LeadershipMode
from fakes.events import RecordingEvents, RecordingProgress
from fakes.leases import FakeLeaseApi

KEPT = LeaseTimings(lease_seconds=600, renew_deadline_seconds=400, retry_seconds=0.05, request_seconds=5)
LAPSING = LeaseTimings(lease_seconds=0.6, renew_deadline_seconds=0.4, retry_seconds=0.05, request_seconds=0.05)
SOON = 20


class Running:
    """Leadership over fake leases and the machine's own clock."""

    def __init__(self, timings: LeaseTimings = KEPT) -> None:
        self.api = FakeLeaseApi()
        self.connection = self.api.connection()
        self.events = RecordingEvents()
        self.cancellation = CancellationSwitch()
        self.looked = Event()
        self.leadership = LeaseLeadership(
            LeaseParts(
                lease_names={"prod": "etcd-dr-prod"},
                me="a",
                leases=self.connection,
                timings=timings,
                clock=SystemClock(),
                now=steady_seconds,
                cancellation=self.cancellation,
                events=self.events,
                look=lambda _: self.looked.set(),
            )
        )

    def start(self) -> None:
        self.leadership.start()
        assert self.looked.wait(timeout=SOON)

    @property
    def holder(self) -> str:
        return self.api.records["etcd-dr-prod"].holder


@pytest.fixture
def running() -> Running:
    return Running()


def test_it_leads_soon_after_the_start_and_lets_go_at_the_end(running: Running) -> None:
    """And asks for a look at the schedule in between."""
    running.start()
    led = running.leadership.standing("prod").leads

    running.leadership.stop(is_clean=True)

    assert led
    assert not running.leadership.standing("prod").leads
    assert running.holder == ""


def test_work_that_does_not_end_keeps_its_lease(running: Running) -> None:
    """Whoever follows waits until it has run out."""
    running.start()

    running.leadership.stop(is_clean=False)

    assert running.holder == "a"


def test_a_stop_before_the_start_is_no_error(running: Running) -> None:
    """A process whose start failed is stopped like any other."""
    running.leadership.stop(is_clean=True)

    assert running.api.records == {}


def test_an_error_that_nobody_foresaw_is_survived_like_silence() -> None:
    """The thread goes on, or no snapshot would ever be taken again."""
    running = Running(LAPSING)
    running.start()
    survived = Event()
    running.looked.clear()

    def fail() -> None:
        if running.leadership.mode is LeadershipMode.SURVIVAL:
            survived.set()
        raise ZeroDivisionError("nobody foresaw it")

    running.connection.on_call = fail
    assert survived.wait(timeout=SOON)
    assert running.looked.wait(timeout=SOON)
    lines = told_lines(running.leadership)
    running.connection.on_call = None
    running.leadership.stop(is_clean=True)

    assert lines[0].startswith("survival mode: ")
    assert "ZeroDivisionError" in lines[0]
    assert running.events.of("survival.begun")


def test_a_wish_to_stop_is_heard_in_a_term_at_once(running: Running) -> None:
    """By work that is arbitrated and by work that is not, whatever its own threads do."""
    running.leadership.round()

    with running.leadership.work("prod") as term:
        assert term is not None
        before = (term.cancellation.is_cancelled, term.overtaken.is_cancelled)
        running.cancellation.cancel("SIGTERM")

        assert before == (False, False)
        assert term.cancellation.is_cancelled
        assert term.overtaken.is_cancelled
        assert term.overtaken.reason == "SIGTERM"


def test_a_blocked_call_is_woken_by_the_wish_to_stop(running: Running) -> None:
    """Callbacks of a term are called when the process is to stop."""
    running.leadership.round()
    woken = Event()

    with running.leadership.work("prod") as term:
        assert term is not None
        with term.overtaken.on_cancel(woken.set):
            running.cancellation.cancel("SIGTERM")

            assert woken.wait(timeout=SOON)


def test_probes_say_who_leads(running: Running) -> None:
    """One line for the mode, one for each cluster that is led here."""
    running.leadership.round()

    assert told_lines(running.leadership) == ("leases: 1 of 1 clusters are led here", "prod: led here, term 1")
    assert told_lines(SoleLeadership(["prod"], running.cancellation)) == ()


@pytest.fixture
def make(tmp_path: Path) -> Callable[[KubernetesSection | None], object]:
    surroundings = Surroundings(
        clock=SystemClock(),
        tokens=SystemTokens(),
        events=RecordingEvents(),
        progress=RecordingProgress(),
        cancellation=CancellationSwitch(),
    )
    return lambda section: make_leadership(section, ["prod"], surroundings, look=lambda _: None)


def test_without_kubernetes_or_leases_a_process_leads_alone(
    make: Callable[[KubernetesSection | None], object], tmp_path: Path
) -> None:
    """As it always did; nothing is asked of an API."""
    nowhere = KubernetesSection(kubeconfig=tmp_path / "none", leases=LeaseSection(enabled=False))

    assert isinstance(make(None), SoleLeadership)
    assert isinstance(make(nowhere), SoleLeadership)


def test_leases_without_a_way_to_the_api_are_a_mistake_of_the_configuration(
    make: Callable[[KubernetesSection | None], object], tmp_path: Path
) -> None:
    """Told at the start; an API that does not answer is none."""
    with pytest.raises(ConfigError):
        make(KubernetesSection(kubeconfig=tmp_path / "none"))
