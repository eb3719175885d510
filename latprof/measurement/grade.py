"""How far to trust a measurement: a letter, and the reasons for it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from latprof.measurement.timing import summarize

# Worst value that still earns each letter, in order A, B, C, D; beyond is F.
_LIMITS = {
    "uncertainty of the median": (0.01, 0.02, 0.05, 0.10),
    "spread between the 10th and 90th percentile": (0.05, 0.15, 0.30, 0.60),
    "drift between the two halves": (0.02, 0.04, 0.08, 0.15),
}
_FEW_RUNS = 10
_LETTERS = "ABCDF"


@dataclass(frozen=True)
class Grade:
    """A letter from A to F with the reasons it is not better."""

    letter: str
    reasons: tuple[str, ...]


def grade(times_ms: Sequence[float]) -> Grade:
    """Grade repeated timings, given in the order in which they were taken."""
    summary = summarize(times_ms)
    half = len(times_ms) // 2
    drift = 0.0
    if half:
        before, after = statistics.median(times_ms[:half]), statistics.median(times_ms[half:])
        drift = abs(after - before) / summary.latency_ms
    values = (
        summary.uncertainty_fraction,
        (summary.p90_ms - summary.p10_ms) / summary.latency_ms,
        drift,
    )
    worst, reasons = 0, []
    for (what, limits), value in zip(_LIMITS.items(), values, strict=True):
        level = sum(value > limit for limit in limits)
        worst = max(worst, level)
        if level:
            reasons.append(f"{what} is {100 * value:.1f} %")
    if summary.runs < _FEW_RUNS:
        worst = max(worst, 2)
        reasons.append(f"only {summary.runs} runs")
    return Grade(_LETTERS[worst], tuple(reasons))
