"""Whether two profiles of the same model agree, minutes apart and beside a busy neighbour.

Profiles the networks of the zoo three times: at first, then while another process keeps a core
that the measurement does not use busy, then again at least ten minutes after the first time. Prints
how far the second and third differ from the first, with the canary's correction and without it.

    python benchmarks/repeatability.py [RUNTIME] [--networks N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import latprof
from latprof import zoo
from latprof.captured import capture
from latprof.graph import Graph
from latprof.measurement.environment import cores_for, usable_cores
from latprof.profiling import Profile

APART_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtime", nargs="?", default="onnxruntime")
    parser.add_argument("--networks", type=int, help="only every so many, to try the script")
    asked = parser.parse_args()
    names = [name for name, entry in zoo.ENTRIES.items() if entry.kind == "network"]
    graphs = {name: capture(f"zoo:{name}") for name in names[:: asked.networks or 1]}
    latprof.profile(graphs[next(iter(graphs))], runtime=asked.runtime)  # learns the baseline
    started = time.monotonic()
    first = _profiles(graphs, asked.runtime)
    with busy_neighbour():
        beside = _profiles(graphs, asked.runtime)
    time.sleep(max(0.0, APART_S - (time.monotonic() - started)))
    apart_s = time.monotonic() - started
    second = _profiles(graphs, asked.runtime)
    print(f"{asked.runtime}, {len(graphs)} networks, {apart_s / 60:.0f} min apart\n")
    print(
        "| network | first ms | later | uncorrected | beside a neighbour | uncorrected | grades |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in graphs:
        one, other, busy = first[name], second[name], beside[name]
        cells = (f"{100 * change(one, p, raw=raw):+.1f}%" for p in (other, busy)
                 for raw in (False, True))  # fmt: skip
        grades = one.grade.letter + busy.grade.letter + other.grade.letter
        print(f"| {name} | {one.summary.latency_ms:.2f} | {' | '.join(cells)} | {grades} |")
    print("\n| | median | 90th percentile | worst |\n|---|---|---|---|")
    for what, later in (("later", second), ("beside a busy neighbour", beside)):
        for raw in (False, True):
            found = sorted(abs(change(first[name], later[name], raw=raw)) for name in graphs)
            row = (statistics.median(found), found[int(0.9 * len(found))], found[-1])
            cells = " | ".join(f"{100 * value:.1f}%" for value in row)
            print(f"| {what}{', uncorrected' if raw else ''} | {cells} |")


def change(one: Profile, other: Profile, *, raw: bool) -> float:
    """How much longer `other` took, as a share."""
    if raw:
        return other.uncorrected_ms / one.uncorrected_ms - 1
    return other.summary.latency_ms / one.summary.latency_ms - 1


def _profiles(graphs: dict[str, Graph], runtime: str) -> dict[str, Profile]:
    return {name: latprof.profile(graph, runtime=runtime) for name, graph in graphs.items()}


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """A process that multiplies matrices on a core that the measurement leaves alone."""
    free = sorted(set(usable_cores()) - set(cores_for(1)))
    process = multiprocessing.Process(target=_keep_busy, args=(free[:1],), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _keep_busy(cores: list[int]) -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, cores)
    import numpy as np

    matrix = np.random.default_rng(0).standard_normal((600, 600))
    while True:
        matrix @ matrix


if __name__ == "__main__":
    main()
