"""A connection that is closed leaves nobody waiting."""

from __future__ import annotations

import threading

import pytest

from etcd_dr.adapters.talos.loop import LoopClosed, LoopThread

_PATIENCE_SECONDS = 10.0


class Hold:
    """Holds the loop's thread from when it comes to it until it is let go."""

    def __init__(self) -> None:
        self.reached, self.let_go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        self.let_go.wait(_PATIENCE_SECONDS)


async def one() -> int:
    return 1


def test_call_that_ends_in_the_turn_of_the_stop_is_answered() -> None:
    """A loop that is closed drops what it has not done yet, and among that the word that a call has ended."""
    loop, before, after = LoopThread("test"), Hold(), Hold()
    loop.run(one(), seconds=_PATIENCE_SECONDS)
    loop.call_soon(before)
    call = loop.submit(one())
    loop.call_soon(after)
    before.let_go.set()
    assert after.reached.wait(_PATIENCE_SECONDS)

    stopping = threading.Thread(target=loop.stop)
    stopping.start()
    while not loop.is_stopped:
        stopping.join(0.01)
    loop.call_soon(print)  # comes back when the stop is handed over
    after.let_go.set()

    assert call.result(_PATIENCE_SECONDS) == 1
    stopping.join()


@pytest.mark.parametrize("moment", range(20))
def test_callers_hear_of_a_stop_whenever_it_comes(moment: int) -> None:
    """A wish to stop closes connections that other threads are about to use."""
    loop = LoopThread("test")
    ended: list[bool] = []

    def ask_on_and_on() -> None:
        try:
            while True:
                loop.run(one(), seconds=_PATIENCE_SECONDS)
        except LoopClosed:
            ended.append(True)

    callers = [threading.Thread(target=ask_on_and_on, daemon=True) for _ in range(3)]
    for caller in callers:
        caller.start()

    callers[0].join(0.0005 * moment)
    loop.stop()
    for caller in callers:
        caller.join(_PATIENCE_SECONDS)

    assert len(ended) == len(callers)
