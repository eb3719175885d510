"""How an answer's facts are said, the same in the terminal, in Markdown and on a page.

What is missing is said as ``–``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from latprof.report.rows import Part, Row, basis_fractions, mapping, number
from latprof.units import format_bytes, format_count, format_ms, format_percent, format_shape

DASH = "–"
BASIS_MEANING = {
    "measured": "this very kernel is in the device's table",
    "interpolated": "inside what the table covers",
    "extrapolated": "outside what the table covers",
    "bound": "operator unknown to the model; a roofline bound stands in",
}


@dataclass(frozen=True)
class Verdict:
    """Where a prediction lies against its budget, and how one can tell."""

    light: Literal["within", "unsure", "over"]
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.text}: {self.reason}"


def ms(value: Any) -> str:
    """``1.23 ms``; a dash for what is missing."""
    value_ms = number(value)
    if value_ms is None:
        return DASH
    if value_ms < 0:
        return f"-{ms(-value_ms)}"
    return "<0.01 µs" if 0 < value_ms < 5e-6 else "0 ms" if value_ms == 0 else format_ms(value_ms)


def count(value: Any, unit: str = "") -> str:
    """``3.50 M params``."""
    known = number(value)
    said = DASH if known is None else format_count(known).strip()
    return f"{said} {unit}".strip()


def size(value: Any) -> str:
    known = number(value)
    return DASH if known is None else format_bytes(known)


def percent(value: Any) -> str:
    known = number(value)
    if known is None:
        return DASH
    return "<0.1 %" if 0 < known < 0.0005 else format_percent(known)


def rate(value: Any) -> str:
    """A rate in three figures, its unit in the heading: ``38.2``."""
    known = number(value)
    if known is None:
        return DASH
    decimals = 0 if known >= 100 else 1 if known >= 10 else 2
    return "<0.01" if 0 < known < 0.005 else f"{known:.{decimals}f}"


def ms_decimals(largest_ms: float) -> int:
    """Decimals that give a column of milliseconds three figures in its largest value."""
    if largest_ms >= 10:
        return 2
    return 3 if largest_ms >= 0.1 else 4 if largest_ms >= 0.01 else 5


def ms_figure(value_ms: float | None, decimals: int) -> str:
    """A cell of a column of milliseconds, all with the same decimals."""
    if value_ms is None:
        return DASH
    said = f"{value_ms:.{decimals}f}"
    smallest = 10**-decimals
    return f"<{smallest:.{decimals}f}" if 0 < value_ms < smallest / 2 else said


def macs_and_flops(model: Mapping[str, Any]) -> str:
    """``300.8 M MACs (0.60 GFLOPs)``."""
    flops = number(model.get("flops"))
    said = count(model.get("macs"), "MACs")
    if flops is None:
        return said
    if flops >= 1e8:
        return f"{said} ({flops / 1e9:.2f} GFLOPs)"
    return f"{said} ({format_count(flops)}FLOPs)"


def inputs(model: Mapping[str, Any]) -> str:
    """``1×3×224×224``, several joined with commas."""
    shapes = model.get("inputs") or ()
    return ", ".join(format_shape(tuple(shape)) for shape in shapes) or DASH


def model_facts(model: Mapping[str, Any]) -> list[str]:
    """What the model line says after the name."""
    return [
        inputs(model),
        count(model.get("params"), "params"),
        macs_and_flops(model),
        size(model.get("weight_bytes")),
        f"peak {size(model.get('peak_activation_bytes'))}",
    ]


def span(low: Any, high: Any) -> str:
    """``4.60 – 5.90 ms``; both units where they differ; empty where either end is missing."""
    if number(low) is None or number(high) is None:
        return ""
    low_text, high_text = ms(low), ms(high)
    low_figure, _, low_unit = low_text.partition(" ")
    same_unit = low_unit == high_text.partition(" ")[2]
    return f"{low_figure if same_unit else low_text} – {high_text}"


def interval(part: Part) -> str:
    """``4.60 – 5.90 ms at 90 %`` of a prediction, ``5.0 – 5.4 ms, p10 – p90 of 120 runs``."""
    said = span(part.low_ms, part.high_ms)
    if not said:
        return ""
    if part.predicted:
        coverage = number(part.facts.get("coverage"))
        return said if coverage is None else f"{said} at {percent(coverage)}"
    runs = number(part.facts.get("runs"))
    return f"{said}, p10 – p90" + (f" of {runs:.0f} runs" if runs else "")


def basis(part: Part) -> str:
    """``93 % interpolated, 7.0 % extrapolated``."""
    return ", ".join(f"{percent(fraction)} {name}" for name, fraction in basis_fractions(part))


def verdict(part: Part) -> Verdict | None:
    """How the interval lies against the budget; None without a budget or a latency."""
    budget_ms = number(part.facts.get("budget_ms"))
    if budget_ms is None or part.latency_ms is None:
        return None
    budget = f"the budget of {ms(budget_ms)}"
    if part.low_ms is None or part.high_ms is None:
        if part.latency_ms <= budget_ms:
            return Verdict("within", f"within {budget}", "no interval is known")
        return Verdict("over", f"over {budget}", "no interval is known")
    if part.high_ms <= budget_ms:
        return Verdict("within", f"within {budget}", "the whole interval lies below it")
    if part.low_ms > budget_ms:
        return Verdict("over", f"over {budget}", "the whole interval lies above it")
    if part.latency_ms <= budget_ms:
        return Verdict("unsure", f"probably within {budget}", "the interval reaches above it")
    return Verdict("unsure", f"probably over {budget}", "the interval reaches below it")


def model_doubts(model: Mapping[str, Any]) -> list[str]:
    """What could not be counted and what was assumed, whatever the device."""
    unknown = mapping(model.get("unknown_ops"))
    said = [f"{times} × {op}: no cost formula, so not counted" for op, times in unknown.items()]
    bounded = mapping(model.get("bounded_ops"))
    said += [
        f"{times} × {op}: depends on the data; counted as the most it can cost"
        for op, times in bounded.items()
    ]
    return said + [f"assumed: {assumption}" for assumption in model.get("assumptions") or ()]


def doubts(part: Part) -> list[str]:
    """Doubts about one number."""
    grade = part.facts.get("grade") or DASH
    said = [f"grade {grade}: {reason}" for reason in part.facts.get("grade_reasons") or ()]
    return said + [str(doubt) for doubt in part.facts.get("doubts") or ()]


def provenance(part: Part) -> list[str]:
    return [str(source) for source in part.facts.get("provenance") or ()]


def shape_and_op(row: Row) -> str:
    """``depthwise · 96 ch, 112², 3×3/2``."""
    return " · ".join(word for word in (row.op, row.shape) if word)


def reconciliation(answer: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(name, milliseconds) of what adds up to the measured time; missing parts are left out."""
    given = mapping(answer.get("reconciliation"))
    named = {
        "sum of kernels": number(given.get("sum_of_kernels_ms")),
        "overhead": number(given.get("overhead_ms")),
        "unexplained": number(given.get("unexplained_ms")),
    }
    return [(name, value_ms) for name, value_ms in named.items() if value_ms is not None]
