"""How long work is shown."""

from __future__ import annotations

import pytest

from etcd_dr.entrypoints.cli.progress import NoProgress, ProgressBar, ProgressLines, progress_on
from etcd_dr.entrypoints.cli.terminal import Screen
from fakes.clock import FakeClock
from scenarios.command_line import Stream


def test_each_phase_is_one_line_where_nothing_can_be_redrawn() -> None:
    """Bytes and rate where bytes went through, the time alone elsewhere."""
    clock, stream = FakeClock(), Stream()
    progress = ProgressLines(Screen(stream), monotonic=clock.monotonic)

    progress.begin("receiving", total_bytes=1_300_000_000)
    for _ in range(13):
        progress.advance(100_000_000)
    clock.advance(5)
    progress.finish()
    progress.begin("examining", total_bytes=None)
    clock.advance(2)
    progress.finish()

    assert stream.getvalue() == "receiving: 1.3 GB in 5.0s, 260 MB/s\nexamining: 2.0s\n"


def test_bar_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left on the terminal is the answer."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(is_terminal=True)
    progress = ProgressBar(Screen(stream))

    progress.begin("receiving", total_bytes=100)
    progress.advance(50)
    progress.finish()
    progress.finish()

    assert "receiving" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("is_terminal", "term", "is_quiet", "kind"),
    [
        (True, "xterm", False, ProgressBar),
        (True, "dumb", False, ProgressLines),
        (False, "xterm", False, ProgressLines),
        (True, "xterm", True, NoProgress),
        (False, "dumb", True, NoProgress),
    ],
)
def test_progress_fits_the_screen(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str, is_quiet: bool, kind: type
) -> None:
    """A bar where lines can be written over, lines elsewhere, nothing for the quiet."""
    monkeypatch.setenv("TERM", term)

    screen = Screen(Stream(is_terminal=is_terminal))

    assert isinstance(progress_on(screen, monotonic=FakeClock().monotonic, is_quiet=is_quiet), kind)
