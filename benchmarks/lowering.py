"""Whether the model that latprof runs costs what the exported one costs.

latprof writes its own ONNX file from the graph. This runs, in turns, that file and the one that
torch.onnx.export writes for the same network, and prints the ratio. Needs onnxscript.

    python benchmarks/lowering.py
"""

from __future__ import annotations

import io
import statistics
import time
import warnings
from collections.abc import Callable

import onnxruntime as ort
import torch

from latprof import zoo
from latprof.captured import capture
from latprof.graph import Graph
from latprof.runtimes.onnx_writer import write_onnx
from latprof.runtimes.weights import input_values

Run = Callable[[], object]

ROUNDS, RUNS = 7, 10
MAX_MACS = 2_000_000_000  # larger networks are not light, and take most of the time


def main() -> None:
    print("| network | torch.onnx.export ms | latprof's own ms | ratio |\n|---|---|---|---|")
    ratios = []
    for name, entry in zoo.ENTRIES.items():
        if entry.kind != "network" or (entry.macs or 0) > MAX_MACS:
            continue
        exported, ours = _exported(name), _ours(name)
        taken: dict[str, list[float]] = {"exported": [], "ours": []}
        for _ in range(ROUNDS):
            for key, run in (("exported", exported), ("ours", ours)):
                taken[key] += [_timed(run) for _ in range(RUNS)]
        a, b = (statistics.median(taken[key]) * 1e3 for key in ("exported", "ours"))
        ratios.append(b / a)
        print(f"| {name} | {a:.2f} | {b:.2f} | {b / a:.3f} |")
    print(f"\nmedian ratio {statistics.median(ratios):.3f}, "
          f"range {min(ratios):.3f} – {max(ratios):.3f}")  # fmt: skip


def _exported(name: str) -> Run:
    module, shape = zoo.build(name)[:2]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, (torch.randn(shape),), dynamo=True, verbose=False)
        program.save(buffer)
    return _session(buffer.getvalue(), capture(f"zoo:{name}"))


def _ours(name: str) -> Run:
    graph = capture(f"zoo:{name}")
    return _session(write_onnx(graph).SerializeToString(), graph)


def _session(model: bytes, graph: Graph) -> Run:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: input_values(graph.tensors[graph.inputs[0]])}
    for _ in range(5):
        session.run(None, feed)
    return lambda: session.run(None, feed)


def _timed(run: Run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
