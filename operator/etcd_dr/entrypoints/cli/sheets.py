"""Rows and pairs that fit their text to the width there is, and never break a word.

An id, a digest or a path that a fold has cut in two cannot be read aloud, searched for or pasted. So:

- Columns are as narrow as their longest word at most. Where that is still too wide, each row becomes a record: one line
  for each heading.
- A word that no layout can hold stays whole, and the terminal folds it by itself, which does not hurt a paste.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP = 2
_WORD = re.compile(r"\S+")
_COMFORTABLE_COLUMNS = 16
_BEARABLE_COLUMNS = 10


class Sheet(Table):
    """Rows below headings; the columns named in `right` are numbers."""

    def __init__(self, headings: Sequence[str], rows: Iterable[Sequence[Text]], *, right: Sequence[str]) -> None:
        super().__init__(box=None, show_edge=False, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        self._headings = headings
        self._cells = [list(row) for row in rows]
        for heading in headings:
            self.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
        for row in self._cells:
            self.add_row(*row)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [[Text(heading), *column] for heading, column in self._by_column()]
        natural = [_natural(column) for column in columns]
        for comfort in (_COMFORTABLE_COLUMNS, _BEARABLE_COLUMNS):
            least = [_least(column, comfort=comfort) for column in columns]
            widths = fitted_widths(natural, least, room=options.max_width)
            if widths is not None:
                break
        if widths is None:
            yield from self._records(options.max_width)
            return
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)

    def _by_column(self) -> Iterator[tuple[str, list[Text]]]:
        for number, heading in enumerate(self._headings):
            yield heading, [row[number] for row in self._cells]

    def _records(self, room: int) -> Iterator[Text]:
        for number, row in enumerate(self._cells):
            if number:
                yield Text("")
            pairs = zip((Text(heading, style="bold") for heading in self._headings), row, strict=True)
            yield from pair_lines([pair for pair in pairs if pair[1].plain], room=room)


class Pairs(Table):
    """Names and values in two columns."""

    def __init__(self, pairs: Iterable[tuple[Text, Text]]) -> None:
        super().__init__(box=None)
        self._pairs = list(pairs)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield from pair_lines(self._pairs, room=options.max_width)


def fitted_widths(natural: Sequence[int], least: Sequence[int], *, room: int) -> list[int] | None:
    """Return the width of each column, or None where even the longest words do not fit beside each other."""
    widths = list(least)
    left = room - sum(widths) - _GAP * (len(widths) - 1)
    if left < 0:
        return None
    for number in sorted(range(len(widths)), key=lambda n: natural[n] - least[n]):
        more = min(left, natural[number] - widths[number])
        widths[number] += more
        left -= more
    return widths


def pair_lines(pairs: Sequence[tuple[Text, Text]], *, room: int) -> Iterator[Text]:
    """Yield the lines of names with their values; a value that does not fit beside its name stands below it."""
    indent = max((name.cell_len for name, _ in pairs), default=0) + _GAP
    for name, value in pairs:
        longest = 0 if value.no_wrap else max((len(word) for word in value.plain.split()), default=0)
        is_below = longest > room - indent and longest > 0
        margin = _GAP if is_below else indent
        lines = [value] if value.no_wrap else list(folded(value, room - margin))
        if is_below and name.plain:
            yield name
        for number, line in enumerate(lines or [Text("")]):
            begin = name if number == 0 and not is_below else Text("")
            yield _whole(Text.assemble(begin, " " * (margin - begin.cell_len), line))


def folded(text: Text, width: int) -> Iterator[Text]:
    """Yield the lines of a text, folded between words; a longer word has a line of its own."""
    for line in text.split("\n", allow_blank=True):
        breaks, begin = [], 0
        for word in _WORD.finditer(line.plain):
            if word.end() - begin > width and word.start() > begin:
                breaks.append(word.start())
                begin = word.start()
        for part in line.divide(breaks):
            part.rstrip()
            yield part


def _whole(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _natural(cells: Sequence[Text]) -> int:
    return max((len(line) for cell in cells for line in cell.plain.split("\n")), default=0)


def _least(cells: Sequence[Text], *, comfort: int) -> int:
    """Return the longest word; longer texts get `comfort`, so that they do not become a tower of single words."""
    words = max((len(word) for cell in cells for word in cell.plain.split()), default=0)
    return max(words, min(_natural(cells), comfort))
