"""How right the cost model is on whole networks it has never seen.

Measures every network of the zoo on this machine, several passes in turn, and holds the fitted
model's predictions against it, beside two baselines learned from the same table: MACs over one
rate, and the bare roofline. Run ``latprof measure --time 5min`` and ``latprof fit host`` first,
or let ``--fresh 5min`` do both in a folder of its own.

    python benchmarks/accuracy.py --fresh 5min
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np

# The zoo's entries at their own size, and some at other widths and sizes: searched and scaled
# networks are what people bring.
MAX_MACS = 2_000_000_000  # larger networks are not light, and take most of the time
VARIANTS = (
    "mobilenet_v1?width_multiplier=0.5",
    "mobilenet_v1?size=160",
    "mobilenet_v2?width_multiplier=0.5",
    "mobilenet_v2?width_multiplier=1.4",
    "mobilenet_v2?size=160",
    "mobilenet_v3_large?width_multiplier=0.75",
    "mobilenet_v3_large?size=288",
    "mobilenet_v3_small?size=160",
    "efficientnet_b0?size=288",
    "resnet18?size=160",
    "resnet50?size=128",
)
PASSES = 3
SECONDS = 1.5  # of running, each network and pass
SHORT_MS = 1.0


@dataclass(frozen=True)
class Row:
    """One network: measured, predicted, and what two baselines say."""

    name: str
    measured_ms: float
    predicted_ms: float
    low_ms: float
    high_ms: float
    macs_only_ms: float
    roofline_ms: float
    beyond_table: float


def main() -> None:
    arguments = _arguments()
    if arguments.fresh:
        os.environ["LATPROF_HOME"] = tempfile.mkdtemp(prefix="latprof-accuracy-")
        common = ["--runtime", arguments.runtime, "--threads", str(arguments.threads)]
        _latprof("measure", "--time", arguments.fresh, *common)
        _latprof("fit", f"host/{arguments.runtime}-cpu{arguments.threads}-fp32")
    rows = measure(f"host/{arguments.runtime}-cpu{arguments.threads}-fp32")
    print(table(rows))
    print(summary(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fresh", metavar="TIME", help="measure anew for this long, then fit")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _latprof(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "latprof", *words], check=True)


def measure(reference: str) -> list[Row]:
    """Measure the zoo in turns and predict it from what ``reference`` has learned."""
    from latprof import zoo
    from latprof.captured import capture
    from latprof.counting import count
    from latprof.measurement.client import Worker
    from latprof.measurement.network import Effort
    from latprof.prediction import predict
    from latprof.tables import Target, read_table, resolve

    light = [
        name
        for name, entry in zoo.ENTRIES.items()
        if entry.kind == "network" and (entry.macs or 0) <= MAX_MACS
    ]
    names = [*light, *VARIANTS]
    graphs = {name: capture(f"zoo:{name}") for name in names}
    target = Target.parse(resolve(reference)[1])
    times: dict[str, list[float]] = {name: [] for name in names}
    with Worker(target.runtime, threads=target.threads) as worker:
        for turn in range(PASSES):
            for name in names if turn % 2 == 0 else reversed(names):
                found = worker.measure(graphs[name], Effort(seconds=SECONDS))
                times[name].append(statistics.median(found.times_ms))
    networks = read_table(reference).networks
    ms_per_mac = float(np.median(networks["latency_ms"] / networks["macs"].clip(lower=1)))
    rows = []
    for name in names:
        prediction = predict(graphs[name], reference).predictions[0]
        basis = prediction.basis
        rows.append(
            Row(
                name=name,
                measured_ms=statistics.median(times[name]),
                predicted_ms=prediction.latency_ms,
                low_ms=prediction.low_ms,
                high_ms=prediction.high_ms,
                macs_only_ms=count(graphs[name]).macs * ms_per_mac,
                roofline_ms=sum(kernel.bound_ms for kernel in prediction.kernels),
                beyond_table=basis["extrapolated"] + basis["bound"],
            )
        )
    return rows


def table(rows: list[Row]) -> str:
    """Every network, as a Markdown table."""
    lines = [
        "| network | measured ms | predicted ms | error | interval | MACs only | roofline |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        says = (row.predicted_ms, row.macs_only_ms, row.roofline_ms)
        error, macs_only, roofline = (value / row.measured_ms - 1 for value in says)
        lines.append(
            f"| {row.name} | {row.measured_ms:.2f} | {row.predicted_ms:.2f} | {error:+.1%} | "
            f"{row.low_ms:.2f} – {row.high_ms:.2f} | {macs_only:+.0%} | {roofline:+.0%} |"
        )
    return "\n".join(lines)


def summary(rows: list[Row]) -> str:
    """Errors of the model and of the baselines."""
    kinds = {
        "latprof": [row.predicted_ms for row in rows],
        "MACs over one rate": [row.macs_only_ms for row in rows],
        "roofline": [row.roofline_ms for row in rows],
    }
    measured = np.array([row.measured_ms for row in rows])
    lines = ["", "| | MAPE | median | within ±10 % | within ±5 % |", "|---|---|---|---|---|"]
    for kind, values in kinds.items():
        error = np.abs(np.array(values) / measured - 1)
        lines.append(
            f"| {kind} | {error.mean():.1%} | {np.median(error):.1%} | "
            f"{(error <= 0.1).mean():.0%} | {(error <= 0.05).mean():.0%} |"
        )
    held = np.mean([row.low_ms <= row.measured_ms <= row.high_ms for row in rows])
    width = np.median([(row.high_ms - row.low_ms) / 2 / row.predicted_ms for row in rows])
    lines.append(f"\n{len(rows)} networks; the 90 % interval holds {held:.0%} of them, "
                 f"median width ±{width:.0%}.")  # fmt: skip
    short = [row for row in rows if row.measured_ms < SHORT_MS]
    if short:
        error = np.mean([abs(row.predicted_ms / row.measured_ms - 1) for row in short])
        lines.append(f"Of them {len(short)} under {SHORT_MS:g} ms: MAPE {error:.1%}.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
