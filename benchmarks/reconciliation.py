"""Whether the kernels of a model add up to the model: |Σ kernels + overhead − end to end|.

python benchmarks/reconciliation.py [RUNTIME[:DTYPE] ...] [--networks N]
"""

from __future__ import annotations

import argparse
import statistics

import latprof
from latprof import zoo
from latprof.captured import capture
from latprof.errors import LatprofError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtimes", nargs="*", default=["onnxruntime", "torch-eager", "litert"])
    parser.add_argument("--networks", type=int, help="only every so many, to try the script")
    asked = parser.parse_args()
    names = [name for name, entry in zoo.ENTRIES.items() if entry.kind == "network"]
    graphs = {name: capture(f"zoo:{name}") for name in names[:: asked.networks or 1]}
    found: dict[str, dict[str, float]] = {runtime: {} for runtime in asked.runtimes}
    print(f"| network | {' | '.join(asked.runtimes)} |")
    print("|---" * (1 + len(asked.runtimes)) + "|")
    for name, graph in graphs.items():
        cells = []
        for asked_runtime in asked.runtimes:
            runtime, _, dtype = asked_runtime.partition(":")
            try:
                profile = latprof.profile(graph, runtime=runtime, dtype=dtype or "fp32")
            except LatprofError as error:
                cells.append(f"not run: {str(error)[:60]}")
                continue
            left = profile.unexplained_ms / profile.summary.latency_ms
            found[asked_runtime][name] = abs(left)
            cells.append(f"{100 * left:+.1f}%")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print("\n| runtime | networks | median | worst |\n|---|---|---|---|")
    for asked_runtime, errors in found.items():
        if errors:
            worst = max(errors, key=errors.__getitem__)
            median = statistics.median(errors.values())
            print(f"| {asked_runtime} | {len(errors)} | {100 * median:.1f}% "
                  f"| {100 * errors[worst]:.1f}% ({worst}) |")  # fmt: skip


if __name__ == "__main__":
    main()
