"""Turning runs into numbers: warm-up, repeats, and how sure the median is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TypeVar

from latprof.errors import MeasurementError

Clock = Callable[[], int]
T = TypeVar("T")

WARM_UP_RUNS = 3  # fewest
WARM_UP_GAIN = 0.05  # still warming while a run beats the best of the three before by more
WARM_UP_LIMIT = 30  # most: by then a run that still gets faster is noise

# Four times the 32 MB that most servers' and every phone's caches hold at most for one core.
COOLING_BYTES = 128 * 2**20
_STEPS_IN_A_BLOCK = 100
_STEPS_SEEN, _MOST_READINGS = 100, 200_000  # the coarsest clocks take 16 ms for one step
_LARGEST_BLOCK = 2**20  # a clock that stands still would ask for ever more


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


class Cooler:
    """Empties a core's caches by reading and writing a buffer of `COOLING_BYTES`."""

    def __init__(self) -> None:
        import numpy as np

        self._buffer = np.zeros(COOLING_BYTES // 8)

    def cool(self) -> None:
        """Leave nothing in the caches that was there before."""
        self._buffer += 1.0


def resolution_ns(clock_ns: Clock = perf_counter_ns) -> int:
    """Smallest step between two readings of a clock that differ; 1 if it stands still."""
    steps: list[int] = []
    last = clock_ns()
    for _ in range(_MOST_READINGS):
        now = clock_ns()
        if now > last:
            steps.append(now - last)
            if len(steps) == _STEPS_SEEN:
                break
        last = now
    return min(steps, default=1)


def sized_block(
    run: Callable[[], object], run_ms: float, clock_ns: Clock = perf_counter_ns
) -> tuple[int, float]:
    """How many runs to time together, so that the clock's step is < 1 % of what is timed.

    Found by doubling: a coarse clock says 0 of a run, and nothing can be divided by that.

    Parameters
    ----------
    run_ms : float
        Time of one run as far as it is known.

    Returns
    -------
    runs : int
    block_ms : float
        What so many took together.
    """
    least_ms = _STEPS_IN_A_BLOCK * resolution_ns(clock_ns) / 1e6
    runs, block_ms = 1, run_ms
    while block_ms < least_ms and runs < _LARGEST_BLOCK:
        runs *= 2
        block_ms = runs * time_block_ms(run, runs, clock_ns)
    return runs, block_ms


def time_block_ms(
    run: Callable[[], object],
    runs: int = 1,
    clock_ns: Clock = perf_counter_ns,
    cooler: Cooler | None = None,
) -> float:
    """Time of one run, of `runs` timed together; alone and on cold caches with a `cooler`.

    Raises
    ------
    MeasurementError
        If the clock went backwards.
    """
    if cooler is not None:
        cooler.cool()
        runs = 1  # the second would find them warm
    started = clock_ns()
    for _ in range(runs):
        run()
    taken_ns = clock_ns() - started
    if taken_ns < 0:
        raise MeasurementError(
            f"the clock went back by {-taken_ns} ns while it timed a run, so no time can be "
            "trusted. Only a monotonic clock can be used."
        )
    return taken_ns / 1e6 / runs


def warm_up(run: Callable[[], object], clock_ns: Clock = perf_counter_ns) -> list[float]:
    """Run until runs no longer get faster; the times come back.

    The rule: at least `WARM_UP_RUNS`, then until a run gains no more than `WARM_UP_GAIN` on the
    fastest of the three before it, at most `WARM_UP_LIMIT`.
    """
    times = [time_block_ms(run, 1, clock_ns) for _ in range(WARM_UP_RUNS)]
    while len(times) < WARM_UP_LIMIT:
        times.append(time_block_ms(run, 1, clock_ns))
        if times[-1] >= (1 - WARM_UP_GAIN) * min(times[-4:-1]):
            break
    return times


def interval_fraction(values: Sequence[float]) -> float:
    """Half the 95 % confidence interval of the median, as a share of it."""
    return summarize(values).uncertainty_fraction


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


def middle_half(ordered: Sequence[T]) -> Sequence[T]:
    """What is left of sorted values without the lowest and the highest quarter."""
    quarter = len(ordered) // 4
    return ordered[quarter : len(ordered) - quarter]


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean of the middle half."""
    return statistics.fmean(middle_half(sorted(values)))


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """Linear interpolation between order statistics of sorted values."""
    position = fraction * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
