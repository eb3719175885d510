"""How many distinct kernels five minutes of `latprof measure` give, and how sure they are.

    LATPROF_HOME=$(mktemp -d) latprof measure --time 5min --visits 10
    python benchmarks/sweep_cost.py [TARGET]

Run it with the same LATPROF_HOME.
"""

from __future__ import annotations

import sys

from latprof.kernel import COLUMNS
from latprof.tables import read_table


def main() -> None:
    target = sys.argv[1] if len(sys.argv) > 1 else "onnxruntime-cpu1-fp32"
    table = read_table(f"host/{target}")
    facts = table.facts
    print(f"{target}: {facts['networks']} networks, {facts['visits']} visits "
          f"({facts['disturbed_visits']} left out), {facts['seconds']:.0f} s, "
          f"grade {facts['grade']}")  # fmt: skip
    for reason in facts["grade_reasons"]:
        print(f"  {reason}")
    print("\n| grade or better | kernels | distinct kernels | share of the time |")
    print("|---|---|---|---|")
    kernels = table.kernels
    for letter in sorted(kernels["grade"].unique()):
        kept = kernels[kernels["grade"] <= letter]
        distinct = kept.drop_duplicates(list(COLUMNS))
        share = kept["latency_ms"].sum() / kernels["latency_ms"].sum()
        print(f"| {letter} | {len(kept)} | {len(distinct)} | {100 * share:.0f}% |")
    one, whole = (rows["uncertainty_fraction"].median() for rows in (kernels, table.networks))
    print(
        f"\nmedian uncertainty: ±{100 * one:.1f} % of a kernel, ±{100 * whole:.1f} % of a network"
    )


if __name__ == "__main__":
    main()
