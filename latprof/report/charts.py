"""Pictures as plotly figures; the only file that imports plotly.

Only `bar` and `scatter` traces: the inlined plotly.js draws nothing else, and says nothing.
Colours are CSS variables, which the page turns into colours of its light or dark scheme;
`layout.meta` tells the page what depends on its width (`templates/page.js`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from latprof.report import wording
from latprof.report.axes import (
    hidden_axis,
    log_axis,
    ms_axis,
    padded,
    rows_axis,
    say_count,
    say_ms,
)
from latprof.report.labels import (
    LABELS_PX,
    OPS_PX,
    hover_text,
    notes_above,
    notes_left,
    op_note,
    short,
)
from latprof.report.palette import BASIS_COLORS, RECONCILIATION_COLORS, op_color, op_symbol
from latprof.report.rows import Part, Row, basis_fractions, by_op, number, slowest

SLOWEST_SHOWN = 20
_ROW_PX, _NARROW_ROW_PX = 25, 44
_CUT = 1.5  # "all others" is drawn at most this much longer than the slowest kernel
_NARROW_CELLS = 16


def time_by_op(part: Part) -> go.Figure:
    """Share of the time for each kernel type, above its share of the MACs."""
    shares = by_op(part.rows)
    positions = list(range(len(shares)))
    time = _bars(
        [100 * share.time_fraction for share in shares],
        positions,
        [
            f"{wording.percent(s.time_fraction)} of time · {wording.ms(s.latency_ms)}"
            for s in shares
        ],
        [op_color(share.op) for share in shares],
        offset=-0.36,
        width=0.4,
        hover=[
            f"<b>{short(s.op, 40)}</b><br>{s.kernels} kernels · "
            f"{wording.ms(s.latency_ms)} · {wording.count(s.macs)} MACs"
            for s in shares
        ],
    )
    macs = _bars(
        [100 * (share.macs_fraction or 0.0) for share in shares],
        positions,
        [f"{wording.percent(share.macs_fraction)} of MACs" for share in shares],
        ["var(--macs)"] * len(shares),
        offset=0.08,
        width=0.2,
        hover=None,
    )
    with_macs = any(share.macs_fraction for share in shares)
    figure = _figure(
        [time, macs] if with_macs else [time],
        height=52 * len(shares) + 12,
        left=OPS_PX,
        yaxis=rows_axis([""] * len(shares)),
        xaxis=hidden_axis(),
        meta={
            "largest": max(100 * max(s.time_fraction, s.macs_fraction or 0.0) for s in shares),
            "label_px": 152,
            "narrow": {
                "left": 0,
                "height": 66 * len(shares) + 12,
                "annotations": [op_note(row - 0.3, share.op) for row, share in enumerate(shares)],
                "bars": [[-0.14, 0.3], [0.2, 0.14]],
            },
        },
    )
    figure.layout.annotations = [
        op_note(row, share.op, xshift=-OPS_PX) for row, share in enumerate(shares)
    ]
    return figure


def slowest_kernels(part: Part) -> go.Figure:
    """The slowest kernels, the others together as the last bar; a mark shows each bound."""
    rows = slowest(part.rows)
    top, rest = rows[:SLOWEST_SHOWN], rows[SLOWEST_SHOWN:]
    values_ms = [row.latency_ms or 0.0 for row in top]
    texts = [f"{wording.ms(row.latency_ms)} · {wording.percent(row.time_fraction)}" for row in top]
    colors = [op_color(row.op) for row in top]
    hover = [hover_text(row) for row in top]
    labels = [(row.name, row.shape) for row in top]
    if rest:
        rest_ms = math.fsum(row.latency_ms or 0.0 for row in rest)
        longest_ms = _CUT * values_ms[0]
        cut = rest_ms > longest_ms > 0
        values_ms.append(longest_ms if cut else rest_ms)
        share = math.fsum(row.time_fraction or 0.0 for row in rest)
        said = f"{wording.ms(rest_ms)} · {wording.percent(share)}"
        texts.append(f"{said}, bar cut" if cut else said)
        colors.append("var(--macs)")
        labels.append((f"{len(rest)} faster kernels", "all together"))
        hover.append(f"{len(rest)} faster kernels, all together<br>{said}")
    bars = _bars(values_ms, list(range(len(values_ms))), texts, colors, hover=hover)
    if rest:
        bars.marker.pattern = {
            "shape": [""] * len(top) + ["/"],
            "size": 7,
            "solidity": 0.5,
        }
    traces = [bars]
    bounds = [(row.bound_ms, index) for index, row in enumerate(top) if row.bound_ms]
    if bounds:
        traces.append(_marks([ms for ms, _ in bounds], [index for _, index in bounds]))
    figure = _figure(
        traces,
        height=_ROW_PX * len(values_ms) + 12,
        left=LABELS_PX,
        yaxis=rows_axis([""] * len(values_ms)),
        xaxis=hidden_axis(),
        meta={
            "largest": max([*values_ms, *(ms for ms, _ in bounds)]),
            "label_px": 160 if rest else 115,
            "narrow": {
                "left": 0,
                "height": _NARROW_ROW_PX * len(values_ms) + 12,
                "bars": [[-0.16, 0.34]],
                "annotations": [
                    note
                    for row, label in enumerate(labels)
                    for note in notes_above(row - 0.37, *label)
                ],
            },
        },
    )
    figure.layout.annotations = [
        note for row, label in enumerate(labels) for note in notes_left(row, *label)
    ]
    return figure


def latency_against_macs(part: Part) -> go.Figure:
    """Time of each kernel over its MACs, both axes logarithmic, with the roofline."""
    drawn = [row for row in part.rows if row.macs and row.latency_ms]
    ops = [share.op for share in by_op(drawn, most=8)]
    traces = []
    for op in ops:
        rows = [row for row in drawn if (row.op if row.op in ops else "other") == op]
        traces.append(_points(op, rows))
    macs = [row.macs or 0.0 for row in drawn]
    macs_range = padded(min(macs), max(macs))
    times_ms = [row.latency_ms or 0.0 for row in drawn]
    line = _roofline(part.roofline, *(10**end for end in macs_range))
    if line:
        traces.insert(0, line)
        times_ms += [ms for ms in line.y if ms >= min(times_ms) / 10]
    time_range = padded(min(times_ms), max(times_ms))
    return _figure(
        traces,
        height=420,
        left=88,
        bottom=52,
        yaxis=log_axis(time_range, say_ms, "latency of one launch, log scale"),
        xaxis=log_axis(macs_range, say_count, "MACs of one launch, log scale"),
        meta={"narrow": {"left": 78}},
    )


def basis_bar(part: Part) -> go.Figure:
    """How the predicted time is known, as one bar of shares."""
    traces = [
        _segment(
            name, 100 * fraction, "", BASIS_COLORS[name], f"{wording.percent(fraction)} {name}"
        )
        for name, fraction in basis_fractions(part)
    ]
    return _figure(
        traces,
        height=44,
        left=0,
        barmode="stack",
        yaxis=rows_axis([""]),
        xaxis=hidden_axis(),
        meta={"largest": sum(100 * fraction for _, fraction in basis_fractions(part))},
    )


def reconciliation_bar(answer: Mapping[str, Any], part: Part) -> go.Figure:
    """The measured time above what it is made of; a negative part lies left of zero."""
    summands = wording.reconciliation(answer)
    whole = _bars(
        [part.latency_ms or 0.0], [0], [""], ["var(--macs)"], hover=["end to end"], width=0.5
    )
    whole.error_x = _whiskers([part], "var(--ink)")
    whole.hovertext = [f"end to end<br>{wording.ms(part.latency_ms)}<br>{wording.interval(part)}"]
    traces = [whole]
    traces += [
        _segment(
            name, value_ms, "ms", RECONCILIATION_COLORS[name], f"{name}<br>{wording.ms(value_ms)}"
        )
        for name, value_ms in summands
    ]
    positive_ms = math.fsum(max(value_ms, 0.0) for _, value_ms in summands)
    largest_ms = max(positive_ms, part.latency_ms or 0.0, part.high_ms or 0.0)
    smallest_ms = math.fsum(min(value_ms, 0.0) for _, value_ms in summands)
    return _figure(
        traces,
        height=132,
        left=118,
        bottom=44,
        barmode="relative",
        yaxis=rows_axis(["end to end", "made up of"]),
        xaxis={**ms_axis(), "range": [1.05 * smallest_ms, 1.05 * largest_ms or 1.0]},
        meta={"narrow": {"left": 84}},
    )


def latency_by_target(shown: Sequence[Part]) -> go.Figure:
    """Each target's latency with its interval, and the budget if all have the same."""
    known = [part for part in shown if part.latency_ms is not None]
    values_ms = [part.latency_ms or 0.0 for part in known]
    labels = [short(part.title, 34) for part in known]
    hover = [
        f"<b>{label}</b><br>{wording.ms(part.latency_ms)}<br>{wording.interval(part)}"
        for label, part in zip(labels, known, strict=True)
    ]
    points = go.Scatter(
        x=values_ms,
        y=list(range(len(known))),
        mode="markers",
        marker={"size": 11, "color": "var(--blue)"},
        hovertext=hover,
        hoverinfo="text",
        error_x=_whiskers(known, "var(--blue)"),
    )
    budgets_ms = {number(part.facts.get("budget_ms")) for part in known} - {None}
    budget_ms = budgets_ms.pop() if len(budgets_ms) == 1 else None
    largest_ms = max(max(part.latency_ms or 0.0, part.high_ms or 0.0) for part in known)
    figure = _figure(
        [points],
        height=40 * len(known) + 64,
        left=250,
        bottom=44,
        yaxis=rows_axis(labels),
        xaxis={**ms_axis(), "range": [0, 1.08 * max(largest_ms, budget_ms or 0.0)]},
        meta={"narrow": {"left": 118, "labels": [short(p.title, _NARROW_CELLS) for p in known]}},
    )
    if budget_ms is not None:
        line = {"color": "var(--ink)", "width": 1.5, "dash": "dash"}
        figure.add_vline(x=budget_ms, line=line)
    return figure


