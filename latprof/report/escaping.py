"""How names that somebody else chose are made safe to show.

A model file may call its nodes anything: markup, terminal codes, ten thousand characters. Jinja
escapes HTML; here is the rest.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

# What a terminal without colour is shown besides ASCII; µ comes with `units.format_ms`.
PLAIN_CHARACTERS = frozenset("·×–±▇…→²µ")
# Control, format (direction overrides, zero-width joiners), surrogate, private, unassigned, and
# the two separators that some viewers break a line at.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Punctuation that Markdown, GitHub's autolinks or HTML could take for structure.
_MARKDOWN_ACTIVE = re.compile(
    r"[\\`*\[\]|<>&~$#@]|:(?!\s)|^[+-]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=www)\.|(?<=\d)\.(?=\s)",
    re.IGNORECASE,
)
_SPACES = re.compile(r"\s+")


def visible(text: Any, *, ascii_only: bool = False) -> str:
    r"""The text on one line, with what cannot be seen written as an escape: ``\x1b``, ``\n``.

    Parameters
    ----------
    text : object
        Shown as ``str(text)``.
    ascii_only : bool, default=False
        Escape everything outside ASCII, but for `PLAIN_CHARACTERS`.
    """
    said = str(text)
    if said.isprintable() and (said.isascii() or not ascii_only):
        return said  # most names; a page of 500 kernels asks some ten thousand times
    return "".join(_escape(c) if _hidden(c, ascii_only) else c for c in said)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` terminal cells, cut in the middle with ``…``."""
    if cells(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    head = _take(text, width // 2)
    tail = _take(text[::-1], width - 1 - cells(head))[::-1]
    return f"{head}…{tail}"


def cells(text: str) -> int:
    """How many terminal columns the text takes; a combining mark counts, to be safe."""
    if text.isascii():
        return len(text)
    return len(text) + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def chart_text(text: Any) -> str:
    """Text for a chart label: plotly.js reads ``<b>``, ``<a>`` and entities in every label.

    ``var(--name)`` is the report's own: its page puts a colour there.
    """
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("var(", "var&#40;")


def markdown_text(text: Any) -> str:
    """Prose for one line of Markdown, with nothing left that Markdown would act on."""
    return _MARKDOWN_ACTIVE.sub(_entity, _SPACES.sub(" ", visible(text)).strip())


def markdown_code(text: Any, *, width: int = 60) -> str:
    """A name for one Markdown table cell.

    ``<code>`` with entities rather than backticks: inside backticks a ``|`` still ends the cell
    and a backtick the code, while an entity can do neither.
    """
    return f"<code>{markdown_text(shorten(visible(text), width))}</code>"


def _hidden(character: str, ascii_only: bool) -> bool:
    if " " <= character <= "~":
        return False
    if ascii_only:
        return character not in PLAIN_CHARACTERS
    return unicodedata.category(character) in _INVISIBLE


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _entity(match: re.Match[str]) -> str:
    entity = f"&#{ord(match[0])};"
    # Mentions and issue numbers are found after entities are read; a comment keeps them apart.
    return f"{entity}<!-- -->" if match[0] in "@#" else entity


def _take(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += cells(character)
        if taken > width:
            return text[:index]
    return text
