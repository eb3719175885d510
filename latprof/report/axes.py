"""The axes of the charts, as plotly reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any


def rows_axis(labels: Sequence[str]) -> dict[str, Any]:
    # Numbers, not categories: two kernels whose shortened names agree stay two bars.
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "range": [len(labels) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticklabelstandoff": 8,
        "tickfont": {"size": 12},
    }


def hidden_axis() -> dict[str, Any]:
    return {"visible": False, "fixedrange": True, "rangemode": "tozero"}


def ms_axis() -> dict[str, Any]:
    return {
        "title": {"text": "milliseconds", "font": {"size": 12, "color": "var(--muted)"}},
        "fixedrange": True,
        "gridcolor": "var(--grid)",
        "zerolinecolor": "var(--axis)",
        "tickfont": {"size": 12, "color": "var(--muted)"},
        "nticks": 7,
    }


def log_axis(ends: tuple[float, float], say: Callable[[float], str], title: str) -> dict[str, Any]:
    """A logarithmic axis between two powers of ten, with ticks that a person would choose."""
    span = ends[1] - ends[0]
    steps = (1, 2, 5) if span <= 1.2 else (1, 3) if span <= 3 else (1,)
    decades = range(math.floor(ends[0]), math.ceil(ends[1]) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {
        "type": "log",
        "range": list(ends),
        "tickvals": ticks,
        "ticktext": [say(tick) for tick in ticks],
        "title": {"text": title, "standoff": 14, "font": {"size": 12, "color": "var(--muted)"}},
        "fixedrange": True,
        "gridcolor": "var(--grid)",
        "linecolor": "var(--axis)",
        "showline": True,
        "zeroline": False,
        "ticklabelstandoff": 4,
        "tickfont": {"size": 12, "color": "var(--muted)"},
    }


def padded(least: float, most: float) -> tuple[float, float]:
    low, high = math.log10(least), math.log10(most)
    padding = max(0.08 * (high - low), 0.15)
    return low - padding, high + padding


def say_ms(value_ms: float) -> str:
    if value_ms >= 1000:
        return f"{value_ms / 1000:g} s"
    return f"{value_ms:g} ms" if value_ms >= 1 else f"{value_ms * 1e3:.6g} µs"


def say_count(value: float) -> str:
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:g} {letter}"
    return f"{value:g}"