def _figure(
    traces: Sequence[Any],
    *,
    height: int,
    left: int,
    yaxis: Mapping[str, Any],
    xaxis: Mapping[str, Any],
    meta: Mapping[str, Any],
    bottom: int = 6,
    barmode: str = "overlay",
) -> go.Figure:
    layout = go.Layout(
        template=go.layout.Template(),  # plotly's own adds 7 kB to every figure
        height=height,
        margin={"l": left, "r": 8, "t": 6, "b": bottom, "pad": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "var(--font)", "size": 13, "color": "var(--ink)"},
        hoverlabel={
            "bgcolor": "var(--panel)",
            "bordercolor": "var(--line)",
            "align": "left",
            "font": {"family": "var(--font)", "size": 13, "color": "var(--ink)"},
        },
        showlegend=False,
        dragmode=False,  # a finger on a chart scrolls the page
        barmode=barmode,
        bargap=0.3,
        xaxis=xaxis,
        yaxis=yaxis,
        meta=meta,
    )
    return go.Figure(data=list(traces), layout=layout)


def _bars(
    values: Sequence[float],
    positions: Sequence[int],
    texts: Sequence[str],
    colors: Sequence[str],
    *,
    hover: Sequence[str] | None,
    **where: Any,
) -> Any:
    return go.Bar(
        orientation="h",
        x=list(values),
        y=list(positions),
        text=list(texts),
        textposition="outside",
        textangle=0,
        cliponaxis=False,
        constraintext="none",
        textfont={"color": "var(--ink)", "size": 12},
        marker={"color": list(colors), "line": {"width": 0}},
        hovertext=None if hover is None else list(hover),
        hoverinfo="skip" if hover is None else "text",
        **where,
    )


