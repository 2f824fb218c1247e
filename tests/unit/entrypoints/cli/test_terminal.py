"""Standard output that is a terminal, a pipe, or gone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import RenderableType

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


def on_terminal(columns: int, drawing: RenderableType) -> list[str]:
    return rendered(Screen(Stream(is_terminal=True), columns=columns), drawing).splitlines()


@pytest.mark.parametrize("columns", [20, 40, 60, 72, 80, 100, 132])
def test_terminal_never_breaks_a_word(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id or a digest that was cut in two can neither be searched for nor pasted."""
    monkeypatch.setenv("TERM", "dumb")
    row = ("20260820T030000Z-9f2c41d07b6a", 4711, f"sha256:{'0f' * 32}", "a sentence of several words")

    rows = on_terminal(columns, table(("ID", "REVISION", "DIGEST", "DETAIL"), [row, row], right=("REVISION",)))
    pairs = on_terminal(columns, facts([("id", row[0]), ("stored digest", row[2]), ("detail", row[3])]))

    for lines in (rows, pairs):
        words = " ".join(lines).split()
        assert row[0] in words
        assert row[2] in words
        longest = max(len(row[2]) + 2, columns)
        assert all(len(line) <= longest for line in lines)


def test_narrow_terminal_gets_records_instead_of_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each heading, a blank line between two rows, nothing for what is empty."""
    monkeypatch.setenv("TERM", "dumb")
    rows = [("20260820T030000Z-9f2c41d07b6a", "4h", ""), ("20260820T040000Z-0123456789ab", "3h", "pinned")]

    assert on_terminal(40, table(("ID", "AGE", ""), rows)) == [
        "ID   20260820T030000Z-9f2c41d07b6a",
        "AGE  4h",
        "",
        "ID   20260820T040000Z-0123456789ab",
        "AGE  3h",
        "     pinned",
    ]


def test_long_texts_are_folded_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the columns that cannot be narrower."""
    monkeypatch.setenv("TERM", "dumb")

    lines = on_terminal(40, table(("PROOF", "DETAIL"), [("stored", "126081 bytes read back with the digest")]))

    assert lines == ["PROOF   DETAIL", "stored  126081 bytes read back with the", "        digest"]


def test_pairs_are_folded_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the value's own beginning."""
    monkeypatch.setenv("TERM", "dumb")

    lines = on_terminal(40, facts([("detail", "126081 bytes read back with the digest"), ("id", "x")]))

    assert lines == ["detail  126081 bytes read back with the", "        digest", "id      x"]


def test_screen_that_is_redrawn_has_no_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that the terminal folds by itself would shift everything below it."""
    monkeypatch.setenv("TERM", "dumb")

    text = rendered(Screen(Stream(is_terminal=True), columns=80), table(("ID",), [(LONG,)]), crops=True)

    assert all(len(line) <= 80 for line in text.splitlines())


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
