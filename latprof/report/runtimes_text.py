"""The runtimes as the terminal and a comment show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.escaping import markdown_code, visible
from latprof.report.lines import Column, Pen, table, wrap
from latprof.report.markdown_pieces import footer, prose
from latprof.report.markdown_pieces import table as markdown_table

_INDENT = "  "
_WIDE = 100  # columns from which there is room to say what each one is


def render_runtimes(entries: Sequence[Mapping[str, Any]], *, width: int, color: bool) -> str:
    """A table of what works here; below it the rest, each with why not and what to type.

    Parameters
    ----------
    entries : sequence of mapping
        As under ``runtimes`` of ``latprof runtimes --json``.
    width : int
        No line is longer, colour codes and commands aside.
    color : bool
    """
    pen = Pen(color)
    working = [entry for entry in entries if entry["works"]]
    lines: list[str] = []
    if working:
        wide = width >= _WIDE
        names = [_named(entry) if wide else str(entry["name"]) for entry in working]
        columns = [
            Column("works here", names, right=False),
            Column("version", [visible(e["version"]) for e in working], right=False, least=12),
            Column("dtypes", [", ".join(e["dtypes"]) for e in working], right=False),
            Column("on", [str(e["processor"]) for e in working], right=False),
            Column("threads", [_threads(e) for e in working], right=False),
        ]
        if wide:
            about = [str(e["about"]) for e in working]
            columns.append(Column("what it is", about, right=False, least=10))
        heading, *rows = table(columns, width)
        lines += [pen("bold", heading), *rows]
    others = [entry for entry in entries if not entry["works"]]
    if others:
        lines += ["", pen("bold", "does not work here")]
    for entry in others:
        name = _named(entry)
        lines += wrap(f"{name} · {entry['about']} · {', '.join(entry['dtypes'])}", width)
        lines += wrap(visible(entry["reason"]), width, first=_INDENT, rest=_INDENT)
        if entry["install"]:
            lines.append(f"{_INDENT}{entry['install']}")  # never wrapped: it is there to be copied
    return "\n".join(lines).lstrip("\n") + "\n"


def render_runtimes_markdown(answer: Mapping[str, Any]) -> str:
    """One table of all runtimes."""
    rows = []
    for entry in answer["runtimes"]:
        fix = prose(entry["reason"])
        if entry["install"]:
            fix += f": {markdown_code(entry['install'])}"
        rows.append(
            [
                markdown_code(entry["name"]),
                prose(entry["about"]),
                "yes" if entry["works"] else "no",
                prose(entry["version"] or wording.DASH) if entry["works"] else fix,
                prose(", ".join(entry["dtypes"])),
                f"{entry['processor']}, {_threads(entry)}",
            ]
        )
    heading = [
        "runtime",
        "what it is",
        "works here",
        "version, or why not",
        "dtypes",
        "runs on, threads",
    ]
    return f"### latprof runtimes\n\n{markdown_table(heading, rows, 'llllll')}\n\n{footer(answer)}"


def _named(entry: Mapping[str, Any]) -> str:
    aliases = ", ".join(entry["aliases"])
    return f"{entry['name']} ({aliases})" if aliases else str(entry["name"])


def _threads(entry: Mapping[str, Any]) -> str:
    most = int(entry["most_threads"])
    return f"1 to {most}" if most > 1 else "1"
