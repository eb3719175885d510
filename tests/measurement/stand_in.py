"""Not a test: ``latprof measure`` with a measuring process that answers within a millisecond.

Run with words, it is the command line; without, each line on standard input (how long to measure
in all, in seconds) forks a process that goes on with the measurement, whose number is printed.
"""

from __future__ import annotations

import os
import sys
import time

from latprof import cli
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.measurement import outcome, sweep  # noqa: F401  imported before a fork, not after
from latprof.measurement.network import Effort
from latprof.measurement.times import NetworkTimes, Round
from latprof.runtimes.protocol import KernelTimes
from latprof.sampling import draw_network
from latprof.tables import Target

TARGET = Target("onnxruntime")
VISIT_S = 0.001


class QuickWorker:
    """Every kernel takes 0.1 ms and 2 µs of profiling, every run 10 µs more."""

    version = "onnxruntime, made up"

    def __init__(self, runtime: str, *, threads: int, dtype: str) -> None:
        pass

    def __enter__(self) -> QuickWorker:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def measure(self, graph: Graph, effort: Effort) -> NetworkTimes:
        time.sleep(VISIT_S)
        kernels = fuse(graph, "onnxruntime")
        count = len(kernels)
        each = Round((0.5,) * 3, (0.1 * count + 0.01,) * 4, (0.102 * count,) * 4, 0.0)
        return NetworkTimes((each,), tuple(KernelTimes(k, (0.102,) * 4) for k in kernels))


def main() -> None:
    fuse(draw_network(seed=0, number=0), "onnxruntime")  # what it imports must not count as time
    sweep.Worker = QuickWorker  # type: ignore[assignment,misc]
    if sys.argv[1:]:
        sys.exit(cli.run(sys.argv[1:]))
    import pandas as pd  # noqa: F401  as above

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sweep.sweep(TARGET, seconds=float(line), resume=True)
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
