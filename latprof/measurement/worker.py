"""The process that measures: it reads jobs as JSON lines and answers in JSON lines.

A process of its own, so that the allocator and the thread pools are set up before any library
loads, and so that a runtime that crashes or hangs takes nothing else with it. See
`latprof.measurement.client` for the other end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from latprof import runtimes
from latprof.errors import LatprofError
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.measurement.network import Effort, NetworkTimes, measure_network
from latprof.runtimes.protocol import KernelTimes, Stray


def main() -> None:
    """Answer jobs until standard input ends."""
    # Libraries print to standard output as they please; only answers may go there.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity") and os.environ.get("LATPROF_PIN"):
        os.sched_setaffinity(0, [int(core) for core in os.environ["LATPROF_PIN"].split(",")])
    serve(sys.stdin, answers)


def serve(jobs: Iterable[str], answers: IO[str]) -> None:
    """Answer each job with its result, or with what went wrong."""
    for line in jobs:
        try:
            answer = _measure(json.loads(line))
        except LatprofError as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": "not enough memory to run this network."}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    runtime = runtimes.load(job["runtime"])
    if "graph" not in job:  # a greeting: which library answers here
        return {"version": runtime.version()}
    times = measure_network(
        Graph.from_dict(job["graph"]),
        runtime,
        threads=int(job["threads"]),
        dtype=job["dtype"],
        effort=Effort(**job["effort"]),
    )
    return to_dict(times)


def to_dict(times: NetworkTimes) -> dict[str, Any]:
    """Times as plain data for JSON; kernels by name, since both ends can fuse the graph."""
    return {
        "times_ms": list(times.times_ms),
        "profiled_ms": list(times.profiled_ms),
        "kernels": {k.kernel.name: [k.launches, k.seen, *k.times_ms] for k in times.kernels},
        "strays": [[s.name, s.kind, *s.times_ms] for s in times.strays],
        "missing": list(times.missing),
    }


def from_dict(data: dict[str, Any], kernels: Iterable[Kernel]) -> NetworkTimes:
    """Read what `to_dict` wrote, given the kernels of the same graph."""
    by_name = {kernel.name: kernel for kernel in kernels}
    return NetworkTimes(
        times_ms=tuple(data["times_ms"]),
        profiled_ms=tuple(data["profiled_ms"]),
        kernels=tuple(
            KernelTimes(by_name[name], tuple(times), int(launches), tuple(seen))
            for name, (launches, seen, *times) in data["kernels"].items()
            if name in by_name
        ),
        strays=tuple(Stray(name, kind, tuple(ts)) for name, kind, *ts in data["strays"]),
        missing=tuple(data["missing"]),
    )
