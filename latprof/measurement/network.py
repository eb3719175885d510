"""Measure one network: end to end without a profiler, kernel by kernel with one, and the canary.

The three take turns, round after round, so that what disturbs one disturbs the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from time import perf_counter_ns

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.measurement.canary import Drift, elasticity_of
from latprof.measurement.timing import (
    Cooler,
    interquartile_mean,
    interval_fraction,
    middle_half,
    sized_block,
    time_block_ms,
    warm_up,
)
from latprof.measurement.usage import Meter, Stopwatch, Usage
from latprof.runtimes.protocol import KernelTimes, Runtime, Session, Stray, TimesItself

Clock = Callable[[], int]

ROUNDS_TO_BE_SURE = 8  # fewer medians say nothing about how sure theirs is
# Kernels are shorter than networks, and need more runs to be known as well.
_PLAIN, _PROFILED, _CANARY = 0.35, 0.50, 0.15
_MOST_SETTLING_RUNS, _SETTLED_MS = 2, 20.0
# Beyond these a round is disturbed: share of it spent waiting for a core, times the usual canary.
_WAITING, _SLOW_CANARY = 0.05, 1.3


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Parameters
    ----------
    seconds : float
        Wanted running time, warm-up and loading left out.
    rounds : int
        In how many turns plain and profiled runs and the canary alternate.
    least, most : int
        Bounds on the runs of each kind in a round.
    least_rounds : int
        Are run however long they take.
    precision : float
        Enough once the median's confidence interval is within ± this share; 0 for never.
    cold : bool
        Whether caches are emptied before every timed run.
    """

    seconds: float
    rounds: int = 20
    least: int = 1
    most: int = 50
    least_rounds: int = 6
    precision: float = 0.0
    cold: bool = False

    def runs(self, run_ms: float, share: float) -> int:
        """Runs of one kind in a round, when one takes `run_ms` and they get `share` of the time."""
        wanted = int(share * self.seconds * 1e3 / self.rounds / max(run_ms, 1e-3))
        return min(max(wanted, self.least), self.most)


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


def measure_network(
    graph: Graph,
    runtime: Runtime,
    *,
    threads: int,
    dtype: str = "fp32",
    effort: Effort,
    canary: Session | None = None,
    clock_ns: Clock = perf_counter_ns,
) -> NetworkTimes:
    """Measure `graph` under `runtime`.

    Parameters
    ----------
    canary : Session, optional
        Warm, and run in every round.
    clock_ns : callable
        Must never go backwards.

    Raises
    ------
    UnsupportedOp, MeasurementError
        If the runtime cannot run it.
    """
    kernels = fuse(graph, runtime.name, dtype)
    meter = Meter()
    plain, profiled = (
        runtime.open(graph, kernels, threads=threads, profiled=flag, dtype=dtype)
        for flag in (False, True)
    )
    run_ms = min(warm_up(plain.run, clock_ns))
    together, block_ms = sized_block(plain.run, run_ms, clock_ns)
    run_ms = block_ms / together
    skipped = len(warm_up(profiled.run, clock_ns))
    rounds: list[Round] = []
    settling = 0 if effort.cold else settling_runs(run_ms)
    plain_runs, profiled_runs = effort.runs(run_ms, _PLAIN), effort.runs(run_ms, _PROFILED)
    cooler = Cooler() if effort.cold else None
    started, spent_s = clock_ns(), 0.0
    while len(rounds) < effort.rounds:
        watch = Stopwatch()
        timed = (
            _canary(canary, effort, clock_ns),
            _timed(plain, settling, plain_runs, together, clock_ns, cooler),
            _timed(profiled, settling, profiled_runs, 1, clock_ns, cooler),
        )
        rounds.append(Round(*timed, watch.waiting_fraction()))
        spent_s = (clock_ns() - started) / 1e9
        if len(rounds) >= effort.least_rounds and (
            spent_s >= effort.seconds or _is_sure(rounds, effort.precision)
        ):
            break
    plain.finish()
    seen, strays = profiled.finish()

    def taken(times_ms: Sequence[float], whose: str) -> tuple[float, ...]:
        """The timed runs among all that the profiler saw."""
        block = settling + profiled_runs
        if len(times_ms) != skipped + len(rounds) * block:
            raise MeasurementError(
                f"{runtime.name} reports {len(times_ms)} of {skipped + len(rounds) * block} "
                f"{whose} in {graph.name!r}: its profile is cut short. Measure for less time, or "
                "run another --runtime."
            )
        return tuple(ms for i, ms in enumerate(times_ms[skipped:]) if i % block >= settling)

    return NetworkTimes(
        rounds=tuple(rounds),
        kernels=tuple(
            replace(k, times_ms=taken(k.times_ms, f"runs of {k.kernel.name!r}")) for k in seen
        ),
        strays=tuple(replace(s, times_ms=taken(s.times_ms, f"runs of {s}")) for s in strays),
        missing=_missing(kernels, seen),
        usage=meter.read(),
        block_ms=block_ms,
    )


def _missing(kernels: Sequence[Kernel], seen: Sequence[KernelTimes]) -> tuple[str, ...]:
    names = {k.kernel.name for k in seen}
    return tuple(kernel.name for kernel in kernels if kernel.name not in names)


def _canary(canary: Session | None, effort: Effort, clock_ns: Clock) -> tuple[float, ...]:
    """A few runs of the canary: enough for a median, and few beside the rest."""
    if canary is None:
        return ()
    time_block_ms(canary.run, 1, clock_ns)  # finds the caches full of something else
    first_ms = time_block_ms(canary.run, 1, clock_ns)
    more = max(2, effort.runs(first_ms, _CANARY) - 2)
    return _timed(canary, 0, more, 1, clock_ns)


def settling_runs(run_ms: float) -> int:
    """Runs at the start of a block that are not timed: they find the caches full of other things.

    Of a network of 2 ms the first run took 18 % longer than the later ones, the second 6 %, the
    third 1 %: about 0.4 ms in all, which long runs do not feel.
    """
    return min(_MOST_SETTLING_RUNS, int(_SETTLED_MS / max(run_ms, 1e-3)))


def _timed(
    session: Session,
    settling: int,
    times: int,
    together: int,
    clock_ns: Clock,
    cooler: Cooler | None = None,
) -> tuple[float, ...]:
    for _ in range(settling):
        session.run()
    if isinstance(session, TimesItself):
        return tuple(session.timed_run() for _ in range(times))
    return tuple(time_block_ms(session.run, together, clock_ns, cooler) for _ in range(times))


def _is_sure(rounds: Sequence[Round], precision: float) -> bool:
    if not precision or len(rounds) < ROUNDS_TO_BE_SURE:
        return False
    times = NetworkTimes(tuple(rounds), ()).undisturbed()
    steady = times.brought_to(times.drift())
    medians = [statistics.median(each.plain_ms) for each in steady.rounds]
    return interval_fraction(medians) <= precision


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
