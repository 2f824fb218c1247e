"""Standard output that is a terminal, a pipe, or gone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli.tables import draw, facts, rendered, styled, table
from etcd_dr.entrypoints.cli.terminal import ReaderGone, Screen
from etcd_dr.errors import LocalStorageFull
from scenarios.command_line import Stream

LONG = "0123456789" * 12


class Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


class Ascii(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii", errors="strict")


def test_reader_that_went_away_is_told_apart_from_errors() -> None:
    """`| head` is no failure of ours."""
    with pytest.raises(ReaderGone):
        Screen(Closed()).line("x")


def test_output_that_cannot_be_kept_is_an_error() -> None:
    """An answer that was lost on a full disk must not end with 0."""
    with Path("/dev/full").open("w") as full, pytest.raises(LocalStorageFull, match="No space left"):
        Screen(full).line("x")


def test_text_that_the_encoding_lacks_is_escaped() -> None:
    """A terminal of the last century still gets an answer."""
    stream = Ascii()

    Screen(stream).line("größer")

    assert stream.buffer.getvalue() == b"gr\\xf6\\xdfer\n"  # type: ignore[attr-defined]


def test_pipe_gets_every_row_in_one_line() -> None:
    """So that grep and awk see what belongs together."""
    text = rendered(Screen(Stream()), table(("ID", "DETAIL"), [("a", LONG)]))

    assert text.splitlines() == ["ID  DETAIL", f"a   {LONG}"]


def test_terminal_folds_rows_to_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns nothing is cut off and nothing sticks out."""
    monkeypatch.setenv("TERM", "dumb")

    text = rendered(Screen(Stream(is_terminal=True), columns=80), table(("ID", "DETAIL"), [("a", LONG)]))

    assert all(len(line) <= 80 for line in text.splitlines())
    assert "".join(line[4:] for line in text.splitlines()[1:]) == LONG


def test_pipe_and_dumb_terminal_get_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours only add to words, and only where they can be shown."""
    drawing = table(("A",), [(styled("DAMAGED", "bad"),)])
    monkeypatch.setenv("TERM", "dumb")

    assert "\x1b" not in rendered(Screen(Stream()), drawing)
    assert "\x1b" not in rendered(Screen(Stream(is_terminal=True), columns=80), drawing)
    assert "DAMAGED" in rendered(Screen(Stream()), drawing)


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org: present and not empty means no colour."""
    drawing = table(("A",), [(styled("ok", "good"),)])
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen(Stream(is_terminal=True), columns=80)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in rendered(screen, drawing)

    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[32m" not in rendered(screen, drawing)


def test_hostile_cells_are_escaped() -> None:
    """Cells hold names from buckets, members and files; markup in them is text."""
    stream = Stream()

    draw(Screen(stream), facts([("name", "\x1b[2Jwell"), ("markup", "[bold red]x[/]")]))

    assert "\x1b" not in stream.getvalue()
    assert "\\x1b[2Jwell" in stream.getvalue()
    assert "[bold red]x[/]" in stream.getvalue()


def test_dumb_terminal_cannot_be_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rescue shell gets lines, not cursor movements."""
    screen = Screen(Stream(is_terminal=True))
    monkeypatch.setenv("TERM", "dumb")
    assert not screen.can_redraw
    monkeypatch.setenv("TERM", "vt100")
    assert screen.can_redraw
    assert not Screen(Stream()).can_redraw


def test_command_ends_quietly_when_its_reader_is_gone() -> None:
    """No traceback and no "Exception ignored", whichever write hits the closed pipe."""
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [sys.executable, "-m", "etcd_dr.entrypoints.cli", "version"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")
