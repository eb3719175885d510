"""Turning runs into numbers: warm-up, repeats, and how sure the median is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

from latprof.errors import MeasurementError

Clock = Callable[[], int]

WARM_UP_RUNS = 3  # fewest
WARM_UP_GAIN = 0.05  # still warming while a run beats the best of the three before by more
WARM_UP_LIMIT = 30  # most: by then a run that still gets faster is noise


@dataclass(frozen=True)
class Summary:
    """Repeated timings of one thing, in milliseconds."""

    latency_ms: float
    p10_ms: float
    p90_ms: float
    low_ms: float
    high_ms: float
    runs: int

    @property
    def uncertainty_fraction(self) -> float:
        """Half the 95 % confidence interval of the median, as a share of it."""
        return (self.high_ms - self.low_ms) / 2 / self.latency_ms if self.latency_ms else 0.0


def time_once_ms(run: Callable[[], object], clock_ns: Clock = perf_counter_ns) -> float:
    """One run, timed."""
    started = clock_ns()
    run()
    return (clock_ns() - started) / 1e6


def warm_up(run: Callable[[], object], clock_ns: Clock = perf_counter_ns) -> list[float]:
    """Run until runs no longer get faster; the times come back.

    The rule: at least `WARM_UP_RUNS`, then until a run gains no more than `WARM_UP_GAIN` on the
    fastest of the three before it, at most `WARM_UP_LIMIT`.
    """
    times = [time_once_ms(run, clock_ns) for _ in range(WARM_UP_RUNS)]
    while len(times) < WARM_UP_LIMIT:
        times.append(time_once_ms(run, clock_ns))
        if times[-1] >= (1 - WARM_UP_GAIN) * min(times[-4:-1]):
            break
    return times


def summarize(times_ms: Sequence[float]) -> Summary:
    """Median, tenth and ninetieth percentile, and the 95 % confidence interval of the median.

    The interval is the distribution-free one between order statistics (Le Boudec,
    Performance Evaluation of Computer and Communication Systems, 2010, section 2.2). Of fewer
    than six runs no two order statistics are that sure; it then spans all of them.

    Raises
    ------
    MeasurementError
        If there are no timings.
    """
    if not times_ms:
        raise MeasurementError("nothing was timed; allow more runs or more time.")
    ordered = sorted(times_ms)
    n = len(ordered)
    reach = 1.96 * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - reach) - 1)
    high = min(n - 1, math.ceil(n / 2 + reach))
    return Summary(
        latency_ms=statistics.median(ordered),
        p10_ms=quantile(ordered, 0.1),
        p90_ms=quantile(ordered, 0.9),
        low_ms=ordered[low],
        high_ms=ordered[high],
        runs=n,
    )


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """Linear interpolation between order statistics of sorted values."""
    position = fraction * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
