"""The zoo as the terminal shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.lines import Column, Pen, table, wrap
from latprof.report.rows import mapping
from latprof.units import format_shape

_INDENT = "  "
_LABEL_CELLS = 11
_ARXIV = re.compile(r"arXiv:[\w./-]+")


def render_zoo(entries: Sequence[Mapping[str, Any]], *, width: int, color: bool) -> str:
    """One line for each entry, under the name of its family.

    Parameters
    ----------
    entries : sequence of mapping
        As under ``entries`` of ``latprof zoo --json``; those of a family stand together.
    width : int
        No line is longer, colour codes aside. Where there is no room for papers, their numbers
        stand for them.
    color : bool
    """
    pen = Pen(color)
    papers = [str(entry["paper"]).partition(";")[0] for entry in entries]
    heading, *rows = _table(entries, papers, width)
    if any("…" in row for row in rows):
        numbers = [_ARXIV.search(paper) for paper in papers]
        shown = [n[0] if n else p for n, p in zip(numbers, papers, strict=True)]
        heading, *rows = _table(entries, shown, width)
    lines = [pen("dim", heading)]
    family = None
    for entry, row in zip(entries, rows, strict=True):
        if entry["family"] != family:
            family = entry["family"]
            lines.append(pen("bold", str(family)))
        lines.append(row)
    return "\n".join(lines) + "\n"


def render_zoo_entry(entry: Mapping[str, Any], *, width: int, color: bool) -> str:
    """Everything about one entry: what it is, what it costs, what it can be asked.

    Parameters
    ----------
    entry : mapping
        As under ``entries`` of ``latprof zoo NAME --json``.
    width : int
        No line is longer, colour codes and commands aside.
    color : bool
    """
    pen = Pen(color)
    title = str(entry["reference"]).removeprefix("zoo:")
    lines = wrap(f"{title} · {entry['family']}", width, rest=_INDENT)
    lines[0] = lines[0].replace(title, pen("bold", title), 1)
    if entry["summary"] != f"{entry['family']}.":  # else the title has said it
        lines += wrap(str(entry["summary"]), width, first=_INDENT, rest=_INDENT)
    lines.append("")
    facts = {
        "params": _exact(entry["params"]),
        "MACs": _exact(entry["macs"]),
        "input": format_shape(tuple(entry["input"])),
        "arguments": _settings(mapping(entry["arguments"])),
        "fixed": _settings(mapping(entry["fixed_arguments"])),
        "paper": str(entry["paper"]),
        "compared": str(entry["compared"]),
    }
    facts["arguments"] += f", {_input_settings(entry['input'])}"
    for label, said in facts.items():
        if said:
            first = f"{_INDENT}{label:<{_LABEL_CELLS}}"
            lines += wrap(said, width, first=first, rest=" " * len(first))
    # Never wrapped: they are there to be copied.
    return "\n".join([*lines, "", *(f"{_INDENT}{line}" for line in entry["commands"])]) + "\n"


def _table(entries: Sequence[Mapping[str, Any]], papers: Sequence[str], width: int) -> list[str]:
    columns = [
        Column("name", [str(entry["name"]) for entry in entries], right=False),
        Column("params", [wording.count(entry["params"]) for entry in entries]),
        Column("MACs", [wording.count(entry["macs"]) for entry in entries]),
        Column("input", [format_shape(tuple(entry["input"])) for entry in entries], right=False),
        Column("paper", papers, right=False, least=8),
    ]
    return table(columns, width, indent=_INDENT)


def _exact(value: int | None) -> str:
    if value is None or value < 1000:
        return wording.count(value)
    return f"{value:,} ({wording.count(value)})"


def _settings(arguments: Mapping[str, Any]) -> str:
    return ", ".join(_setting(name, value) for name, value in arguments.items())


def _setting(name: str, value: Any) -> str:
    if value is None:  # out_channels
        return f"{name} (as channels)"
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


def _input_settings(shape: Sequence[int]) -> str:
    *_, height, width = shape
    whole = f"input={'x'.join(map(str, shape))}"
    return f"size={height} or {whole}" if height == width else whole
