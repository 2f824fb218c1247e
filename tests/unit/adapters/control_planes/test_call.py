"""A program is over when its call is, with all that it started."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.call import DeadlinePassed, Write, call
from etcd_dr.errors import Cancelled

# What stays behind keeps standard output open.
_LEAVES_ONE_BEHIND = ("sh", "-c", 'sleep 60 & echo $! > "$0.part"; mv "$0.part" "$0"')
_PATIENCE_SECONDS = 20.0


def is_gone(pid: int) -> bool:
    """Tell whether a process is gone, or will be in a moment: a signal is only sent by whoever sends it."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < limit:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        threading.Event().wait(0.01)
    return False


def left_behind(note: Path) -> int:
    return int(note.read_text())


def test_deadline_holds_where_the_program_left_another_one_behind(tmp_path: Path) -> None:
    """The program has ended, and its output has not."""
    begun = time.monotonic()

    with pytest.raises(DeadlinePassed):
        call([*_LEAVES_ONE_BEHIND, str(tmp_path / "pid")], deadline=5, cancellation=CancellationSwitch())

    assert time.monotonic() - begun < _PATIENCE_SECONDS
    assert is_gone(left_behind(tmp_path / "pid"))


def test_wish_to_stop_is_heard_where_the_program_left_another_one_behind(tmp_path: Path) -> None:
    """As the deadline is."""
    switch, note = CancellationSwitch(), tmp_path / "pid"

    def cancel_once_it_is_left_behind() -> None:
        while not note.exists():
            threading.Event().wait(0.01)
        switch.cancel("SIGTERM")

    canceller = threading.Thread(target=cancel_once_it_is_left_behind, daemon=True)
    canceller.start()
    begun = time.monotonic()

    with contextlib.suppress(Cancelled):  # the shell itself may not have ended by then
        call([*_LEAVES_ONE_BEHIND, str(note)], deadline=60, cancellation=switch)

    assert time.monotonic() - begun < _PATIENCE_SECONDS
    canceller.join()
    assert is_gone(left_behind(note))


def test_input_that_fails_ends_all_of_the_program(tmp_path: Path) -> None:
    """What is half fed must not be taken for the whole, by a program that was started either."""

    def fail(write: Write) -> None:
        write(b"half")
        while not (tmp_path / "pid").exists():
            threading.Event().wait(0.01)
        raise LookupError("no more")

    with pytest.raises(LookupError):
        call(
            ["sh", "-c", 'sleep 60 & echo $! > "$0.part"; mv "$0.part" "$0"; cat > /dev/null', str(tmp_path / "pid")],
            deadline=60,
            cancellation=CancellationSwitch(),
            feed=fail,
        )

    assert is_gone(left_behind(tmp_path / "pid"))
