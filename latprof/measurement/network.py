"""Measure one network: end to end without a profiler, and kernel by kernel with one.

Both are measured in the same minute, in turns, so that what disturbs one disturbs the other.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter_ns

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.measurement.timing import time_once_ms, warm_up
from latprof.runtimes.protocol import KernelTimes, Runtime, Session, Stray

Clock = Callable[[], int]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Parameters
    ----------
    seconds : float
        Wanted running time, warm-up and loading left out.
    least, most : int
        Bounds on the number of runs of each kind.
    rounds : int
        In how many turns plain and profiled runs alternate, where there are runs enough.
    """

    seconds: float
    least: int = 10
    most: int = 200
    rounds: int = 5

    def runs_by_round(self, run_ms: float) -> list[int]:
        """Runs of each kind in each round, when one takes `run_ms`."""
        wanted = int(self.seconds * 1e3 / 2 / max(run_ms, 1e-3))
        runs = max(1, min(max(wanted, self.least), self.most))
        rounds = min(self.rounds, runs)
        return [runs // rounds + (turn < runs % rounds) for turn in range(rounds)]


@dataclass(frozen=True)
class NetworkTimes:
    """What was timed for one network.

    Parameters
    ----------
    times_ms : tuple of float
        End to end, no profiler attached, in the order of the runs.
    profiled_ms : tuple of float
        End to end with the profiler attached.
    kernels : tuple of KernelTimes
        Timed in the profiled runs: the first of `times_ms` in the first of `profiled_ms`.
    strays : tuple of Stray
        Launches of the runtime that belong to no kernel that fusion predicted.
    missing : tuple of str
        Predicted kernels that the runtime did not launch.
    """

    times_ms: tuple[float, ...]
    profiled_ms: tuple[float, ...]
    kernels: tuple[KernelTimes, ...]
    strays: tuple[Stray, ...] = ()
    missing: tuple[str, ...] = ()


def measure_network(
    graph: Graph,
    runtime: Runtime,
    *,
    threads: int,
    dtype: str = "fp32",
    effort: Effort,
    clock_ns: Clock = perf_counter_ns,
) -> NetworkTimes:
    """Measure `graph` under `runtime`.

    Raises
    ------
    UnsupportedOp, MeasurementError
        If the runtime cannot run it.
    """
    kernels = fuse(graph, runtime.name, dtype)
    plain, profiled = (
        runtime.open(graph, kernels, threads=threads, profiled=flag, dtype=dtype)
        for flag in (False, True)
    )
    once_ms = min(warm_up(plain.run, clock_ns))
    skipped = len(warm_up(profiled.run, clock_ns))
    times: list[float] = []
    profiled_times: list[float] = []
    for runs in effort.runs_by_round(once_ms):
        times += _block(plain, runs, clock_ns)
        profiled_times += _block(profiled, runs, clock_ns)
    plain.finish()
    found, strays = profiled.finish()
    warm = tuple(replace(k, times_ms=k.times_ms[skipped:]) for k in found)
    if any(len(k.times_ms) != len(profiled_times) for k in warm):
        short = min(warm, key=lambda k: len(k.times_ms))
        raise MeasurementError(
            f"{runtime.name} reports {len(short.times_ms)} of {len(profiled_times)} runs of "
            f"{short.kernel.name!r} in {graph.name!r}: its profile is cut short. Measure for less "
            "time, or run another --runtime."
        )
    seen = {k.kernel.name for k in found}
    return NetworkTimes(
        times_ms=tuple(times),
        profiled_ms=tuple(profiled_times),
        kernels=warm,
        strays=tuple(replace(s, times_ms=s.times_ms[skipped:]) for s in strays),
        missing=tuple(kernel.name for kernel in kernels if kernel.name not in seen),
    )


def _block(session: Session, runs: int, clock_ns: Clock) -> list[float]:
    return [time_once_ms(session.run, clock_ns) for _ in range(runs)]


def typical_kernels_ms(times: NetworkTimes) -> tuple[float, ...]:
    """Each kernel's time over the typical runs, in the order of `times.kernels`.

    Typical are the runs in the middle half by total time. Averaging every kernel over the same
    runs keeps the sum of the parts equal to the whole, which medians kernel by kernel do not:
    each ignores its own slow runs, and they are different ones.
    """
    order = sorted(range(len(times.profiled_ms)), key=times.profiled_ms.__getitem__)
    quarter = len(order) // 4
    typical = order[quarter : len(order) - quarter]
    return tuple(statistics.fmean(k.times_ms[i] for i in typical) for k in times.kernels)
