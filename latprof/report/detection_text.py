"""Fusions found by timing, as the terminal and a comment show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latprof.report import wording
from latprof.report.escaping import visible
from latprof.report.lines import Column, Pen, table, wrap
from latprof.report.markdown_pieces import footer, prose
from latprof.report.markdown_pieces import table as markdown_table

_INDENT = "  "
_HEADING = ("pair", "times say", "saved", "first", "second", "both", "rules say")


def render_detection(answer: Mapping[str, Any], *, width: int, color: bool) -> str:
    """A row for each pair, then what is unclear and where latprof's rules say otherwise."""
    pen = Pen(color)
    rows = [_cells(pair) for pair in answer["pairs"]]
    columns = [
        Column(heading, values, right=heading in ("first", "second", "both"),
               least=12 if heading == "pair" else 0)
        for heading, values in zip(_HEADING, zip(*rows, strict=True), strict=True)
    ]  # fmt: skip
    first, *lines = table(columns, width, indent=_INDENT)
    said = [*wrap(_summary(answer), width, rest=_INDENT), "", pen("dim", first), *lines]
    for pair in answer["pairs"]:
        if pair["reason"]:
            said += wrap(f"{pair['name']}: {visible(pair['reason'])}", width,
                         first=f"{_INDENT}unclear ", rest=_INDENT * 2)  # fmt: skip
    return "\n".join(said) + "\n"


def render_detection_markdown(answer: Mapping[str, Any]) -> str:
    """The same in one table."""
    rows = [[prose(cell) for cell in _cells(pair)] for pair in answer["pairs"]]
    body = markdown_table(_HEADING, rows, "lllrrrl")
    return (
        f"### latprof fusion: detected\n\n{prose(_summary(answer))}\n\n{body}\n\n{footer(answer)}"
    )


def _summary(answer: Mapping[str, Any]) -> str:
    pairs = answer["pairs"]
    said = [pair["said"] for pair in pairs]
    others = sum(pair["agrees"] is False for pair in pairs)
    known = [pair for pair in pairs if pair["known"] is not None]
    rules = f"latprof's rules say otherwise of {others}" if known else "latprof holds no rules"
    return (
        f"{answer['target']}, {answer['runtime']}: {said.count('fused')} pairs fused, "
        f"{said.count('separate')} separate, {said.count('unclear')} unclear in "
        f"{answer['rounds']} rounds; {rules}"
    )


def _cells(pair: Mapping[str, Any]) -> list[str]:
    rules = {None: wording.DASH, True: "fused", False: "separate"}[pair["known"]]
    rules += " (!)" if pair["agrees"] is False else ""
    saved = wording.DASH
    if pair["saved_fraction"] is not None:
        saved = f"{pair['saved_fraction']:.2f} ({pair['low']:.2f} to {pair['high']:.2f})"
    times = [wording.ms(pair[key]) for key in ("first_ms", "second_ms", "both_ms")]
    return [pair["name"], pair["said"], saved, *times, rules]
