"""What is written on the charts: labels beside bars, and what pointing at a mark shows."""

from __future__ import annotations

from typing import Any

from latprof.report import wording
from latprof.report.escaping import chart_text, shorten, visible
from latprof.report.rows import Row

LABELS_PX, _SHAPES_PX = 394, 206  # left of the bars: names, then shapes
OPS_PX = 142


def notes_left(row: int, name: str, shape: str) -> list[dict[str, Any]]:
    """A bar's label in two columns that start at the left, which tick labels cannot."""
    return [
        _note(row, short(name, 25), xshift=-LABELS_PX),
        _note(row, _muted(short(shape, 28)), xshift=-_SHAPES_PX),
    ]


def notes_above(row: float, name: str, shape: str = "") -> list[dict[str, Any]]:
    """A bar's label over the bar: a phone has no room beside it."""
    label = short(name, 24)
    return [_note(row, f"{label}  {_muted(short(shape, max(18, 44 - len(label))))}")]


def op_note(row: float, op: str, **where: Any) -> dict[str, Any]:
    return _note(row, short(op, 18), **where)


def _note(row: float, text: str, **where: Any) -> dict[str, Any]:
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": row,
        "yanchor": "middle",
        "align": "left",
        "text": text,
        "font": {"size": 12},
        "showarrow": False,
        "borderpad": 0,
        **where,
    }


def _muted(text: str) -> str:
    return f'<span style="color:var(--muted)">{text}</span>'


def hover_text(row: Row) -> str:
    spread = wording.span(row.p10_ms, row.p90_ms)
    said = [
        f"<b>{short(row.name, 48)}</b>",
        short(wording.shape_and_op(row), 56),
        f"{wording.ms(row.latency_ms)} · {wording.percent(row.time_fraction)} of time",
        f"p10 – p90: {spread}" if spread else "",
        f"{wording.count(row.macs)} MACs · {wording.rate(row.gmacs_per_s)} GMAC/s",
        f"{wording.rate(row.gb_per_s)} GB/s moved" if row.bytes_moved else "",
        f"roofline bound {wording.ms(row.bound_ms)}" if row.bound_ms else "",
        short(row.basis, 30),
    ]
    return "<br>".join(line for line in said if line)


def short(text: str, width: int) -> str:
    return chart_text(shorten(visible(text), width))
