"""The switch that stops work from outside."""

from __future__ import annotations

import signal
import threading

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch


def test_switch_is_off_until_thrown_and_keeps_the_first_reason() -> None:
    """A second signal does not rewrite why the first one stopped the work."""
    switch = CancellationSwitch()
    before = (switch.is_cancelled, switch.reason)

    switch.cancel("SIGTERM")
    switch.cancel("SIGINT")

    assert before == (False, "")
    assert (switch.is_cancelled, switch.reason) == (True, "SIGTERM")


def test_callback_is_called_once_from_another_thread() -> None:
    """Whoever throws the switch does not wait for what follows from it."""
    switch = CancellationSwitch()
    called = threading.Event()
    threads: list[str] = []

    def callback() -> None:
        threads.append(threading.current_thread().name)
        called.set()

    with switch.on_cancel(callback):
        switch.cancel("SIGTERM")
        assert called.wait(10)

    assert threads == ["cancel"]


def test_callback_of_a_thrown_switch_is_called_at_once() -> None:
    """Work that begins too late is stopped all the same."""
    switch = CancellationSwitch()
    switch.cancel("SIGTERM")
    called = threading.Event()

    with switch.on_cancel(called.set):
        assert called.wait(10)


def test_callback_is_taken_back_when_its_context_is_left() -> None:
    """A stream that ended must not be cancelled later."""
    switch = CancellationSwitch()
    called = threading.Event()
    with switch.on_cancel(called.set):
        pass
    other = threading.Event()

    with switch.on_cancel(other.set):
        switch.cancel("SIGTERM")
        assert other.wait(10)

    assert not called.is_set()


def test_signal_handler_may_throw_it_anywhere() -> None:
    """Also while the interrupted code is inside the switch itself."""
    switch = CancellationSwitch()
    called = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: switch.cancel("SIGUSR1"))

    try:
        with switch.on_cancel(called.set), switch._mutex:
            signal.raise_signal(signal.SIGUSR1)
        cancelled = switch.is_cancelled
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert cancelled


def test_callback_that_fails_keeps_the_wish_from_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not be ended must not leave a stream waiting."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # it is told on standard error
    switch = CancellationSwitch()
    called = threading.Event()

    def fail() -> None:
        raise PermissionError

    with switch.on_cancel(fail), switch.on_cancel(called.set):
        switch.cancel("SIGTERM")

        assert called.wait(10)


def test_callback_that_hangs_keeps_the_wish_from_no_other() -> None:
    """A process in uninterruptible sleep survives SIGKILL for as long as its disk hangs."""
    switch = CancellationSwitch()
    called, ended = threading.Event(), threading.Event()

    with switch.on_cancel(lambda: ended.wait(20)), switch.on_cancel(called.set):
        switch.cancel("SIGTERM")

        assert called.wait(10)
    ended.set()
