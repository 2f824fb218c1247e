"""Columns and colours for people.

- Colours and weight only add to words, and show only on a terminal that has them (NO_COLOR and TERM=dumb are obeyed).
- A terminal folds tables to its width; a pipe gets every row in one line, whatever its length.
- No borders: what a person selects and pastes is the value, and 80 columns are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.terminal import Screen

PIPE_COLUMNS = 1000
STYLES = {"good": "green", "bad": "bold red", "doubtful": "yellow", "weak": "dim", "strong": "bold", "plain": "none"}

Cell = str | int | Text | None


def draw(screen: Screen, *drawings: RenderableType) -> None:
    """Write drawings to the screen."""
    screen.write(rendered(screen, *drawings))


def rendered(screen: Screen, *drawings: RenderableType) -> str:
    """Return what `draw` would write."""
    console = Console(
        file=screen.stream,
        width=screen.columns or (None if screen.is_terminal else PIPE_COLUMNS),
        theme=Theme(STYLES),
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as capture:
        for drawing in drawings:
            console.print(drawing)
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: Sequence[str] = ()) -> Table:
    """Return rows below headings; the columns named in `right` are numbers."""
    drawn = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        drawn.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_text(cell) for cell in row))
    return drawn


def facts(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """Return names and values in two columns."""
    drawn = Table(box=None, show_edge=False, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        drawn.add_row(name, _text(value))
    return drawn


def styled(text: str, style: str) -> Text:
    """Return text in one of STYLES."""
    return Text(plain(text), style=style)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text("" if cell is None else plain(str(cell)))
