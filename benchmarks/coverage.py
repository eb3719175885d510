"""Whether what is sampled lies where real networks do.

    python benchmarks/coverage.py --networks 1500

For every kernel of the zoo, the nearest sampled kernel of the same operator: distance is that of
the axis they differ most in, in octaves (log2 of sizes). One further than an octave is listed.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

import numpy as np

SIZES = ("batch", "in_channels", "in_height", "in_width", "out_channels", "out_height",
         "out_width", "kernel_height", "kernel_width", "stride_height", "dilation", "groups",
         "operands")  # fmt: skip
BOUND = 1.0  # octaves


def main() -> None:
    from latprof.frontends import read
    from latprof.fusion import fuse
    from latprof.sampling import draw_network
    from latprof.zoo import ENTRIES

    asked = _arguments()
    networks = [draw_network(asked.seed, number) for number in range(asked.networks)]
    tell_sizes(networks)
    zoo = [read(f"zoo:{name}") for name in ENTRIES]
    for runtime in asked.runtimes:
        sampled = [kernel for graph in networks for kernel in fuse(graph, runtime)]
        near = Neighbours(sampled)
        found, done = [], set()
        for graph in zoo:
            for kernel in fuse(graph, runtime):
                key = (kernel.op, sizes(kernel))
                if key not in done:
                    done.add(key)
                    found.append((near.octaves(kernel), graph.name, kernel))
        distances = [octaves for octaves, *_ in found]
        distinct = len({kernel.signature for kernel in sampled})
        print(f"{runtime}: {len(sampled)} kernels sampled, {distinct} distinct; {len(found)} "
              f"distinct in the zoo, median distance {statistics.median(distances):.2f} octaves, "
              f"{sum(d > BOUND / 2 for d in distances)} beyond {BOUND / 2}, "
              f"{sum(d > BOUND for d in distances)} beyond {BOUND}")  # fmt: skip
        for octaves, name, kernel in sorted(found, key=lambda each: -each[0]):
            if octaves > BOUND:
                print(f"  {octaves:.2f}  {name} {kernel.name}: {kernel.op} {kernel.shape_text}")


class Neighbours:
    """The sampled kernels by operator, as points."""

    def __init__(self, kernels) -> None:
        by_op = defaultdict(set)
        for kernel in kernels:
            by_op[kernel.op].add(sizes(kernel))
        self._points = {op: np.array(sorted(found)) for op, found in by_op.items()}

    def octaves(self, kernel) -> float:
        """Distance to the nearest; infinite where the operator was never sampled."""
        points = self._points.get(kernel.op)
        if points is None:
            return float("inf")
        return float(np.abs(points - np.array(sizes(kernel))).max(axis=1).min())


def sizes(kernel) -> tuple[float, ...]:
    return tuple(float(np.log2(max(1, getattr(kernel, name)))) for name in SIZES)


def tell_sizes(networks) -> None:
    """How large the networks are: what measuring them takes follows from it."""
    from latprof.counting import count

    macs = sorted(count(graph).macs / 1e6 for graph in networks)
    n = len(macs)
    print(f"{n} networks: mean {statistics.fmean(macs):.0f} M MACs, median {macs[n // 2]:.0f}, "
          f"p90 {macs[int(0.9 * n)]:.0f}, p99 {macs[int(0.99 * n)]:.0f}, "
          f"{sum(m > 300 for m in macs) / n:.1%} above 300")  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runtimes", nargs="+", default=["onnxruntime", "torch-eager"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
