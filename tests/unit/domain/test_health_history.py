"""How much of the past is kept."""

from __future__ import annotations

from datetime import timedelta

from etcd_dr.domain.health_history import remember
from etcd_dr.domain.observation import Observation
from fakes.clock import MORNING
from fakes.observations import healthy

BARE = healthy()


def at(seconds: float) -> Observation:
    return Observation(MORNING + timedelta(seconds=seconds), BARE.endpoints)


def after(rounds: int, *, every: float) -> tuple[Observation, ...]:
    history: tuple[Observation, ...] = ()
    for n in range(rounds):
        history = remember(history, at(n * every))
    return history


def test_a_day_of_rounds_stays_small_and_reaches_back_four_hours() -> None:
    """Memory is flat, however often the rounds come."""
    for every in (1.0, 30.0):
        history = after(int(20_000 / every), every=every)

        ages = [(history[-1].taken_at - o.taken_at).total_seconds() for o in history]
        assert len(history) < 100
        assert 4 * 3600 - 700 < ages[0] <= 4 * 3600
        assert ages == sorted(ages, reverse=True)


def test_last_two_rounds_are_always_kept() -> None:
    """Rules that need a second look compare with the round before."""
    history = after(100, every=1.0)

    assert [o.taken_at for o in history[-2:]] == [at(98).taken_at, at(99).taken_at]


def test_every_window_has_an_observation_near_its_far_end() -> None:
    """A rule over an hour finds an observation of nearly an hour ago."""
    history = after(2000, every=30.0)
    now = history[-1].taken_at

    for window, slack in ((600, 60), (900, 130), (3600, 130), (14_400, 700)):
        oldest = max(
            (now - o.taken_at).total_seconds() for o in history if (now - o.taken_at).total_seconds() <= window
        )
        assert oldest >= window - slack


def test_future_is_forgotten_when_the_clock_is_set_back() -> None:
    """An age below zero means nothing."""
    history = remember((at(1000), at(2000)), at(500))

    assert [o.taken_at for o in history] == [at(500).taken_at]


def test_certificates_are_not_kept() -> None:
    """They are looked at in the newest round only."""
    [kept] = remember((), BARE)

    assert kept.peer_certificates == ()
    assert not kept.own_certificates.was_asked
