"""Measure one network: end to end without a profiler, kernel by kernel with one, and the canary.

The three take turns, round after round, so that what disturbs one disturbs the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter_ns

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.timing import (
    Cooler,
    interval_fraction,
    sized_block,
    time_block_ms,
    warm_up,
)
from latprof.measurement.usage import Meter, Stopwatch, Usage
from latprof.runtimes.protocol import (
    KernelTimes,
    Observed,
    OpensFiles,
    Runtime,
    Session,
    StopsProfiling,
    TimesItself,
)

Clock = Callable[[], int]

ROUNDS_TO_BE_SURE = 8  # fewer medians say nothing about how sure theirs is
# Kernels are shorter than networks, and need more runs to be known as well.
_PLAIN, _PROFILED, _CANARY = 0.35, 0.50, 0.15
_MOST_SETTLING_RUNS, _SETTLED_MS = 6, 120.0
_CANARY_SETTLING_RUNS = 4


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
    rounds: int = 12
    least: int = 1
    most: int = 50
    least_rounds: int = 6
    precision: float = 0.0
    cold: bool = False

    def runs(self, run_ms: float, share: float) -> int:
        """Runs of one kind in a round, when one takes `run_ms` and they get `share` of the time."""
        wanted = int(share * self.seconds * 1e3 / self.rounds / max(run_ms, 1e-3))
        return min(max(wanted, self.least), self.most)


def measure_network(
    graph: Graph,
    runtime: Runtime,
    *,
    threads: int,
    dtype: str = "fp32",
    effort: Effort,
    canary: Session | None = None,
    file: Path | None = None,
    clock_ns: Clock = perf_counter_ns,
) -> NetworkTimes:
    """Measure `graph` under `runtime`.

    Parameters
    ----------
    canary : Session, optional
        Warm, and run in every round.
    file : Path, optional
        What `graph` was read from, to be run as it is; then every launch is a kernel.
    clock_ns : callable
        Must never go backwards.

    Raises
    ------
    UnsupportedOp, MeasurementError
        If the runtime cannot run it.
    """
    kernels = fuse(graph, runtime.name, dtype) if file is None else ()
    meter = Meter()

    def opened(profiled: bool) -> Session:
        if file is None:
            return runtime.open(graph, kernels, threads=threads, profiled=profiled, dtype=dtype)
        if not isinstance(runtime, OpensFiles):
            raise MeasurementError(
                f"{runtime.name} runs no files as they are. Name a --runtime that does."
            )
        return runtime.open_file(file, graph, threads=threads, profiled=profiled)

    profiled = opened(True)
    if effort.rounds == 1 and not effort.cold and isinstance(profiled, StopsProfiling):
        return _measured_once(
            session=profiled, runtime=runtime.name, graph=graph, kernels=kernels, effort=effort,
            canary=canary, clock_ns=clock_ns,
        )  # fmt: skip
    plain = opened(False)
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
    taken = _Taken(runtime.name, graph.name, skipped, settling, profiled_runs, len(rounds))
    return _told(profiled.finish(), taken, kernels, tuple(rounds), meter.read(), block_ms)


def _measured_once(
    *,
    session: StopsProfiling,
    runtime: str,
    graph: Graph,
    kernels: Sequence[Kernel],
    effort: Effort,
    canary: Session | None,
    clock_ns: Clock,
) -> NetworkTimes:
    """One round in one session, profiled and then plain.

    Opening a network of 2 ms and running it in costs as much as all its timed runs.
    """
    meter, watch = Meter(), Stopwatch()
    canary_ms = _canary(canary, effort, clock_ns)
    warm_ms = warm_up(session.run, clock_ns)
    run_ms = min(warm_ms)
    # Nothing else has run since the warm-up, whose runs count.
    more = max(0, settling_runs(run_ms) - len(warm_ms))
    profiled_ms = _timed(session, more, effort.runs(run_ms, _PROFILED), 1, clock_ns)
    observed = session.stop_profiling()
    together, block_ms = sized_block(session.run, run_ms, clock_ns)
    # Reading the profile took a little of the caches, another network would have taken all.
    plain_ms = _timed(
        session, min(2, settling_runs(run_ms)), effort.runs(run_ms, _PLAIN), together, clock_ns
    )
    only = Round(canary_ms, plain_ms, profiled_ms, watch.waiting_fraction())
    session.finish()
    taken = _Taken(runtime, graph.name, len(warm_ms), more, len(profiled_ms), 1)
    return _told(observed, taken, kernels, (only,), meter.read(), block_ms)


@dataclass(frozen=True)
class _Taken:
    """Which of all the runs that a profiler saw were timed."""

    runtime: str
    network: str
    skipped: int  # of the warm-up
    settling: int
    timed: int
    rounds: int

    def of(self, times_ms: Sequence[float], whose: str) -> tuple[float, ...]:
        block = self.settling + self.timed
        expected = self.skipped + self.rounds * block
        if len(times_ms) != expected:
            raise MeasurementError(
                f"{self.runtime} reports {len(times_ms)} of {expected} {whose} in "
                f"{self.network!r}: its profile is cut short. Measure for less time, or run "
                "another --runtime."
            )
        timed = enumerate(times_ms[self.skipped :])
        return tuple(ms for i, ms in timed if i % block >= self.settling)


def _told(
    observed: Observed,
    taken: _Taken,
    kernels: Sequence[Kernel],
    rounds: tuple[Round, ...],
    usage: Usage,
    block_ms: float,
) -> NetworkTimes:
    seen, strays = observed
    return NetworkTimes(
        rounds=rounds,
        kernels=tuple(
            replace(k, times_ms=taken.of(k.times_ms, f"runs of {k.kernel.name!r}")) for k in seen
        ),
        strays=tuple(replace(s, times_ms=taken.of(s.times_ms, f"runs of {s}")) for s in strays),
        missing=_missing(kernels, seen),
        usage=usage,
        block_ms=block_ms,
    )


def _missing(kernels: Sequence[Kernel], seen: Sequence[KernelTimes]) -> tuple[str, ...]:
    names = {k.kernel.name for k in seen}
    return tuple(kernel.name for kernel in kernels if kernel.name not in names)


def _canary(canary: Session | None, effort: Effort, clock_ns: Clock) -> tuple[float, ...]:
    """A few runs of the canary: enough for a median, and few beside the rest."""
    if canary is None:
        return ()
    # They find the caches full of something else; see `settling_runs`. Six would be dear.
    run_ms = [time_block_ms(canary.run, 1, clock_ns) for _ in range(_CANARY_SETTLING_RUNS)][-1]
    more = max(2, effort.runs(run_ms, _CANARY) - _CANARY_SETTLING_RUNS)
    return _timed(canary, 0, more, 1, clock_ns)


def settling_runs(run_ms: float) -> int:
    """Runs at the start of a block that are not timed: they find the caches full of other things.

    Caches keep what was used often, so that each run wins back only part of them. After the canary
    and the profiled session had run, five zoo networks of 2 to 10 ms took longer than in an
    unbroken loop by 18 to 31 % in the first run, then 7 to 18, 4 to 8, 1 to 5, 1 to 4, 1 to 3 %,
    and less than 2 % from the seventh on; one of 49 ms felt nothing.
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
