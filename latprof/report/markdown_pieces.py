"""What every comment on a pull request is put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.escaping import markdown_code, markdown_text, shorten, visible

LARGEST_CHARACTERS = 60_000  # GitHub refuses a comment of more than 65,536
_PROSE_CHARACTERS = 600
_MOST_NOTES = 12


def prose(text: Any) -> str:
    """Text from anywhere, with nothing in it that Markdown would take for its own."""
    return markdown_text(shorten(visible(text), _PROSE_CHARACTERS))


def bullets(title: str, items: Sequence[str]) -> str:
    """A list under a bold title, if there is any; cut, and saying so."""
    if not items:
        return ""
    lines = [f"- {prose(item)}" for item in items[:_MOST_NOTES]]
    if len(items) > _MOST_NOTES:
        lines.append(f"- … and {len(items) - _MOST_NOTES} more")
    return "\n".join([f"**{prose(title)}**", "", *lines] if title else lines)


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    """A table; `align` has an ``l`` or an ``r`` for each column."""
    rules = ["---:" if side == "r" else "---" for side in align]
    return "\n".join(map(table_line, [heading, rules, *rows]))


def table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def footer(answer: Mapping[str, Any]) -> str:
    """Version and command, small."""
    version = prose(answer.get("latprof") or wording.DASH)
    command = answer.get("command")
    said = f" · {markdown_code(command, width=200)}" if command else ""
    return f"<sub>latprof {version}{said}</sub>\n"
