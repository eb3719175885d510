"""The charts of a report with what is said around them: title, legend, what it means."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latprof.report import charts, wording
from latprof.report.escaping import shorten, visible
from latprof.report.palette import BASIS_COLORS, RECONCILIATION_COLORS, op_color, op_glyph
from latprof.report.rows import Part, Row, basis_fractions, by_op, number, slowest


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a character in a colour, and what it stands for."""

    text: str
    color: str
    glyph: str = "■"


@dataclass(frozen=True)
class Picture:
    """One chart, ready for the page.

    `help` says what the chart means and when it misleads; `figure_json` holds no ``<``, so it
    can stand inside a script element.
    """

    id: str
    title: str
    help: str
    height_px: int
    narrow_height_px: int
    figure_json: str
    legend: Sequence[Key] = ()


def pictures(answer: Mapping[str, Any], part: Part, prefix: str) -> list[Picture]:
    """The charts of one prediction or profile; those without data are left out."""
    timed = [row for row in part.rows if row.latency_ms]
    drawn = [_by_op(part, prefix), _slowest(part, prefix)] if timed else []
    if any(row.macs for row in timed):
        drawn.append(_roofline(part, prefix))
    if part.predicted and basis_fractions(part):
        drawn.append(_basis(part, prefix))
    if not part.predicted and wording.reconciliation(answer):
        drawn.append(_reconciliation(answer, part, prefix))
    return drawn


def targets_picture(shown: Sequence[Part]) -> Picture | None:
    """Several predictions side by side; None where there is nothing to set side by side."""
    known = [part for part in shown if part.latency_ms is not None]
    if len(known) < 2:
        return None
    budgets = {number(part.facts.get("budget_ms")) for part in known} - {None}
    legend = [Key("predicted latency with its interval", "var(--blue)", "●")]
    if len(budgets) == 1:
        legend.append(Key(f"budget {wording.ms(budgets.pop())}", "var(--ink)", "– –"))
    return _picture(
        "targets",
        "Latency by target",
        "Intervals that overlap leave the order open, and targets learned from the same tables "
        "can be wrong together.",
        charts.latency_by_target(shown),
        legend,
    )


def _by_op(part: Part, prefix: str) -> Picture:
    return _picture(
        f"{prefix}-types",
        "Where the time goes, by kernel type",
        "A time bar much longer than its MACs bar means memory traffic or launches, so cutting "
        "MACs there buys little; time between kernels is not in this picture.",
        charts.time_by_op(part),
        (),
    )


def _slowest(part: Part, prefix: str) -> Picture:
    shown = slowest(part.rows)[: charts.SLOWEST_SHOWN]
    bounds = any(row.bound_ms for row in shown)
    legend = _op_keys(shown, glyphs=False)
    if bounds:
        legend.append(Key("roofline bound", "var(--ink)", "┃"))
    misleads = (
        "the mark is what peak and bandwidth would allow, so the way from it to the end of the "
        "bar is room, not a promise."
        if bounds
        else "kernels of equal shape are listed apart, so many small ones can outweigh the first."
    )
    return _picture(
        f"{prefix}-slowest",
        "The slowest kernels",
        f"Where one change helps most; {misleads}",
        charts.slowest_kernels(part),
        legend,
    )


def _roofline(part: Part, prefix: str) -> Picture:
    hidden = [row for row in part.rows if row.latency_ms and not row.macs]
    hidden_ms = math.fsum(row.latency_ms or 0.0 for row in hidden)
    legend = _op_keys([row for row in part.rows if row.macs and row.latency_ms], glyphs=True)
    peak = number(part.roofline.get("peak_gmacs_per_s"))
    said = (
        "At equal MACs, the higher a point the less its kernel gets out of the hardware; a point "
        "can hide others of the same shape"
    )
    if peak and peak > 0:
        launch_ms = part.roofline.get("launch_overhead_ms")
        text = f"roofline: {wording.rate(peak)} GMAC/s, at least {wording.ms(launch_ms)}"
        legend.append(Key(text, "var(--muted)", "– –"))
        said += ", and the roofline leaves memory traffic out, so depthwise kernels stay above it"
    if hidden:
        said += f" ({len(hidden)} kernels without MACs, {wording.ms(hidden_ms)}, are not drawn)"
    said += "."
    title = "Latency against MACs, one point per kernel"
    return _picture(f"{prefix}-macs", title, said, charts.latency_against_macs(part), legend)


def _basis(part: Part, prefix: str) -> Picture:
    legend = [
        Key(
            f"{name} {wording.percent(fraction)}: {wording.BASIS_MEANING[name]}", BASIS_COLORS[name]
        )
        for name, fraction in basis_fractions(part)
    ]
    return _picture(
        f"{prefix}-basis",
        "How the time is known",
        "Shares of the predicted time; a large measured share makes single kernels sure, not "
        "their sum, because what happens between kernels is in no table.",
        charts.basis_bar(part),
        legend,
    )


def _reconciliation(answer: Mapping[str, Any], part: Part, prefix: str) -> Picture:
    legend = [
        Key(f"{name} {wording.ms(value_ms)}", RECONCILIATION_COLORS[name])
        for name, value_ms in wording.reconciliation(answer)
    ]
    return _picture(
        f"{prefix}-sum",
        "Do the kernels add up?",
        "A large unexplained part, on either side of zero, means that the shares above are to be "
        "read with care; the whisker is p10 – p90 of the end-to-end time.",
        charts.reconciliation_bar(answer, part),
        legend,
    )


def _op_keys(rows: Sequence[Row], *, glyphs: bool) -> list[Key]:
    ops = [share.op for share in by_op(rows)]
    return [
        Key(shorten(visible(op), 24), op_color(op), op_glyph(op) if glyphs else "■") for op in ops
    ]


def _picture(id: str, title: str, help: str, figure: Any, legend: Sequence[Key]) -> Picture:
    # "<" could open a tag inside the script element that carries the figure.
    figure_json = json.dumps(figure.to_plotly_json(), separators=(",", ":"), allow_nan=False)
    figure_json = figure_json.replace("<", "\\u003c")
    height_px = int(figure.layout.height)
    narrow_px = int(figure.layout.meta.get("narrow", {}).get("height", height_px))
    return Picture(id, title, help, height_px, narrow_px, figure_json, tuple(legend))
