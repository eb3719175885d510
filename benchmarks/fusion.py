"""How much of what runtimes launch for the zoo's networks was predicted.

    python benchmarks/fusion.py onnxruntime torch-eager
    python benchmarks/fusion.py onnxruntime --dtype int8 --blocks

For each network, as in ``latprof fusion``: kernels matched = predicted and launched / (predicted +
launched but not predicted); time matched = time of launches of predicted kernels / that of all.
Shares of time are taken within a network, so a busy machine hardly moves them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass

BARS = (0.98, 0.995)  # of kernels and of time


@dataclass(frozen=True)
class Row:
    """One network under one target."""

    name: str
    kernels: int
    strays: int
    matched: int
    kernels_fraction: float
    time_fraction: float


def main() -> None:
    from latprof.errors import LatprofError
    from latprof.profiling import target_of
    from latprof.zoo import ENTRIES

    asked = _arguments()
    names = asked.networks or [
        name for name, entry in ENTRIES.items() if asked.blocks or entry.kind == "network"
    ]
    tables, below = [], []
    for runtime in asked.runtimes:
        for dtype in asked.dtype:
            try:
                target = target_of(runtime, threads=asked.threads, dtype=dtype)
                rows, failures, version = measured(names, target, asked.seconds)
            except LatprofError as error:
                print(f"{runtime} {dtype}: {error}", file=sys.stderr)
                continue
            tables.append(summary(target.name, version, rows, failures))
            below += [(target.name, row) for row in rows if not passes(row)]
    print("| target | networks | kernels | kernels matched | time matched | worst by kernels | "
          "worst by time |\n|---|---|---|---|---|---|---|")  # fmt: skip
    print("\n".join(tables))
    if below:
        print("\n| below the bar | network | predicted | launched | strays | kernels | time |"
              "\n|---|---|---|---|---|---|---|")  # fmt: skip
    for target, row in below:
        print(f"| {target} | {row.name} | {row.kernels} | {row.matched} | {row.strays} | "
              f"{row.kernels_fraction:.2%} | {row.time_fraction:.2%} |")  # fmt: skip


def measured(names, target, seconds):
    """A row for each network, those that the runtime could not run, and its version."""
    from latprof.errors import LatprofError
    from latprof.frontends import read
    from latprof.launched import compare
    from latprof.measurement.client import Worker

    rows, failures = [], {}
    with Worker(target.runtime, threads=target.threads, dtype=target.dtype) as worker:
        for name in names:
            try:
                found = compare(read(f"zoo:{name}"), worker, target.name, seconds=seconds)
            except LatprofError as error:
                failures[name] = str(error)
                print(f"{target.name} {name}: {error}", file=sys.stderr, flush=True)
                continue
            matched = sum(kernel.matched for kernel in found.kernels)
            rows.append(
                Row(name, len(found.kernels), len(found.strays), matched,
                    found.kernels_matched_fraction or 0.0, found.time_matched_fraction or 0.0)
            )  # fmt: skip
            print(f"{target.name} {rows[-1]}", file=sys.stderr, flush=True)
        return rows, failures, worker.version


def passes(row: Row) -> bool:
    return row.kernels_fraction >= BARS[0] and row.time_fraction >= BARS[1]


def summary(target: str, version: str, rows: list[Row], failures: dict[str, str]) -> str:
    """A line of the table: all kernels of all networks, the mean share of time, the worst."""
    if not rows:
        return f"| {target} ({version}) | 0, {len(failures)} failed | – | – | – | – | – |"
    everything = sum(row.kernels + row.strays for row in rows)
    by_kernels = min(rows, key=lambda row: row.kernels_fraction)
    by_time = min(rows, key=lambda row: row.time_fraction)
    failed = f", {len(failures)} failed" if failures else ""
    return (
        f"| {target} ({version}) | {len(rows)}{failed} | {sum(r.kernels for r in rows)} | "
        f"{sum(row.matched for row in rows) / everything:.2%} | "
        f"{statistics.fmean(row.time_fraction for row in rows):.2%} | "
        f"{by_kernels.name} {by_kernels.kernels_fraction:.2%} | "
        f"{by_time.name} {by_time.time_fraction:.2%} |"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtimes", nargs="+")
    parser.add_argument("--dtype", nargs="+", default=["fp32"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.3, help="of running, each network")
    parser.add_argument("--blocks", action="store_true", help="the zoo's blocks too")
    parser.add_argument("--networks", nargs="*", help="only these")
    return parser.parse_args()


if __name__ == "__main__":
    main()
