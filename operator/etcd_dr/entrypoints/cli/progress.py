"""How long work is shown on standard error: a bar on a terminal, one line for each phase without one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from etcd_dr.entrypoints.cli.human import duration, rate, size
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.ports.events import Progress


def progress_on(screen: Screen, *, monotonic: Callable[[], float], is_quiet: bool) -> Progress:
    """Return the progress that this screen can show."""
    if is_quiet:
        return NoProgress()
    if screen.can_redraw:
        return ProgressBar(screen)
    return ProgressLines(screen, monotonic=monotonic)


class NoProgress:
    """Says nothing."""

    def begin(self, phase: str, *, total_bytes: int | None) -> None: ...

    def advance(self, count_bytes: int) -> None: ...

    def finish(self) -> None: ...


class ProgressLines:
    """Says each phase in one line when it has ended: `receiving: 1.3 GB in 5.2s, 250 MB/s`."""

    def __init__(self, screen: Screen, *, monotonic: Callable[[], float]) -> None:
        self._screen = screen
        self._monotonic = monotonic
        self._phase = ""
        self._begun = 0.0
        self._done_bytes = 0

    def begin(self, phase: str, *, total_bytes: int | None) -> None:  # noqa: ARG002 - the port's signature
        self._phase, self._begun, self._done_bytes = phase, self._monotonic(), 0

    def advance(self, count_bytes: int) -> None:
        self._done_bytes += count_bytes

    def finish(self) -> None:
        seconds = self._monotonic() - self._begun
        told = [duration(timedelta(seconds=seconds))]
        if self._done_bytes:
            told = [f"{size(self._done_bytes)} in {told[0]}", rate(self._done_bytes, seconds)]
        self._screen.line(f"{self._phase}: {', '.join(filter(None, told))}")


class ProgressBar:
    """Shows the phase under way with its bytes, rate and remaining time, and leaves no trace of it."""

    def __init__(self, screen: Screen) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where a bar is drawn
        from rich.progress import (  # noqa: PLC0415 - only where a bar is drawn
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar  # noqa: PLC0415 - only where a bar is drawn

        self._console = Console(file=screen.stream, highlight=False, markup=False, emoji=False)
        self._columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        )
        self._make = Bar
        self._bar: Bar | None = None

    def begin(self, phase: str, *, total_bytes: int | None) -> None:
        self._bar = self._make(*self._columns, console=self._console, transient=True, refresh_per_second=5)
        self._task = self._bar.add_task(phase, total=total_bytes)
        self._bar.start()

    def advance(self, count_bytes: int) -> None:
        if self._bar is not None:
            self._bar.advance(self._task, count_bytes)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
