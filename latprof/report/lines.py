"""Plain lines for a terminal: wrapped, aligned, and never wider than asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from latprof.report.escaping import cells, shorten

_GAP = "  "
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    heading : str
    values : sequence of str
    right : bool, default=True
        Figures stand right, words left.
    least : int, default=0
        Cells that the column may shrink to when the line is too long; 0 for never.
    """

    heading: str
    values: Sequence[str]
    right: bool = True
    least: int = 0

    @property
    def width(self) -> int:
        return max(map(cells, (self.heading, *self.values)))


class Pen:
    """Paints text with terminal colours, or leaves it alone."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.color and text else text


def flow(
    chunks: Iterable[str], width: int, *, between: str, first: str = "", rest: str = ""
) -> list[str]:
    """Chunks in lines, broken between chunks where that is possible.

    `first` begins the first line, `rest` the others.
    """
    lines: list[str] = []
    for chunk in filter(None, chunks):
        indent = rest if lines else first
        if lines and cells(lines[-1]) + cells(between) + cells(chunk) <= width:
            lines[-1] += between + chunk
        elif cells(indent) + cells(chunk) <= width:
            lines.append(indent + chunk)
        else:
            lines += wrap(chunk, width, first=indent, rest=rest)
    return lines


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Words in lines of at most `width` cells; a word too long for a line is cut into pieces."""
    lines, line, start = [], first, first
    for word in text.split():
        room = max(1, width - cells(rest))
        for piece in _pieces(word, room):
            space = "" if line == start else " "
            if cells(line) + cells(space) + cells(piece) > width and line != start:
                lines.append(line)
                line, start, space = rest, rest, ""
            line += space + piece
    return [*lines, line]


def table(columns: Sequence[Column], width: int, *, indent: str = "") -> list[str]:
    """A heading line and a line for each row; columns that may shrink do, from the widest."""
    widths = [column.width for column in columns]
    room = width - cells(indent) - cells(_GAP) * (len(columns) - 1)
    while sum(widths) > room:
        spare = [w - c.least if c.least else 0 for w, c in zip(widths, columns, strict=True)]
        widest = max(range(len(columns)), key=lambda index: (spare[index], index))
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    rows = [[column.heading for column in columns]]
    rows += map(list, zip(*(column.values for column in columns), strict=True))
    lines = []
    for row in rows:
        said = (_cell(*each) for each in zip(row, widths, columns, strict=True))
        # A terminal too narrow even so: a cut line is better than one that wraps into the next.
        lines.append(shorten(f"{indent}{_GAP.join(said)}".rstrip(), width))
    return lines


def _cell(text: str, width: int, column: Column) -> str:
    text = shorten(text, width)
    padding = " " * (width - cells(text))
    return padding + text if column.right else text + padding


def _pieces(word: str, width: int) -> list[str]:
    pieces = [""]
    for character in word:
        if pieces[-1] and cells(pieces[-1]) + cells(character) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces
