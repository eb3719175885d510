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
from contextlib import suppress
from dataclasses import asdict
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any

from latprof import runtimes
from latprof.errors import LatprofError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.measurement.canary import canary_graph
from latprof.measurement.headroom import check_headroom
from latprof.measurement.network import Effort, measure_network
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.timing import warm_up
from latprof.measurement.usage import Usage
from latprof.runtimes.protocol import KernelTimes, Session, SharesThreads, Stray

_JOBS_KEPT = 64  # more than the networks of a lap
_FIRST_TO_GO = "1000"  # of all processes, when the system runs out of memory


def main() -> None:
    """Answer jobs until standard input ends."""
    # Libraries print to standard output as they please; only answers may go there.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity") and os.environ.get("LATPROF_PIN"):
        os.sched_setaffinity(0, [int(core) for core in os.environ["LATPROF_PIN"].split(",")])
    with suppress(OSError):  # only Linux knows it
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    serve(sys.stdin, answers)


def serve(jobs: Iterable[str], answers: IO[str]) -> None:
    """Answer each job with its result, or with what went wrong."""
    for line in jobs:
        try:
            answer = _measure(*_job(line))
        except LatprofError as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": "not enough memory to run this network."}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


@lru_cache(maxsize=_JOBS_KEPT)
def _job(line: str) -> tuple[dict[str, Any], Graph | None]:
    """A job and its graph: the same one when the same job comes again, as it does in a sweep.

    Runtimes then need not write its file anew.
    """
    job = json.loads(line)
    return job, Graph.from_dict(job["graph"]) if "graph" in job else None


def _measure(job: dict[str, Any], graph: Graph | None) -> dict[str, Any]:
    runtime = runtimes.load(job["runtime"])
    if isinstance(runtime, SharesThreads) and "threads" in job:
        runtime.share_threads(int(job["threads"]))
    if graph is None:  # a greeting: which library answers here
        return {"version": runtime.version()}
    check_headroom(graph)
    threads, dtype = int(job["threads"]), str(job["dtype"])
    file = Path(job["file"]) if job.get("file") else None
    times = measure_network(
        graph,
        runtime,
        threads=threads,
        dtype=dtype,
        effort=Effort(**job["effort"]),
        canary=_canary(job["runtime"], threads=threads, dtype=dtype),
        file=file,
    )
    described = [asdict(k.kernel) for k in times.kernels] if file else None
    return to_dict(times) | ({"described": described} if described is not None else {})


@cache
def _canary(runtime: str, *, threads: int, dtype: str) -> Session:
    """The canary, open and warm; it stays so as long as the process lives."""
    graph = canary_graph()
    session = runtimes.load(runtime).open(
        graph, fuse(graph, runtime, dtype), threads=threads, profiled=False, dtype=dtype
    )
    warm_up(session.run)
    return session


def to_dict(times: NetworkTimes) -> dict[str, Any]:
    """Times as plain data for JSON; kernels by name, since both ends can fuse the graph."""
    return {
        "rounds": [
            [r.canary_ms, r.plain_ms, r.profiled_ms, r.waiting_fraction] for r in times.rounds
        ],
        "kernels": {k.kernel.name: [k.launches, k.seen, *k.times_ms] for k in times.kernels},
        "strays": [[s.name, s.kind, *s.times_ms] for s in times.strays],
        "missing": list(times.missing),
        "usage": asdict(times.usage),
        "block_ms": times.block_ms,
    }


def described(data: dict[str, Any]) -> tuple[Kernel, ...]:
    """The kernels of a file that ran as it is: only the process that ran it knows them."""
    return tuple(Kernel(**{**told, "nodes": tuple(told["nodes"])}) for told in data["described"])


def from_dict(data: dict[str, Any], kernels: Iterable[Kernel]) -> NetworkTimes:
    """Read what `to_dict` wrote, given the kernels of the same graph."""
    by_name = {kernel.name: kernel for kernel in kernels}
    return NetworkTimes(
        rounds=tuple(
            Round(tuple(canary), tuple(plain), tuple(profiled), waiting)
            for canary, plain, profiled, waiting in data["rounds"]
        ),
        kernels=tuple(
            KernelTimes(by_name[name], tuple(times), int(launches), tuple(seen))
            for name, (launches, seen, *times) in data["kernels"].items()
            if name in by_name
        ),
        strays=tuple(Stray(name, kind, tuple(ts)) for name, kind, *ts in data["strays"]),
        missing=tuple(data["missing"]),
        usage=Usage(**data["usage"]),
        block_ms=float(data["block_ms"]),
    )