def _whiskers(shown: Sequence[Part], color: str) -> dict[str, Any]:
    """From p10 to p90, or over the interval; no length where an end is not known."""
    above = [max((p.high_ms or 0.0) - (p.latency_ms or 0.0), 0.0) for p in shown]
    below = [(p.latency_ms or 0.0) - (p.low_ms or p.latency_ms or 0.0) for p in shown]
    ends = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    return {**ends, "color": color, "thickness": 1.8, "width": 5}


def _segment(name: str, value: float, unit: str, color: str, hover: str) -> Any:
    return go.Bar(
        name=name,
        orientation="h",
        x=[value],
        y=[1 if unit else 0],
        width=0.5 if unit else 0.9,
        marker={"color": color, "line": {"color": "var(--panel)", "width": 1}},
        hovertext=[hover],
        hoverinfo="text",
    )


def _marks(values_ms: Sequence[float | None], positions: Sequence[int]) -> Any:
    return go.Scatter(
        x=list(values_ms),
        y=list(positions),
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": "var(--ink)"}},
        hoverinfo="skip",
    )


def _points(op: str, rows: Sequence[Row]) -> Any:
    color = op_color(op)
    return go.Scatter(
        name=short(op, 40),
        x=[row.macs for row in rows],
        y=[row.latency_ms for row in rows],
        mode="markers",
        marker={
            "size": 9,
            "symbol": op_symbol(op),
            "color": color,
            "opacity": 0.85,
            "line": {"width": 1, "color": "var(--panel)"},
        },
        hovertext=[hover_text(row) for row in rows],
        hoverinfo="text",
    )


def _roofline(roofline: Mapping[str, Any], least_macs: float, most_macs: float) -> Any | None:
    """Time no kernel of so many MACs should beat: its arithmetic, or one launch."""
    peak = number(roofline.get("peak_gmacs_per_s"))
    if not peak or peak < 0:
        return None
    launch_ms = max(number(roofline.get("launch_overhead_ms")) or 0.0, 0.0)
    knee = launch_ms * peak * 1e6
    xs = [least_macs, *([knee] if least_macs < knee < most_macs else []), most_macs]
    return go.Scatter(
        name="roofline",
        x=xs,
        y=[max(macs / peak / 1e6, launch_ms) for macs in xs],
        mode="lines",
        line={"color": "var(--muted)", "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
    )
