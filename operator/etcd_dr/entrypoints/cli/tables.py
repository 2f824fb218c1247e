"""Columns and colours for people.

- Colours and weight only add to words, and show only on a terminal that has them (NO_COLOR and TERM=dumb are obeyed).
- A terminal folds tables to its width, between words (`sheets`); a pipe gets every row in one line, whatever its length.
- No borders: what a person selects and pastes is the value, and 80 columns are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from etcd_dr.entrypoints.cli.human import plain
from etcd_dr.entrypoints.cli.sheets import Pairs, Sheet
from etcd_dr.entrypoints.cli.terminal import Screen

PIPE_COLUMNS = 1000
_ANY_HEIGHT = 25  # nothing here asks for it, but without it rich takes every dumb terminal for one of 80 columns
STYLES = {"good": "green", "bad": "bold red", "doubtful": "yellow", "weak": "dim", "strong": "bold", "plain": "none"}

Cell = str | int | Text | None


def draw(screen: Screen, *drawings: RenderableType) -> None:
    """Write drawings to the screen."""
    screen.write(rendered(screen, *drawings))


def rendered(screen: Screen, *drawings: RenderableType, crops: bool = False) -> str:
    """Return what `draw` would write. `crops`: no line is longer than the screen is wide, whatever is lost by it."""
    console = Console(
        file=screen.stream,
        width=screen.width or PIPE_COLUMNS,
        height=_ANY_HEIGHT,
        theme=Theme(STYLES),
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as capture:
        for drawing in drawings:
            console.print(drawing, crop=crops)
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: Sequence[str] = ()) -> Table:
    """Return rows below headings; the columns named in `right` are numbers."""
    return Sheet(headings, ([_text(cell) for cell in row] for row in rows), right=right)


def facts(pairs: Iterable[tuple[Cell, Cell]]) -> Table:
    """Return names and values in two columns."""
    return Pairs((_text(name), _text(value)) for name, value in pairs)


def styled(text: str, style: str) -> Text:
    """Return text in one of STYLES."""
    return Text(plain(text), style=style)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text("" if cell is None else plain(str(cell)))
