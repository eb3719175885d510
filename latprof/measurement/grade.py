"""How far to trust a measurement: a letter, and the reasons for it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latprof.measurement.network import ROUNDS_TO_BE_SURE
from latprof.measurement.times import NetworkTimes
from latprof.measurement.timing import interval_fraction, quantile, summarize
from latprof.measurement.usage import Usage

LETTERS = "ABCDF"
UNCERTAINTY = "uncertainty of the median"
# Worst value that still earns each letter, in order A, B, C, D; beyond is F. Shares, shown in %.
LIMITS: Mapping[str, tuple[float, float, float, float]] = {
    UNCERTAINTY: (0.01, 0.02, 0.05, 0.10),
    "spread between the 10th and 90th percentile": (0.05, 0.15, 0.30, 0.60),
    "drift between the two halves": (0.02, 0.04, 0.08, 0.15),
    "difference between odd and even rounds (A/A)": (0.01, 0.02, 0.05, 0.10),
    "movement of the machine (canary, 10th to 90th percentile)": (0.05, 0.15, 0.30, 0.60),
    "slowing down of the machine (canary, last third against the first)": (
        0.03, 0.08, 0.15, 0.30,
    ),
    "time spent waiting for a core": (0.01, 0.03, 0.10, 0.30),
    "time taken by other virtual machines": (0.01, 0.03, 0.10, 0.30),
}  # fmt: skip
_FEW_RUNS = 10
_SHORTEST_MS = 0.01  # a timed stretch below this is mostly the timing


@dataclass(frozen=True)
class Grade:
    """A letter from A to F with the reasons it is not better."""

    letter: str
    reasons: tuple[str, ...] = ()


def letter_for(what: str, value: float) -> str:
    """The letter that a value of one of `LIMITS` earns by itself."""
    return LETTERS[sum(value > limit for limit in LIMITS[what])]


def worst(letters: Sequence[str]) -> str:
    """The worst of several letters; A of none."""
    return max(letters, default=LETTERS[0], key=LETTERS.index)


def grade(times: NetworkTimes) -> Grade:
    """Grade what was timed for one network, brought to one state of the machine before."""
    values = evidence(times)
    letters = {what: letter_for(what, value) for what, value in values.items()}
    reasons = [
        f"{what} is {100 * values[what]:.1f} %"
        for what, letter in letters.items()
        if letter != LETTERS[0]
    ]
    found = [*letters.values()]
    runs = len(times.times_ms)
    if runs < _FEW_RUNS:
        found.append("C")
        reasons.append(f"only {runs} runs")
    if 0 < times.block_ms < _SHORTEST_MS:
        found.append("C")
        reasons.append(f"only {times.block_ms * 1e3:.1f} µs were timed at once")
    return Grade(worst(found), tuple(reasons))


def evidence(times: NetworkTimes) -> dict[str, float]:
    """What speaks against a measurement: values for those of `LIMITS` that can be told."""
    summary = summarize(times.times_ms)
    by_round = [statistics.median(each.plain_ms) for each in times.rounds]
    # Runs of one round share its conditions: where there are rounds enough, they are what counts.
    counted = by_round if len(by_round) >= ROUNDS_TO_BE_SURE else times.times_ms
    found = {
        UNCERTAINTY: interval_fraction(counted),
        "spread between the 10th and 90th percentile": (summary.p90_ms - summary.p10_ms)
        / summary.latency_ms,
        "drift between the two halves": _difference(*_halves(times.times_ms), summary.latency_ms),
        "difference between odd and even rounds (A/A)": _difference(
            by_round[::2], by_round[1::2], summary.latency_ms
        ),
    }
    return found | machine_evidence(times.canary_ms, times.usage)


def machine_evidence(canary_ms: Sequence[float], usage: Usage) -> dict[str, float]:
    """What the canary and the operating system say of the machine."""
    found = {
        "time spent waiting for a core": usage.waiting_fraction or 0.0,
        "time taken by other virtual machines": usage.stolen_fraction or 0.0,
    }
    if canary_ms:
        ordered, typical = sorted(canary_ms), statistics.median(canary_ms)
        third = len(canary_ms) // 3
        spread = quantile(ordered, 0.9) - quantile(ordered, 0.1)
        slower = (
            statistics.median(canary_ms[-third:]) - statistics.median(canary_ms[:third])
            if third
            else 0.0
        )
        found |= {
            "movement of the machine (canary, 10th to 90th percentile)": spread / typical,
            "slowing down of the machine (canary, last third against the first)": slower / typical,
        }
    return found


def _halves(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    half = len(values) // 2
    return values[:half], values[half:]


def _difference(one: Sequence[float], other: Sequence[float], whole: float) -> float:
    """Of two medians, as a share of `whole`; none where one is of nothing."""
    if not one or not other:
        return 0.0
    return abs(statistics.median(one) - statistics.median(other)) / whole
