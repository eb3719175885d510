"""What was timed of one network: rounds of runs, and each kernel's share in them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from latprof.measurement.canary import Drift, elasticity_of
from latprof.measurement.timing import interquartile_mean, middle_half
from latprof.measurement.usage import Usage
from latprof.runtimes.protocol import KernelTimes, Stray

# Beyond these a round is disturbed: share of it spent waiting for a core, times the usual canary.
_WAITING, _SLOW_CANARY = 0.05, 1.3


@dataclass(frozen=True)
class Round:
    """What was timed in one turn, in milliseconds.

    Parameters
    ----------
    canary_ms : tuple of float
        Empty where no canary ran.
    plain_ms : tuple of float
        End to end, no profiler attached.
    profiled_ms : tuple of float
        End to end with the profiler attached.
    waiting_fraction : float or None
        Share of it that the process was ready and had no core; None where nobody tells.
    """

    canary_ms: tuple[float, ...]
    plain_ms: tuple[float, ...]
    profiled_ms: tuple[float, ...]
    waiting_fraction: float | None = None


@dataclass(frozen=True)
class NetworkTimes:
    """What was timed for one network.

    Parameters
    ----------
    rounds : tuple of Round
    kernels : tuple of KernelTimes
        Timed in the profiled runs: the first of their times in the first of `profiled_ms`.
    strays : tuple of Stray
        Launches of the runtime that belong to no kernel that fusion predicted.
    missing : tuple of str
        Predicted kernels that the runtime did not launch.
    usage : Usage
        What else happened meanwhile.
    block_ms : float
        How long the shortest timed stretch took.
    """

    rounds: tuple[Round, ...]
    kernels: tuple[KernelTimes, ...]
    strays: tuple[Stray, ...] = ()
    missing: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    block_ms: float = 0.0

    @property
    def times_ms(self) -> tuple[float, ...]:
        """End to end, in the order of the runs."""
        return tuple(ms for each in self.rounds for ms in each.plain_ms)

    @property
    def profiled_ms(self) -> tuple[float, ...]:
        return tuple(ms for each in self.rounds for ms in each.profiled_ms)

    @property
    def canary_ms(self) -> tuple[float, ...]:
        """The canary's median in each round; empty where none ran."""
        return tuple(statistics.median(each.canary_ms) for each in self.rounds if each.canary_ms)

    def undisturbed(self) -> NetworkTimes:
        """Without the rounds that something else got into, if half of them are left.

        That is where the process waited for a core, or the canary was far slower than usual: a
        factor mends neither.
        """
        usual_ms = statistics.median(self.canary_ms) if self.canary_ms else None
        kept = [i for i, each in enumerate(self.rounds) if not is_disturbed(each, usual_ms)]
        if len(kept) == len(self.rounds) or len(kept) < max(2, len(self.rounds) / 2):
            return self
        ends = list(accumulate(len(each.profiled_ms) for each in self.rounds))
        runs = [r for i in kept for r in range(ends[i] - len(self.rounds[i].profiled_ms), ends[i])]
        return replace(
            self,
            rounds=tuple(self.rounds[i] for i in kept),
            kernels=tuple(
                replace(k, times_ms=tuple(k.times_ms[r] for r in runs)) for k in self.kernels
            ),
        )

    def drift(self, reference_ms: float | None = None) -> Drift | None:
        """How times followed the canary, and to what state to bring them; None without one.

        Parameters
        ----------
        reference_ms : float, optional
            The canary's time in that state; its median over these rounds if not given.
        """
        canary_ms = self.canary_ms
        if not canary_ms:
            return None
        medians = [statistics.median(each.plain_ms) for each in self.rounds]
        elasticity = elasticity_of(medians, canary_ms)
        return Drift(reference_ms or statistics.median(canary_ms), elasticity)

    def brought_to(self, drift: Drift | None) -> NetworkTimes:
        """The same times as they would have been with the canary at its reference."""
        if drift is None:
            return self
        factors = [drift.factor(canary_ms) for canary_ms in self.canary_ms]
        by_run = [
            factor
            for factor, each in zip(factors, self.rounds, strict=True)
            for _ in each.profiled_ms
        ]
        return replace(
            self,
            rounds=tuple(
                replace(each, plain_ms=_times(each.plain_ms, factor),
                        profiled_ms=_times(each.profiled_ms, factor))
                for factor, each in zip(factors, self.rounds, strict=True)
            ),
            kernels=tuple(
                replace(k, times_ms=tuple(t * f for t, f in zip(k.times_ms, by_run, strict=True)))
                for k in self.kernels
            ),
        )  # fmt: skip


def _times(values_ms: Sequence[float], factor: float) -> tuple[float, ...]:
    return tuple(ms * factor for ms in values_ms)


def is_disturbed(each: Round, usual_canary_ms: float | None) -> bool:
    """Whether something else got into a round so far that no correction mends it."""
    if (each.waiting_fraction or 0.0) > _WAITING:
        return True
    if usual_canary_ms is None or not each.canary_ms:
        return False
    return statistics.median(each.canary_ms) > _SLOW_CANARY * usual_canary_ms


def typical_kernels_ms(times: NetworkTimes) -> tuple[float, ...]:
    """Each kernel's time over its typical runs, in the order of `times.kernels`.

    The mean of the middle half of a kernel's runs, which no spike that hit just this kernel moves;
    all then scaled alike, so that their sum is that of the runs in the middle half by total time.
    Means and medians kernel by kernel do not add up to the whole: each leaves out other runs.

    Over four visits to small networks the result scatters by 3.5 %, where the kernels' means over
    the same typical runs scatter by 5.0 %.
    """
    if not times.kernels:
        return ()
    parts = [interquartile_mean(k.times_ms) for k in times.kernels]
    order = sorted(range(len(times.profiled_ms)), key=times.profiled_ms.__getitem__)
    typical = middle_half(order)
    whole = sum(statistics.fmean(k.times_ms[i] for i in typical) for k in times.kernels)
    scale = whole / sum(parts) if sum(parts) else 1.0
    return tuple(part * scale for part in parts)
